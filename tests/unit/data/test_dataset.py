"""Descriptions are checked by field; batches are deterministic; the test part is left alone."""

import numpy as np
import pytest
import torch

from donna.data import check, load
from donna.data.dataset import Dataset
from donna.data.description import Description
from donna.data.normalisation import Normalisation
from donna.errors import InvalidArgument

DIGITS = {"provider": "digits", "split": {"training": 300, "quality": 50, "validation": 50, "test": 100}}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load({**DIGITS, "augment": [{"name": "random_shift", "arguments": {"pixels": 1}}]})


def test_digits_as_scikit_learn_has_them(digits):
    from sklearn.datasets import load_digits

    oracle = load_digits()
    part = digits.split("training")
    images, labels = next(part.batches(300))
    expected = (oracle.images[part.rows] / 16 - 0.3053) / 0.3763
    np.testing.assert_allclose(images[:, 0].numpy(), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(labels.numpy(), oracle.target[part.rows])
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert (digits.input_shape, digits.num_classes) == ((1, 8, 8), 10)


def test_batches_are_a_function_of_seed_and_epoch(digits):
    part = digits.split("training")

    def epoch(seed, epoch):
        return torch.cat([images for images, _ in part.batches(64, seed, epoch, augment=True)])

    torch.rand(5)  # someone else's randomness changes nothing
    assert torch.equal(epoch(1, 2), epoch(1, 2))
    assert not torch.equal(epoch(1, 2), epoch(1, 3))
    assert not torch.equal(epoch(1, 2), epoch(2, 2))


def test_an_epoch_gives_every_image_once(digits):
    part = digits.split("training")
    labels = torch.cat([labels for _, labels in part.batches(64, 1, 0)])
    assert len(labels) == 300
    assert torch.equal(labels.bincount(), torch.from_numpy(part.labels).bincount())
    assert sum(len(labels) for _, labels in part.batches(64, 1, 0, drop_last=True)) == 256


def test_the_test_part_is_read_only_when_asked_for_by_name():
    class Watched:
        input_shape, class_names, test_rows, identity = (1, 2, 2), ("a", "b"), None, "watched"
        normalisation = Normalisation(mean=(0.0,), std=(1.0,))
        labels = np.arange(100) % 2
        read: list[int] = []  # noqa: RUF012

        def images(self, rows):
            self.read.extend(rows.tolist())
            return np.zeros((len(rows), 1, 2, 2), dtype=np.float32)

    source = Watched()
    dataset = Dataset(
        Description.parse(
            {"provider": "digits", "split": {"training": 50, "quality": 10, "validation": 10, "test": 30}}
        ),
        source,
    )
    for name in ("training", "quality", "validation"):
        for _ in dataset.split(name).batches(7, 0):
            pass
    test = set(dataset.split("test").rows.tolist())
    assert len(source.read) == 70
    assert not test & set(source.read)


def test_identity_names_what_decides_the_batches(digits):
    same = load(digits.description.to_dict())
    other = load({**DIGITS, "split": {**DIGITS["split"], "seed": 1}})
    assert same.identity == digits.identity != other.identity


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"provider": "nobody"}, "dataset.provider"),
        ({"provider": "os.system"}, "dataset.provider"),
        ({"provider": None}, "dataset.provider"),
        ({"colour": 1}, "dataset.colour"),
        ({"arguments": {"path": "x"}}, "dataset.arguments.path"),
        ({"split": {"training": -1}}, "dataset.split.training"),
        ({"split": {"training": 0}}, "dataset.split.training"),
        ({"split": {"train": 10}}, "dataset.split.train"),
        ({"split": {"seed": 1.5}}, "dataset.split.seed"),
        ({"split": {"test": 1.5}}, "dataset.split.test"),
        ({"augment": [{"name": "blur"}]}, "dataset.augment[0].name"),
        (
            {"augment": [{"name": "random_shift", "arguments": {"pixels": 0.5}}]},
            "dataset.augment[0].arguments.pixels",
        ),
        (
            {"augment": [{"name": "random_shift", "arguments": {"size": 1}}]},
            "dataset.augment[0].arguments.size",
        ),
        ({"normalise": {"mean": [0.5]}}, "dataset.normalise"),
        ({"normalise": {"mean": [0.5], "std": [0]}}, "dataset.normalise.std"),
    ],
)
def test_a_wrong_field_is_named(change, field):
    with pytest.raises(InvalidArgument) as caught:
        check({**DIGITS, **change})
    assert caught.value.violations[0].field == field


def test_what_only_the_data_can_tell_is_named_too():
    with pytest.raises(InvalidArgument, match=r"asks for .* there are 1797"):
        load({"provider": "digits", "split": {"training": 2000}})
    with pytest.raises(InvalidArgument, match="has 3 values, the images have 1 channels"):
        load({**DIGITS, "normalise": {"mean": [0.5] * 3, "std": [1] * 3}})
    with pytest.raises(InvalidArgument, match=r"class \d \('\d'\) has no image in the training part"):
        load({"provider": "digits", "split": {"training": 5, "quality": 0, "validation": 0, "test": 0}})
    with pytest.raises(InvalidArgument, match=r"dataset\.split\.quality: is empty but asked for"):
        load({"provider": "digits", "split": {"quality": 0}}).split("quality")


def test_checking_a_description_needs_no_torch():
    import subprocess
    import sys

    code = f"import sys, donna.data; donna.data.check({DIGITS!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
