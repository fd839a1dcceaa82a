"""Which devices a spec means: on this machine, on a cluster, with phones."""

from __future__ import annotations

from pathlib import Path

import pytest

from donna.errors import InvalidArgument
from donna.pipeline.devices import away, default_device, measured_on, name_devices
from donna.pipeline.spec import read_spec
from donna.v1.searcher_pb2 import SearchDevice

DIGITS = Path(__file__).parents[3] / "examples" / "digits.yaml"
LATENCY = "search.objectives=[accuracy, {{metric: latency_ms, device: {}}}]"


def device(name: str, kind: str = "cpu", *, reachable: bool = True) -> SearchDevice:
    return SearchDevice(
        name=name, profiler=name.partition(".")[0], device="devices/1", kind=kind, reachable=reachable
    )


@pytest.mark.parametrize(
    ("known", "meant"),
    [
        ([device("local")], "local"),
        ([device("node-7")], "node-7"),  # the same example on a cluster
        ([device("board", "arm"), device("local")], "local"),
        ([device("node-1", "t4"), device("node-2", "t4")], "t4"),
    ],
)
def test_a_latency_without_a_device_means_the_obvious_one(known: list[SearchDevice], meant: str) -> None:
    default = default_device(known)
    spec = name_devices(read_spec(DIGITS, ["search.bounds=[{metric: latency_ms, max: 1}]"]), known, default)
    assert [o.device for o in spec.search.objectives] == ["", meant]
    assert spec.search.bounds[0].device == meant
    assert measured_on(spec, default) == [meant]


def test_where_none_is_obvious_one_must_be_named() -> None:
    known = [device("board", "arm"), device("lab.s20", "phone")]
    said = r"search\.objectives\[1\]\.device: must name one of several devices: board, lab\.s20, arm, phone"
    with pytest.raises(InvalidArgument, match=said):
        name_devices(read_spec(DIGITS), known, default_device(known))
    with pytest.raises(
        InvalidArgument, match=r"'lab\.s21' is no device; known are board, lab\.s20, arm, phone"
    ):
        name_devices(read_spec(DIGITS, [LATENCY.format("lab.s21")]), known, "")
    for name in ("lab.s20", "phone", "board"):
        found = name_devices(read_spec(DIGITS, [LATENCY.format(name)]), known, "")
        assert measured_on(found, "") == [name]
    without = read_spec(DIGITS, ["search.objectives=[accuracy, macs]"])
    assert measured_on(name_devices(without, known, ""), "") == []
    assert measured_on(without, "local") == ["local"]


def test_one_objective_twice_is_refused_by_the_device_that_it_means() -> None:
    twice = "search.objectives=[accuracy, latency_ms, {metric: latency_ms, device: local}]"
    with pytest.raises(InvalidArgument, match=r"search\.objectives\[2\]: latency_ms on local is there twice"):
        name_devices(read_spec(DIGITS, [twice]), [device("local")], "local")


def test_a_device_that_is_away_is_told_and_not_refused() -> None:
    known = [device("lab.s20", "phone", reachable=False), SearchDevice(name="shed", profiler="shed")]
    for name in ("lab.s20", "phone", "shed", "shed.x"):
        spec = name_devices(read_spec(DIGITS, [LATENCY.format(name)]), known, "")
        assert len(away(measured_on(spec, ""), known)) == 1, name
