"""Fronts and runs that a notebook shows inline, as the page that `donna report` writes.

from donna.notebook import front, run
front(client, "searches/1f2e")     # also while the search is running
run("runs/digits")
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from donna.client import Client
from donna.pipeline.folder import read_result
from donna.report import report_html
from donna.report.live import live_html
from donna.space.library import Library
from donna.v1 import searcher_pb2

HEIGHT_PX = 720


@dataclass(frozen=True, kw_only=True)
class Front:
    """A search as it stood when it was asked for: its front, cheapest first, is what goes through it."""

    search: searcher_pb2.Search
    library: Library
    evaluations: Sequence[searcher_pb2.Evaluation]

    def __iter__(self) -> Iterator[searcher_pb2.FrontPoint]:
        return iter(self.search.front)

    def __len__(self) -> int:
        return len(self.search.front)

    def __repr__(self) -> str:
        return f"<{self.search.name}: {len(self)} networks on the front, {self.search.num_evaluations} evaluated>"

    def _repr_html_(self) -> str:
        return _inline(live_html(self.search, self.library, self.evaluations))


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """A run that is complete; `result` is its result.json."""

    folder: Path
    result: dict[str, Any]

    def __repr__(self) -> str:
        return f"<{self.folder}: {len(self.result['models'])} networks, {len(self.result['front'])} on the front>"

    def _repr_html_(self) -> str:
        evaluations = self.folder / "evaluations.csv"
        return _inline(report_html(self.result, evaluations.read_text() if evaluations.exists() else ""))


def front(client: Client, name: str) -> Front:
    """A search, with what its page needs. Raises NotFound."""
    search = client.get(name)
    return Front(
        search=search,
        library=client.manifest(search.spec.library),
        evaluations=tuple(client.evaluations(name)),
    )


def run(folder: Path | str) -> FinishedRun:
    """The run in a folder. Raises NotFound when it is not complete."""
    return FinishedRun(folder=Path(folder), result=read_result(Path(folder)))


def _inline(page: str) -> str:
    """A page inside another: a frame of its own, so that neither's styles and scripts reach the other."""
    style = f"width: 100%; height: {HEIGHT_PX}px; border: 0"
    return f'<iframe sandbox="allow-scripts" style="{style}" srcdoc="{html.escape(page)}"></iframe>'
