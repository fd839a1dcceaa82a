"""Measures networks on the real devices of one host."""
