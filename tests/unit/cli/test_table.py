"""The table at the end of a run: what did not settle says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from donna.cli.search import print_front
from donna.cli.table import UNSTABLE, print_result
from donna.v1 import common_pb2, searcher_pb2
from tests.unit.report import runs


def shown(**of_first_model: object) -> str:
    result = runs.run_result(("local", "phone"))
    result["models"][0] |= {"latency_ms": {"local": 0.25, "phone": 1.5}, **of_first_model}
    console = Console(record=True, width=160)
    print_result(result, Path("runs/digits"), console)
    return console.export_text()


def test_what_did_not_settle_is_marked() -> None:
    text = shown(unstable_devices=["phone"])
    assert "1.500*" in text and "0.250*" not in text
    assert UNSTABLE in " ".join(text.split())


def test_nothing_is_marked_when_all_settled() -> None:
    assert "*" not in shown(unstable_devices=[])


def test_a_tau_that_is_undefined_is_told() -> None:
    result = runs.run_result()
    result["predictor"] |= {"kendall_tau_loo": None, "kendall_tau_holdout": None}
    console = Console(record=True, width=160)
    print_result(result, Path("runs/digits"), console)
    assert "Kendall tau undefined" in console.export_text()


def test_the_front_of_a_search_marks_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    point = searcher_pb2.FrontPoint(
        architecture=common_pb2.Architecture(choices=[0, 1]),
        latency_ms={"phone": 1.25},
        unstable_devices=["phone"],
    )
    print_front(searcher_pb2.Search(name="searches/1", front=[point]))
    text = capsys.readouterr().out
    assert "1.25*" in text and "UNSTABLE" in text
