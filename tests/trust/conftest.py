"""The searcher of its own tests, with the same fakes beside it."""

from tests.unit.searcher.conftest import artifacts, fake, searcher

__all__ = ["artifacts", "fake", "searcher"]
