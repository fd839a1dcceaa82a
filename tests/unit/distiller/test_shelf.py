"""What a shelf says it has, it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from donna.artifacts import ArtifactStore
from donna.nets.cut import Cut
from services.distiller.shelf import Shelf, files


class Report:
    """Remembers as a job store does: what is known under a key already stays."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.known = known

    def recall(self, keys: list[str]) -> dict[str, Any]:
        return dict.fromkeys(keys, self.known)

    def remember(self, key: str, result: dict[str, Any], **counters: float) -> bool:
        return False

    def cost(self, **counters: float) -> None:
        pass


def test_ends_whose_files_are_gone_are_those_that_were_made_again(tmp_path: Path, small_cut: Cut) -> None:
    """Another version of torch may write other bytes than those that are remembered."""
    artifacts = ArtifactStore(tmp_path)
    report: Any = Report({"weights": "0" * 64, "fragment": "1" * 64})
    ends = Shelf(artifacts, report, "job").put_ends(small_cut, "source")
    assert all(artifacts.has(sha256) for end in ("stem", "head") for sha256 in files(ends[end]))
