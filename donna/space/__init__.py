"""The search space, pure: options, architectures, the library manifest and its arrays."""

from donna.space.architecture import Architecture
from donna.space.library import Block, Entry, Library, Part
from donna.space.option import Option, expand

__all__ = ["Architecture", "Block", "Entry", "Library", "Option", "Part", "expand"]
