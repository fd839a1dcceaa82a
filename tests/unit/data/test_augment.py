"""Augmentations: registered ones all run, each image draws its own, and the pixels go where they should."""

import numpy as np
import pytest

from donna.data.augment import AUGMENTATIONS, apply, parse


@pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_every_augmentation_keeps_shape_and_kind_and_follows_its_seed(name, dtype):
    images = np.random.default_rng(0).integers(0, 256, (6, 3, 12, 12)).astype(dtype)
    if dtype == np.float32:
        images /= 255
    before = images.copy()
    steps = parse([{"name": name}])
    once, again, other = (apply(steps, images, np.random.default_rng(seed)) for seed in (1, 1, 4))
    assert once.shape == images.shape
    assert once.dtype == dtype
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)
    np.testing.assert_array_equal(images, before)


def test_random_shift_moves_each_image_by_whole_pixels():
    images = np.arange(2 * 16, dtype=np.float32).reshape(2, 1, 4, 4) + 1
    rng = np.random.default_rng(2)
    out = apply(parse([{"name": "random_shift", "arguments": {"pixels": 1}}]), images, rng)
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    for b in range(2):
        places = [padded[b, :, t : t + 4, s : s + 4] for t in range(3) for s in range(3)]
        assert any(np.array_equal(out[b], place) for place in places)


def test_horizontal_flip_mirrors_about_its_share():
    images = np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4).repeat(2000, axis=0)
    out = apply(
        parse([{"name": "random_horizontal_flip", "arguments": {"p": 0.25}}]),
        images,
        np.random.default_rng(0),
    )
    flipped = (out[:, 0, 0, 0] == 3).mean()
    assert 0.2 < flipped < 0.3
