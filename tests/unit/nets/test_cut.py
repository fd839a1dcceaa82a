"""Cutting: the parts together are the whole, and what cannot be cut is refused with its name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from donna.errors import InvalidArgument
from donna.nets.costs import count
from donna.nets.cut import Cut, cut
from donna.nets.network import assemble, load_block
from donna.space import Option

STAGES = ("stage1", "stage2", "stage3", "stage4")
REFERENCE = Option.of("reference")


def test_stem_blocks_and_head_in_turn_are_the_whole(small_cut: Cut) -> None:
    images = torch.rand(3, 1, 8, 8)
    y = small_cut.stem(images)
    for block in small_cut.blocks:
        y = block(y)
    logits = small_cut.model(images)
    assert torch.equal(small_cut.head(y), logits)
    assert small_cut.num_classes == 10
    assert not torch.equal(logits[0], logits[1])


def test_feature_maps_are_what_goes_in_and_out_of_blocks(small_cut: Cut) -> None:
    images = torch.rand(3, 1, 8, 8)
    maps = small_cut.feature_maps(images)
    assert [tuple(y.shape[1:]) for y in maps] == [small_cut.input_shapes[0], *small_cut.output_shapes]
    for n, block in enumerate(small_cut.blocks):
        torch.testing.assert_close(block(maps[n]), maps[n + 1])


def test_feature_maps_take_one_pass_that_ends_at_the_last_block(small_cut: Cut) -> None:
    passes = []
    small_cut.model.stem.register_forward_hook(lambda *_: passes.append("stem"))
    small_cut.model.head.register_forward_hook(lambda *_: passes.append("head"))
    small_cut.feature_maps(torch.rand(2, 1, 8, 8))
    assert passes == ["stem"]


def test_passes_at_the_same_time_do_not_hear_each_other(small_cut: Cut) -> None:
    images = [torch.rand(2, 1, 8, 8) for _ in range(24)]
    expected = [small_cut.feature_maps(batch) for batch in images]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(small_cut.feature_maps, images))
    for theirs, alone in zip(found, expected, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(theirs, alone, strict=True))


def test_costs_of_the_parts_add_up_to_the_whole(small_cut: Cut) -> None:
    parts = [
        count(small_cut.stem, small_cut.input_shape),
        *(count(b, s) for b, s in zip(small_cut.blocks, small_cut.input_shapes, strict=True)),
        count(small_cut.head, small_cut.output_shapes[-1]),
    ]
    whole = count(small_cut.model, small_cut.input_shape)
    assert sum(part.parameters for part in parts) == whole.parameters
    assert sum(part.macs for part in parts) == whole.macs
    assert sum(part.weight_bytes for part in parts) == whole.weight_bytes


def test_reassembled_from_its_own_blocks_the_logits_are_identical(small_cut: Cut) -> None:
    images = torch.rand(4, 1, 8, 8)
    assert torch.equal(assemble(small_cut, [REFERENCE] * 4)(images), small_cut.model(images))


def test_a_replaced_block_is_used_and_the_reference_stays_as_it_is(small_cut: Cut) -> None:
    images = torch.rand(4, 1, 8, 8)
    before = small_cut.model(images)
    network = assemble(small_cut, [Option.of("skip"), REFERENCE, REFERENCE, REFERENCE])
    assert not torch.equal(network(images), before)
    load_block(network, 1, {name: tensor + 1 for name, tensor in small_cut.blocks[1].state_dict().items()})
    assert torch.equal(small_cut.model(images), before)


def test_heads_are_safe_to_share_between_threads(small_cut: Cut) -> None:
    from concurrent.futures import ThreadPoolExecutor

    maps = [torch.rand(2, *small_cut.output_shapes[-1]) for _ in range(16)]
    expected = [small_cut.head(y) for y in maps]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(small_cut.head, maps))
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


def test_an_unknown_name_is_told_with_close_matches(small_cnn: nn.Module) -> None:
    with pytest.raises(InvalidArgument, match=r"blocks\[1\].*'stagee2'.*stage2"):
        cut(small_cnn, ["stage1", "stagee2"], (1, 8, 8))


def test_images_of_a_wrong_shape_are_refused(small_cnn: nn.Module) -> None:
    with pytest.raises(InvalidArgument, match=r"cannot take images of shape \(3, 8, 8\)"):
        cut(small_cnn, STAGES, (3, 8, 8))


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ([], "at least one block"),
        (["stage1", "stage3"], "'stage3' does not take exactly the output of 'stage1'"),
        (["stage2", "stage1"], "'stage1' does not take exactly the output of 'stage2'"),
        (["stage1", "stage1"], "another block"),
        (["stage1", "stage1.unit1"], "part of"),
        (["head"], "must map"),
    ],
)
def test_what_is_no_chain_is_refused(small_cnn: nn.Module, names: list[str], why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        cut(small_cnn, names, (1, 8, 8))


class Net(nn.Module):
    """Three convolutions and a head, wired by `how`."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.two = Two()
        self.fc = nn.Linear(3, 4)
        self.act = nn.ReLU(inplace=True)
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        a = self.a(x)
        if self.how == "around":
            y = self.c(self.b(a)) + a
        elif self.how == "between":
            y = self.c(self.b(a) * 2)
        elif self.how == "in place":
            y = self.b(a)
            y += a
            y = self.c(y)
        elif self.how == "image":
            y = self.c(self.b(a)) + x.mean()
        elif self.how == "twice":
            y = self.c(self.b(self.b(a)))
        elif self.how == "two inputs":
            y = self.two(a, a)
        elif self.how == "overwrites":
            y = self.act(self.c(self.b(a)))
        else:
            y = self.c(self.b(a))
        return self.fc(y.mean((2, 3)))


class Two(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


@pytest.mark.parametrize(
    ("how", "names", "why"),
    [
        ("around", ["b", "c"], "a tensor from before 'c' is used behind it"),
        ("around", ["b"], "a tensor from before 'b' is used behind it"),
        ("image", ["b", "c"], "used behind it"),
        ("between", ["b", "c"], "'c' does not take exactly the output of 'b'"),
        ("in place", ["b", "c"], "'c' does not take exactly the output of 'b'"),
        ("twice", ["b"], "'b' runs more than once"),
        ("two inputs", ["two"], "'two' takes 2 arguments"),
        ("plain", ["act"], "'act' does not run"),
    ],
)
def test_a_cut_that_cannot_work_is_refused_with_the_submodule(how: str, names: list[str], why: str) -> None:
    with pytest.raises(InvalidArgument, match=why) as refused:
        cut(Net(how), names, (3, 6, 6))
    assert refused.value.violations[0].field.startswith("blocks[")


def test_the_same_net_can_be_cut_where_nothing_crosses() -> None:
    assert cut(Net("plain"), ["b", "c"], (3, 6, 6)).output_shapes == ((3, 6, 6), (3, 6, 6))
    assert cut(Net("around"), ["a"], (3, 6, 6)).names == ("a",)


def test_maps_are_kept_where_a_block_overwrites_its_input() -> None:
    found = cut(Net("overwrites"), ["c", "act"], (3, 6, 6))
    maps = found.feature_maps(torch.randn(2, 3, 6, 6))
    assert bool((maps[1] < 0).any())
    torch.testing.assert_close(maps[1].relu(), maps[2])
