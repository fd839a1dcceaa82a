"""The page as a file: whole, closed to the network, and safe whatever the names in a run are."""

from __future__ import annotations

import json
import re

from donna.report import report_html
from donna.report.data import MAX_EVALUATIONS, evaluation_columns, page_data
from donna.report.labels import option_labels
from tests.unit.report import runs


def embedded(page: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="run">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_page_needs_nothing_from_outside() -> None:
    page = report_html(runs.run_result())
    assert "%%" not in page
    outside = set(re.findall(r'https?://[^"\'\s<)]+', page)) - {"http://www.w3.org/2000/svg"}
    assert not outside
    assert "default-src 'none'" in page
    assert not re.findall(r'<(?:script|link|img)[^>]+src="(?!data:)', page)
    assert len(page) < 300_000


def test_names_in_a_run_cannot_leave_their_place() -> None:
    evil = "</script><script>alert(1)</script>%%STYLE%%"
    result = runs.run_result(devices=(evil,), name=evil)
    page = report_html(result, runs.evaluations_csv(result))
    assert "alert(1)</script>" not in page
    assert "<title>&lt;/script&gt;" in page
    assert embedded(page)["name"] == evil


def test_numbers_that_json_does_not_have_become_null() -> None:
    result = runs.run_result()
    result["predictor"]["kendall_tau_loo"] = float("nan")
    data = embedded(report_html(result))
    assert data["predictor"]["kendall_tau_loo"] is None  # type: ignore[index]


def test_every_device_has_a_sentence_and_every_option_a_label() -> None:
    result = runs.run_result(devices=("local", "phone"))
    data = page_data(result)
    assert set(data["found"]) == {"local", "phone"}
    assert set(data["labels"]) == {o["option"] for b in result["library"]["blocks"] for o in b["options"]}


def test_labels_say_only_what_differs() -> None:
    labels = option_labels(
        [
            "skip()",
            "inverted_residual(activation=relu,attention=none,depth=1,kernel=3,residual=true)",
            "inverted_residual(activation=relu,attention=squeeze_excite,depth=2,kernel=3,residual=false)",
        ]
    )
    assert [label["label"] for label in labels.values()] == [
        "skip",
        "depth 1, residual",
        "depth 2, squeeze excite",
    ]


def test_evaluations_are_thinned_and_counted() -> None:
    rows = "".join(f"{i}-0,1,0.5,1,{'' if i % 2 else 1.5}\n" for i in range(MAX_EVALUATIONS + 1))
    columns = evaluation_columns("architecture,generation,predicted_accuracy,feasible,latency_ms_a\n" + rows)
    assert columns["total"] == MAX_EVALUATIONS + 1
    assert len(columns["architecture"]) == len(columns["latency_ms"]["a"]) <= MAX_EVALUATIONS
    assert evaluation_columns("") == {"total": 0, "architecture": [], "accuracy": [], "latency_ms": {}}


def test_a_result_of_an_older_run_still_makes_a_page() -> None:
    result = runs.run_result()
    for key in ("blocks", "stem", "head", "input_shape", "num_classes"):
        del result["library"][key]
    for key in ("devices", "cost_by_phase"):
        del result[key]
    assert embedded(report_html(result))["labels"] == {}
