"""The five programs of DONNA; none imports another."""
