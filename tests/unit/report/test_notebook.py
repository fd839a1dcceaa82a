"""What a notebook shows: the page in a frame of its own, from a folder and from a client."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from donna.errors import NotFound
from donna.notebook import front, run
from donna.v1 import common_pb2, searcher_pb2
from tests.unit.predictor.spaces import library, random_tables
from tests.unit.report import runs


def page(shown: Any) -> str:
    """The page inside the frame."""
    found = re.fullmatch(
        r'<iframe sandbox="allow-scripts" style="[^"]*" srcdoc="([^"]*)"></iframe>', shown._repr_html_()
    )
    assert found
    return html.unescape(found[1])


def test_a_run(tmp_path: Path) -> None:
    result = runs.run_result()
    (tmp_path / "result.json").write_text(json.dumps(result))
    (tmp_path / "evaluations.csv").write_text(runs.evaluations_csv(result))
    shown = run(tmp_path)
    assert "<title>digits: Pareto-optimal networks</title>" in page(shown)
    assert f"{len(result['front'])} on the front" in repr(shown)
    with pytest.raises(NotFound):
        run(tmp_path / "nowhere")


def test_a_search_as_it_stands() -> None:
    space = library(random_tables(2, 3, seed=1))
    point = searcher_pb2.FrontPoint(architecture=common_pb2.Architecture(choices=[0, 2]), macs=10)
    search = searcher_pb2.Search(name="searches/1", front=[point], num_evaluations=7)
    client: Any = SimpleNamespace(
        get=lambda name: search, manifest=lambda artifact: space, evaluations=lambda name: iter(())
    )
    shown = front(client, "searches/1")
    assert [list(p.architecture.choices) for p in shown] == [[0, 2]] and len(shown) == 1
    assert repr(shown) == "<searches/1: 1 networks on the front, 7 evaluated>"
    assert '"architecture":"0-2"' in page(shown)
