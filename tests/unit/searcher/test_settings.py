"""Lists in settings are read as people write them."""

from pathlib import Path

import pytest

from services.searcher.settings import SearcherSettings, parse_profilers


@pytest.mark.parametrize("text", ["desk,phone", "desk, phone", " desk , phone "])
def test_plain_peers_may_have_blanks_between_them(text: str) -> None:
    settings = SearcherSettings(state=Path("state"), plain_peers=text)
    assert [settings.is_plain(name) for name in ("desk", "phone", "predictor", "")] == [
        True,
        True,
        False,
        False,
    ]


def test_profilers_are_named_once() -> None:
    assert parse_profilers(" desk=a:1, phone=b:2") == {"desk": "a:1", "phone": "b:2"}
    with pytest.raises(ValueError, match="distinct names"):
        parse_profilers("desk=a:1,desk=b:2")
