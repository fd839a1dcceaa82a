"""What `donna inspect` and its like read from their options: what is wrong is named, never a traceback."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from donna.cli.app import build
from donna.cli.inspect import read_arguments, read_shape
from donna.errors import InvalidArgument


def test_arguments_are_yaml() -> None:
    assert read_arguments(["name=resnet50", "depth=3"]) == {"name": "resnet50", "depth": 3}


@pytest.mark.parametrize("text", ["x", "=1", "x=[", "x=2024-99-99", "x=" + "[" * 3000])
def test_an_argument_that_is_none_is_named(text: str) -> None:
    with pytest.raises(InvalidArgument, match="--argument: must read like name=value"):
        read_arguments([text])


def test_a_shape_is_three_sizes() -> None:
    assert read_shape("3x224x224") == [3, 224, 224]


@pytest.mark.parametrize("text", ["3x224", "3x0x1", "3x9999999999x1", "3x²x1", "3x-1x1"])
def test_a_shape_that_is_none_is_named(text: str) -> None:
    with pytest.raises(InvalidArgument, match="--input-shape: must read like 3x224x224"):
        read_shape(text)


@pytest.mark.parametrize(
    "words",
    [
        ["predictor", "sample", "--library", "x", "--count", "3000000000"],
        ["predictor", "fit", "--library", "x", "--samples", "x", "--seed", "3000000000"],
        ["profile", "x.onnx", "--batch-size", "3000000000"],
        ["profile", "x.onnx", "--threads", "3000000000"],
    ],
)
def test_more_than_the_services_can_be_told_is_refused(words: list[str]) -> None:
    done = CliRunner().invoke(build(), words)
    assert done.exit_code == 2 and "2147483647" in done.output
