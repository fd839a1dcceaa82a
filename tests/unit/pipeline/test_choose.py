"""Winners are held against the reference as the device is after the search, not as it was before the samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from donna.pipeline.devices import name_devices
from donna.pipeline.display import Silence
from donna.pipeline.folder import RunFolder
from donna.pipeline.outcome import Reference
from donna.pipeline.run import Run
from donna.pipeline.spec import parse_spec
from donna.pipeline.turns import Latency
from donna.pipeline.work import Work
from donna.v1 import common_pb2, searcher_pb2
from tests.integration.conftest import TINY


@pytest.mark.parametrize(("reference_ms", "winners"), [(3.5, [0, 1]), (9.0, [2, 3])])
def test_the_budget_is_what_the_reference_takes_now(
    reference_ms: float, winners: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: Any = None
    spec = name_devices(
        parse_spec(TINY), [searcher_pb2.SearchDevice(name="local", device="devices/1")], "local"
    )
    work = Work(client, spec, RunFolder(tmp_path, spec), Silence(), ["local"])
    search = searcher_pb2.Search(
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
    monkeypatch.setattr(work, "measure", lambda models, bar: {name: {"local": latency} for name in models})
    beside, chosen = Run(work).choose(search, Reference(weights=None, onnx=b"", costs={}))
    assert [list(point.architecture.choices) for point in chosen] == [[n, n] for n in winners]
    assert beside["local"].median_ms == reference_ms
