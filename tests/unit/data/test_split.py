"""Splits: disjoint, stratified, a function of the seed."""

import numpy as np
import pytest

from donna.data.split import split_rows
from donna.errors import InvalidArgument

SIZES = {"training": 600, "quality": 100, "validation": 100, "test": 150}


def labels(size: int = 1000, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).choice(4, p=[0.4, 0.3, 0.2, 0.1], size=size)


def test_parts_are_disjoint_and_have_their_sizes():
    parts = split_rows(labels(), SIZES, 0, None)
    assert {name: len(rows) for name, rows in parts.items()} == SIZES
    every = np.concatenate(list(parts.values()))
    assert len(np.unique(every)) == len(every)


def test_every_class_has_its_share_of_every_part():
    y = labels()
    for name, rows in split_rows(y, SIZES, 7, None).items():
        expected = np.bincount(y) / len(y) * SIZES[name]
        assert np.abs(np.bincount(y[rows], minlength=4) - expected).max() <= 2


def test_the_seed_decides():
    y = labels()
    once, again, other = (split_rows(y, SIZES, seed, None)["training"] for seed in (5, 5, 6))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_a_published_test_part_is_kept_apart():
    published = np.arange(800, 1000)
    parts = split_rows(
        labels(), {"training": 0.5, "quality": 100, "validation": 100, "test": 1.0}, 0, published
    )
    assert np.array_equal(parts["test"], published)
    assert len(parts["training"]) == 400
    assert max(parts[name].max() for name in ("training", "quality", "validation")) < 800


def test_a_larger_training_part_leaves_the_test_part_as_it_is():
    small = split_rows(labels(), SIZES, 0, None)["test"]
    large = split_rows(labels(), {**SIZES, "training": 650}, 0, None)["test"]
    assert np.array_equal(small, large)


def test_too_many_images_are_refused_with_the_numbers():
    with pytest.raises(
        InvalidArgument, match=r"dataset\.split: asks for .* 951 training images, there are 1000"
    ):
        split_rows(labels(), {"training": 951, "quality": 0, "validation": 0, "test": 50}, 0, None)
