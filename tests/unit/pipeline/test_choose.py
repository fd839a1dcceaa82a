"""Winners are held against the reference as the device is after the search, not as it was before the samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from donna.pipeline.display import Silence
from donna.pipeline.folder import RunFolder
from donna.pipeline.run import Run
from donna.pipeline.spec import parse_spec
from donna.pipeline.turns import Latency
from donna.v1 import common_pb2, searcher_pb2
from tests.integration.conftest import TINY


@pytest.mark.parametrize(("reference_ms", "winners"), [(3.5, [0, 1]), (9.0, [1, 2])])
def test_the_budget_is_what_the_reference_takes_now(
    reference_ms: float, winners: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: Any = type("Client", (), {"profilers": {"local": "127.0.0.1:1"}})
    spec = parse_spec(TINY)
    run = Run(client, spec, RunFolder(tmp_path, spec), Silence())
    run.outcome.reference_costs = {"latency_ms:local": 1000.0}  # what it took long before
    run.outcome.search = searcher_pb2.Search(
        front=[
            searcher_pb2.FrontPoint(
                architecture=common_pb2.Architecture(choices=[n, n]),
                predicted_accuracy=0.6 + 0.1 * n,
                latency_ms={"local": 2.0**n},
            )
            for n in range(4)
        ]
    )
    latency = Latency(rounds_ms=(reference_ms,) * 5, num_settled=5)
    monkeypatch.setattr(run, "_measure", lambda models, bar: {name: {"local": latency} for name in models})
    run.choose()
    assert run.outcome.chosen == winners
    assert run.outcome.beside_search["local"].median_ms == reference_ms
