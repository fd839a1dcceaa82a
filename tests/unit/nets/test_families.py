"""The closed world of block families: every one builds, trains, exports, is counted and is written and read."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from donna.errors import InvalidArgument
from donna.nets import families
from donna.nets.costs import count
from donna.nets.families.layers import ACTIVATIONS
from donna.nets.nsr import nsr
from donna.nets.parity import checked_onnx, run_onnx
from donna.space import Option, expand

MAPS = [((8, 8, 8), (8, 8, 8)), ((8, 7, 8), (16, 4, 4))]
SEQUENCES = [((5, 16), (5, 16))]
IR = {"kernel": 3, "expansion": 2}

EXAMPLES: dict[str, tuple[list[Any], list[Option]]] = {
    "skip": (MAPS + SEQUENCES + [((5, 16), (5, 8))], [Option.of("skip")]),
    "reference": (MAPS[:1], [Option.of("reference")]),
    "inverted_residual": (
        MAPS,
        [
            *expand(
                "inverted_residual", {**IR, "activation": ["relu", "silu", "hard_swish", "relu6", "gelu"]}
            ),
            *expand("inverted_residual", {**IR, "depth": [2], "attention": ["squeeze_excite"]}),
            *expand("inverted_residual", {**IR, "kernel": [1, 5], "convolution": ["grouped"]}),
            *expand("inverted_residual", {**IR, "expansion": [0.5, 6]}),
        ],
    ),
    "fused_inverted_residual": (
        MAPS,
        [
            *expand("fused_inverted_residual", {**IR, "activation": list(ACTIVATIONS)}),
            *expand("fused_inverted_residual", {**IR, "depth": 2, "attention": "squeeze_excite"}),
        ],
    ),
    "bottleneck": (
        MAPS,
        [
            *expand("bottleneck", {"kernel": 3, "width": [0.25, 1], "activation": list(ACTIVATIONS)}),
            *expand("bottleneck", {"kernel": 3, "width": 0.5, "groups": [1, 3, 8], "depth": 2}),
        ],
    ),
    "basic": (
        MAPS,
        [
            *expand("basic", {"kernel": 3, "activation": list(ACTIVATIONS)}),
            *expand("basic", {"kernel": 5, "width": [0.5, 2], "depth": 2}),
            *expand("basic", {"kernel": 3, "width": 0.5, "groups": [2, 8], "depth": 2}),
        ],
    ),
    "convnext": (
        MAPS,
        [
            *expand("convnext", {"expansion": [0.5, 4], "depth": [1, 2]}),
            *expand("convnext", {"kernel": 3, "expansion": 2}),
        ],
    ),
    "transformer": (
        SEQUENCES,
        [
            *expand("transformer", {"heads": [1, 4], "mlp_ratio": [0.5, 2], "depth": [1, 2]}),
            *expand("transformer", {"heads": 2, "activation": list(ACTIVATIONS)}),
        ],
    ),
}
CASES = [
    pytest.param(option, *place, id=f"{option}-{place[0]}-{place[1]}")
    for places, options in EXAMPLES.values()
    for option in options
    for place in places
]


def reference_block(shape: tuple[int, ...]) -> nn.Module:
    return nn.Sequential(nn.Conv2d(shape[0], shape[0], 3, padding=1), nn.BatchNorm2d(shape[0]))


def make(option: Option, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> nn.Module:
    torch.manual_seed(0)
    block = reference_block(input_shape) if option.family == "reference" else None
    return families.build(option, input_shape, output_shape, block)


def test_every_registered_family_has_examples_of_every_choice() -> None:
    assert set(EXAMPLES) == set(families.REGISTRY.names())
    for name, (_, options) in EXAMPLES.items():
        for parameter in families.REGISTRY.get(name, "family").parameters:
            if parameter.kind is str:
                completed = {families.complete(option)[parameter.name] for option in options}
                assert completed == set(parameter.choices), f"{name}.{parameter.name}"


@pytest.mark.parametrize(("option", "input_shape", "output_shape"), CASES)
def test_builds_trains_is_written_counted_and_exported(
    option: Option, input_shape: tuple[int, ...], output_shape: tuple[int, ...]
) -> None:
    x, target = torch.randn(4, *input_shape), torch.randn(4, *output_shape)
    block = make(option, input_shape, output_shape)
    assert block(x).shape == target.shape
    assert Option.parse(str(families.complete(option))) == families.complete(option)

    parameters = list(block.parameters())
    if parameters:
        variance = torch.ones(output_shape[0] if len(output_shape) == 3 else output_shape[-1])
        optimizer = torch.optim.SGD(parameters, lr=1e-2)
        losses = []
        for _ in range(2):
            loss = nsr(target, block(x), variance)
            optimizer.zero_grad()
            loss.backward()
            assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in parameters)
            optimizer.step()
            losses.append(loss.item())
        assert losses[1] < losses[0]

    block.eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        block(x[:1])
    costs = count(block, input_shape)
    assert costs.macs * 2 == counter.get_total_flops()
    assert costs.parameters == sum(p.numel() for p in parameters)
    assert costs.activation_bytes >= x[0].numel() * 4

    exported, difference = checked_onnx(block, x)
    assert difference < 1e-4
    assert run_onnx(exported, x[:3]).shape == (3, *output_shape)


X, H = 8 * 8 * 8, 16 * 8 * 8
"""Numbers of the map before and behind a block of `MAPS[0]`, and of one with twice the channels."""


@pytest.mark.parametrize(
    ("option", "numbers"),
    [
        # While the second hidden map is normalised: what was convolved, before and behind; and the shortcut.
        (Option.of("inverted_residual", IR), X + 3 * H),
        (
            Option.of("inverted_residual", {**IR, "depth": 3}),
            X + X + 3 * H,
        ),  # and the input of the block itself
        (Option.of("inverted_residual", {**IR, "attention": "squeeze_excite"}), X + 3 * H),
        (Option.of("fused_inverted_residual", IR), X + 2 * H),
        (Option.of("basic", {"kernel": 3}), X + 3 * X),
        (Option.of("convnext", {"expansion": 2}), X + 2 * H),  # an activation that does not work in place
        (Option.of("skip"), X),
    ],
    ids=str,
)
def test_the_peak_of_activations_is_what_one_counts_by_hand(option: Option, numbers: int) -> None:
    assert count(make(option, *MAPS[0]).eval(), MAPS[0][0]).activation_bytes == 4 * numbers


def test_initial_weights_are_a_function_of_the_seed() -> None:
    option = EXAMPLES["inverted_residual"][1][0]
    first, second = make(option, *MAPS[0]), make(option, *MAPS[0])
    torch.manual_seed(1)
    third = families.build(option, *MAPS[0])
    states = [torch.cat([p.flatten() for p in m.parameters()]) for m in (first, second, third)]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


@pytest.mark.parametrize(
    ("option", "field", "why"),
    [
        (Option.of("inverted_residuals", IR), "here.family", "did you mean inverted_residual"),
        (Option.of("inverted_residual", {**IR, "kernle": 3}), "here.kernle", "did you mean kernel"),
        (Option.of("inverted_residual", {"kernel": 3}), "here.expansion", "is missing"),
        (
            Option.of("inverted_residual", {**IR, "kernel": 4}),
            "here.kernel",
            "must be one of 1, 3, 5, 7, 9, got 4",
        ),
        (Option.of("inverted_residual", {**IR, "depth": 0}), "here.depth", "at least 1"),
        (Option.of("inverted_residual", {**IR, "depth": 1.5}), "here.depth", "an integer"),
        (Option.of("inverted_residual", {**IR, "depth": True}), "here.depth", "an integer"),
        (Option.of("inverted_residual", {**IR, "attention": "yes"}), "here.attention", "squeeze_excite"),
        (Option.of("transformer", {"heads": 0}), "here.heads", "at least 1"),
        (Option.of("bottleneck", {"kernel": 3, "width": 0}), "here.width", "at least 0.0625"),
        (Option.of("skip", {"kernel": 3}), "here.kernel", "known: none"),
    ],
)
def test_a_wrong_option_names_its_field(option: Option, field: str, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why) as refused:
        families.complete(option, "here")
    assert [violation.field for violation in refused.value.violations] == [field]


def test_every_wrong_parameter_is_told_at_once() -> None:
    with pytest.raises(InvalidArgument) as refused:
        families.complete(Option.of("inverted_residual", {"kernel": 2, "size": 1}), "here")
    assert {v.field for v in refused.value.violations} == {"here.kernel", "here.size", "here.expansion"}


def test_equal_blocks_have_equal_completed_options() -> None:
    short = Option.of("inverted_residual", {"kernel": 3, "expansion": 4.0})
    assert families.complete(short) == families.complete(families.complete(short))
    assert str(families.complete(short)) == (
        "inverted_residual(activation=relu,attention=none,convolution=depthwise,depth=1,expansion=4,kernel=3)"
    )


@pytest.mark.parametrize("shapes", [((8, 4, 4), (8, 8, 8)), ((8, 7, 7), (8, 5, 5)), ((5, 16), (5, 16))])
def test_a_place_that_no_stride_reaches_is_refused(shapes: Any) -> None:
    with pytest.raises(InvalidArgument, match="does not fit"):
        families.build(Option.of("inverted_residual", IR), *shapes)


@pytest.mark.parametrize(
    ("heads", "shapes", "why"),
    [
        (3, ((5, 16), (5, 16)), "3 heads do not divide 16"),
        (2, ((8, 4, 4), (8, 4, 4)), "needs .L, D. sequences"),
    ],
)
def test_a_transformer_that_does_not_fit_says_why(heads: int, shapes: Any, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        families.build(Option.of("transformer", {"heads": heads}), *shapes)


def test_groups_that_do_not_divide_the_channels_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="3 groups do not divide 8 channels"):
        families.build(Option.of("basic", {"kernel": 3, "groups": 3}), *MAPS[0])
