"""A reference network and a block family of one's own: DONNA finds both through the entry points of pyproject.toml."""
