"""Files are whole, whenever the power goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from donna import durable
from services.profiler.hub import own_instance


def test_a_file_is_the_former_or_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "names.json"
    durable.write(path, b"former")

    def off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(durable.os, "fsync", off)  # the new text may be anywhere on its way
        with pytest.raises(KeyboardInterrupt):
            durable.write(path, b"new")
    assert path.read_text() == "former"
    durable.write(path, b"new")
    assert path.read_text() == "new"


def test_an_instance_that_was_lost_half_written_is_made_again(tmp_path: Path) -> None:
    """Empty it would be refused by every hub, for ever."""
    path = tmp_path / "profiler-instance"
    path.touch()
    made = own_instance(path)
    assert len(made) == 32 and own_instance(path) == made
