"""The YAML spec: what is wrong is named, what is right is expanded."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import yaml

from donna.errors import InvalidArgument, NotFound
from donna.pipeline import messages
from donna.pipeline.messages import block_library, reference_alone
from donna.pipeline.spec import Spec, parse_spec, read_spec
from donna.v1 import common_pb2, finetuner_pb2

DIGITS = Path(__file__).parents[3] / "examples" / "digits.yaml"


def raw() -> dict:
    return yaml.safe_load(DIGITS.read_text())


def test_the_example_is_valid_and_large_enough() -> None:
    spec = read_spec(DIGITS)
    sizes = [len(options) for _, options in spec.space.expand()]
    total = 1
    for size in sizes:
        total *= size
    assert len(sizes) >= 4
    assert min(sizes) >= 12
    assert total >= 20_000
    assert spec.predictor.samples >= 20
    assert spec.predictor.holdout >= 8


@pytest.mark.parametrize(
    ("section", "key", "value", "field"),
    [
        ("distillation", "epochs", -1, "distillation.epochs"),
        ("distillation", "epoch", 1, "distillation.epoch"),
        ("dataset", "provider", None, "dataset.provider"),
        ("search", "population", 1, "search.population"),
        ("predictor", "holdout", 1, "predictor.holdout"),
        ("finetune", "fixed_batch", 8, "spec"),
        ("search", "objectives", ["speed"], "search.objectives[0].metric"),
        ("search", "bounds", [{"metric": "macs"}], "search.bounds[0]"),
        ("finetune", "winners", 0, "finetune.winners"),
        ("space", "blocks", [], "space.blocks"),
        ("search", "population", 2**31, "search.population"),
        ("search", "max_measurements", 2**31, "search.max_measurements"),
        ("predictor", "samples", 2**31, "predictor.samples"),
        ("finetune", "batch_size", 2**31, "finetune.batch_size"),
    ],
)
def test_a_wrong_key_is_named(section: str, key: str, value: object, field: str) -> None:
    values = raw()
    values[section][key] = value
    with pytest.raises(InvalidArgument) as error:
        parse_spec(values)
    assert field in [violation.field for violation in error.value.violations]


def test_normalisation_and_recipe_reach_the_services() -> None:
    given = {
        "warmup_fraction": 0.0,
        "calibration_batches": 7,
        "quality_points": 5,
        "replace_one_quality": True,
        "precision": "bfloat16",
    }
    values = raw()
    values["dataset"]["normalise"] = {"mean": [0.25], "std": [0.5]}
    values["distillation"] |= given
    message = block_library(parse_spec(values), None)
    assert (message.dataset.normalisation.mean, message.dataset.normalisation.std) == ([0.25], [0.5])
    assert {name: getattr(message.recipe, name) for name in given} == given
    assert message.recipe.HasField("warmup_fraction")
    assert not block_library(parse_spec(raw()), None).dataset.HasField("normalisation")


def test_what_the_contract_knows_can_be_said() -> None:
    values = raw()
    values["predictor"] |= {"ridge_strengths": [0.1, 1.0], "qualities": ["nsr"], "interval_coverage": 0.8}
    values["search"]["measurement"] = {"affinity": [0, 1], "provider_options": {"a": "b"}, "batch_size": 2}
    values["finetune"] |= {"include_normalization": True, "fixed_batch": 2, "processes": 2}
    spec = parse_spec(values)
    fitted = messages.predictor(spec, common_pb2.Artifact(), [])
    assert (list(fitted.ridge_strengths), list(fitted.qualities), fitted.interval_coverage) == (
        [0.1, 1.0],
        ["nsr"],
        0.8,
    )
    measured = messages.measurement(spec)
    assert list(measured.affinity) == [0, 1] and dict(measured.provider_options) == {"a": "b"}
    winners = messages.winners(spec, common_pb2.Artifact(), [])
    assert winners.export.include_normalization and winners.export.batch_size == 2
    assert winners.recipe.processes == 2


def test_what_json_does_not_have_is_named() -> None:
    values = raw()
    values["dataset"]["arguments"] = {"since": datetime.date(2024, 1, 1)}
    with pytest.raises(
        InvalidArgument, match=r"dataset\.arguments: 2024-01-01 is a date, write it in quotes"
    ):
        parse_spec(values)


def test_an_unknown_section_is_named() -> None:
    with pytest.raises(InvalidArgument, match="serach: is not a key of this section"):
        parse_spec(raw() | {"serach": {}})


def test_overrides_are_yaml_and_checked() -> None:
    spec = read_spec(DIGITS, ["search.seed=7", "search.bounds=[{metric: latency_ms, max: 0.5}]"])
    assert spec.search_seed == 7
    assert spec.search.bounds[0].max == 0.5
    with pytest.raises(InvalidArgument, match="--set"):
        read_spec(DIGITS, ["search.seed"])


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ({"weights": "w.safetensors", "train": {"epochs": 1}}, "either weights or train, not both"),
        (
            {"weights": "w.safetensors", "pretrained": True},
            "either a file of weights or those of the provider",
        ),
        (
            {"weights": "w.safetensors", "arguments": {"weights": "library"}},
            "either a file of weights or those",
        ),
        ({}, "has no trained weights"),
        ({"arguments": {"weights": "none"}}, "has no trained weights"),
        ({"pretrained": False}, "has no trained weights"),
    ],
)
def test_the_weights_come_from_one_place(source: dict, sentence: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^reference: .*{sentence}"):
        parse_spec(raw() | {"reference": {"provider": "torchvision", **source}})


@pytest.mark.parametrize(
    "source",
    [
        {"weights": "w.safetensors"},
        {"train": {"epochs": 1}},
        {"pretrained": True},
        {"arguments": {"weights": "library"}},
        {"arguments": {"weights": "library"}, "train": {"epochs": 1}},
    ],
)
def test_the_provider_s_own_weights_are_a_source_too(source: dict) -> None:
    spec = parse_spec(raw() | {"reference": {"provider": "torchvision", **source}})
    message = reference_alone(spec, None)
    assert message.recipe.initialization == finetuner_pb2.INITIALIZATION_PRETRAINED
    assert message.recipe.epochs == (1 if "train" in source else 0)
    assert not message.reference.HasField("weights")


def test_files_that_are_no_spec(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cannot be read"):
        read_spec(tmp_path / "missing.yaml")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("a: [1")
    with pytest.raises(InvalidArgument, match="is not YAML in line"):
        read_spec(wrong)
    wrong.write_text("a: &x [1]\nb: *x\n")
    with pytest.raises(InvalidArgument, match="aliases are not allowed"):
        read_spec(wrong)
    wrong.write_text("[" * 5000)
    with pytest.raises(InvalidArgument):
        read_spec(wrong)


def test_options_expand_in_order_and_without_duplicates() -> None:
    values = raw()
    values["space"] = {
        "blocks": ["stage1", {"name": "stage2", "options": [{"family": "skip"}, {"family": "skip"}]}],
        "options": [{"family": "inverted_residual", "kernel": [3, 5], "depth": 1}],
    }
    blocks = parse_spec(values).space.expand()
    assert blocks == [
        ("stage1", ["inverted_residual(depth=1,kernel=3)", "inverted_residual(depth=1,kernel=5)"]),
        ("stage2", ["skip()"]),
    ]


def test_the_resolved_spec_reads_back_as_the_same_run() -> None:
    spec = read_spec(DIGITS)
    again = Spec.model_validate(spec.resolved())
    assert again.digest() == spec.digest()
    assert read_spec(DIGITS, ["seed=1"]).digest() != spec.digest()
