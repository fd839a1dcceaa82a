"""Baselines: the same option everywhere, where every block has it, measured as the search measures."""

from __future__ import annotations

from donna.pipeline.baselines import baseline_search, baselines, uniform
from donna.space import Architecture
from donna.v1 import common_pb2, searcher_pb2
from tests.unit.predictor.spaces import library, random_tables


def test_one_network_for_each_option_that_every_block_has() -> None:
    space = library(random_tables(3, 4, seed=1))
    options = [entry.option for entry in space.blocks[0].entries]
    shared = [o for o in options if all(o in [e.option for e in block.entries] for block in space.blocks)]
    found = uniform(space)
    assert list(found) == shared and found
    for option, network in found.items():
        assert {str(o) for o in space.options(network)} == {option}


def test_the_search_measures_them_and_nothing_bounds_it() -> None:
    spec = searcher_pb2.SearchSpec(
        predictor="predictors/1",
        bounds=[searcher_pb2.Bound(metric=common_pb2.METRIC_MACS, max=1)],
        initial=[common_pb2.Architecture(choices=[9])],
        generations=50,
        max_measurements=3,
    )
    before = spec.SerializeToString()
    found = baseline_search(spec, [Architecture(choices=(0, 0)), Architecture(choices=(1, 1))], 7)
    assert [list(a.choices) for a in found.initial] == [[0, 0], [1, 1]]
    assert (found.population, found.generations, found.max_measurements) == (4, 1, 7)
    assert not found.bounds and found.predictor == "predictors/1"
    assert spec.SerializeToString() == before


def test_they_carry_what_was_predicted_and_measured() -> None:
    space = library(random_tables(2, 3, seed=1))
    networks = {"a": Architecture(choices=(0, 0)), "b": Architecture(choices=(1, 1))}
    evaluations = [
        searcher_pb2.Evaluation(
            architecture=common_pb2.Architecture(choices=[1, 1]),
            predicted_accuracy=0.5,
            latency_ms={"cpu": 2.0},
        ),
        searcher_pb2.Evaluation(architecture=common_pb2.Architecture(choices=[0, 1])),
    ]
    (only,) = baselines(space, networks, evaluations)
    assert (only["name"], only["option"], only["latency_ms"]) == ("1-1", "b", {"cpu": 2.0})
    entries = space.entries(Architecture(choices=(1, 1)))
    assert only["macs"] == space.stem.macs + space.head.macs + sum(entry.macs for entry in entries)
