"""Block families, by name: each turns an option's parameters into a drop-in for one block of a reference.

Other packages add a family through the entry-point group `donna.families`: a `Family` object.
"""

from donna.nets.families.family import Family, Place
from donna.nets.families.registry import REGISTRY, build, complete

__all__ = ["REGISTRY", "Family", "Place", "build", "complete"]
