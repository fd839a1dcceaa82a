"""Datasets in files: read as they are, and what is wrong is named with its row and column."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from donna.data import check, load
from donna.errors import FailedPrecondition, InvalidArgument, NotFound

SPLIT = {"training": 20, "quality": 4, "validation": 4, "test": 4}


def png(seed: int, size: int = 6) -> tuple[bytes, np.ndarray]:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue(), pixels


def write(path, images, labels, *, column="img", names=None):
    struct = [{"bytes": data, "path": None} for data in images]
    table = pa.table({column: struct, "label": labels})
    if names:
        said = {"info": {"features": {"label": {"names": names}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(said)})
    pq.write_table(table, path)


@pytest.fixture
def pixels(tmp_path):
    encoded, pixels = zip(*(png(i) for i in range(32)), strict=True)
    write(tmp_path / "flowers.parquet", encoded, [i % 2 for i in range(32)], names=["rose", "tulip"])
    return np.stack(pixels)


def described(**arguments):
    return {"provider": "parquet", "arguments": {"train": "flowers", **arguments}, "split": SPLIT}


def test_parquet_gives_the_pixels_that_were_written(tmp_path, pixels):
    dataset = load(described(), root=tmp_path)
    part = dataset.split("training")
    images, labels = next(part.batches(20))
    normalisation = dataset.normalisation
    restored = images.permute(0, 2, 3, 1).numpy() * normalisation.std + normalisation.mean
    np.testing.assert_allclose(restored * 255, pixels[part.rows], atol=1e-3)
    np.testing.assert_array_equal(labels.numpy(), part.rows % 2)
    assert dataset.class_names == ("rose", "tulip")


def test_a_published_test_file_is_the_test_part(tmp_path, pixels):
    write(tmp_path / "later.parquet", [png(100 + i)[0] for i in range(6)], [0, 1] * 3, column="image")
    raw = {**described(test="later"), "split": {**SPLIT, "test": 1.0}}
    part = load(raw, root=tmp_path).split("test")
    assert part.rows.tolist() == list(range(32, 38))
    assert len(next(part.batches(6))[0]) == 6


def test_a_corrupt_image_is_named_by_row_and_column(tmp_path):
    images = [png(i)[0] for i in range(32)]
    images[17] = b"no image"
    write(tmp_path / "flowers.parquet", images, [0, 1] * 16)
    dataset = load(described(), root=tmp_path)
    with pytest.raises(InvalidArgument, match="row 17 of column img is not an image"):
        dataset.source.images(np.arange(32))


def test_an_image_of_another_size_is_named_or_scaled(tmp_path):
    write(tmp_path / "flowers.parquet", [png(i, 6 + (i == 3))[0] for i in range(32)], [0, 1] * 16)
    with pytest.raises(InvalidArgument, match="row 3 of column img is 7 x 7 pixels, the first"):
        load(described(), root=tmp_path).source.images(np.arange(32))
    assert load(described(image_size=5), root=tmp_path).source.images(np.arange(32)).shape == (32, 3, 5, 5)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"picture": [b"x"], "label": [0]}, "has no column img"),
        ({"img": [b"x"], "y": [0]}, "has no column label; its columns are img, y"),
        ({"img": ["x"], "label": [0]}, "column img must hold encoded images"),
        ({"img": [b"x"], "label": [0.5]}, "column label must be integers, it is double"),
        ({"img": [b"x", b"x"], "label": [0, None]}, "row 1 of column label is empty"),
        ({"img": [b"x", b"x"], "label": [0, -1]}, "row 1 of column label is -1"),
    ],
)
def test_a_wrong_column_is_named(tmp_path, table, sentence):
    pq.write_table(pa.table(table), tmp_path / "flowers.parquet")
    with pytest.raises(InvalidArgument, match=sentence):
        load(described(), root=tmp_path)


def test_a_file_that_is_no_parquet_is_named(tmp_path):
    (tmp_path / "flowers.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InvalidArgument, match=r"dataset\.arguments\.train: is not a readable Parquet file"):
        load(described(), root=tmp_path)


@pytest.mark.parametrize(
    "name", ["../flowers", "/etc/passwd", "a/b", "a\\b", "..", ".hidden", "~root", "c:x", 7]
)
@pytest.mark.parametrize("provider", ["parquet", "image_folder"])
def test_a_path_is_refused(provider, name):
    with pytest.raises(InvalidArgument) as caught:
        check({"provider": provider, "arguments": {"train": name, "image_size": 4}})
    assert caught.value.violations[0].field == "dataset.arguments.train"


def test_a_link_out_of_the_data_root_is_not_followed(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.parquet").write_bytes(b"x")
    (root / "flowers.parquet").symlink_to(tmp_path / "secret.parquet")
    with pytest.raises(NotFound):
        load(described(), root=root)


@pytest.mark.parametrize("link", ["bee", "bee/07.png"])
def test_a_link_out_of_the_data_root_is_not_followed_in_a_folder_either(tmp_path, link):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for name in ("ant", "bee"):
        (root / "bugs" / name).mkdir(parents=True)
        for i in range(16):
            (root / "bugs" / name / f"{i:02}.png").write_bytes(png(i)[0])
    raw = {"provider": "image_folder", "arguments": {"train": "bugs", "image_size": 6}, "split": SPLIT}
    path = root / "bugs" / link
    path.rename(root / "kept")  # a link to somewhere in the root is a link like any other
    path.symlink_to(root / "kept")
    assert len(load(raw, root=root).source.labels) == 32
    (root / "kept").rename(elsewhere)
    path.unlink()
    path.symlink_to(elsewhere)
    with pytest.raises(InvalidArgument, match=rf"bugs/{link} is a link that leads out of the data root"):
        load(raw, root=root)


def test_no_root_and_no_file(tmp_path):
    with pytest.raises(FailedPrecondition, match="no data root"):
        load(described())
    with pytest.raises(NotFound, match="the data root has no 'flowers'"):
        load(described(), root=tmp_path)


def test_image_folder(tmp_path):
    for label, name in enumerate(("ant", "bee")):
        (tmp_path / "bugs" / name).mkdir(parents=True)
        for i in range(16):
            (tmp_path / "bugs" / name / f"{i:02}.png").write_bytes(png(label * 16 + i)[0])
    raw = {"provider": "image_folder", "arguments": {"train": "bugs", "image_size": 6}, "split": SPLIT}
    dataset = load(raw, root=tmp_path)
    assert dataset.class_names == ("ant", "bee")
    np.testing.assert_array_equal(dataset.source.images(np.array([20]))[0].transpose(1, 2, 0), png(20)[1])
    (tmp_path / "bugs" / "bee" / "03.png").write_bytes(b"x")
    with pytest.raises(InvalidArgument, match=r"row 19, bee/03\.png, is not an image"):
        load(raw, root=tmp_path).source.images(np.arange(32))
    (tmp_path / "bugs" / "cat").mkdir()
    with pytest.raises(InvalidArgument, match=r"class 2 \('cat'\) has no image in the training part"):
        load(raw, root=tmp_path)


@pytest.mark.parametrize("suffix", [".bmp", ".ppm", ".pgm", ".tif"])
def test_a_pixel_in_the_middle_of_an_uncompressed_image_changes_the_identity(tmp_path, suffix):
    raw = {"provider": "image_folder", "arguments": {"train": "bugs", "image_size": 6}, "split": SPLIT}
    pixels = np.random.default_rng(0).integers(0, 256, (32, 100, 120, 3), dtype=np.uint8)
    paths = [tmp_path / "bugs" / ("ant", "bee")[i % 2] / f"{i:02}{suffix}" for i in range(32)]
    for path, image in zip(paths, pixels, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).convert("L" if suffix == ".pgm" else "RGB").save(path)
    before = load(raw, root=tmp_path).identity
    whole = bytearray(paths[7].read_bytes())
    whole[len(whole) // 2] ^= 1
    paths[7].write_bytes(whole)
    assert load(raw, root=tmp_path).identity != before


def test_an_image_that_changes_changes_the_identity_of_its_folder(tmp_path):
    """Also when it keeps its name and its size: blocks of the old image must not be taken for blocks of the new."""
    raw = {"provider": "image_folder", "arguments": {"train": "bugs", "image_size": 6}, "split": SPLIT}
    for label, name in enumerate(("ant", "bee")):
        (tmp_path / "bugs" / name).mkdir(parents=True)
        for i in range(16):
            (tmp_path / "bugs" / name / f"{i:02}.png").write_bytes(png(label * 16 + i)[0] + bytes(10_000))
    before = load(raw, root=tmp_path).identity
    assert load(raw, root=tmp_path).identity == before
    changed = tmp_path / "bugs" / "bee" / "03.png"
    for at in (40, -1):
        whole = bytearray(changed.read_bytes())
        whole[at] ^= 1
        changed.write_bytes(whole)
        after = load(raw, root=tmp_path).identity
        assert after != before
        before = after


def test_torchvision_sets_in_the_layout_they_are_downloaded_to(tmp_path):
    from torchvision.datasets import MNIST

    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    images = {}
    for part, count in (("train", 40), ("t10k", 20)):
        images[part] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 10
        head = np.array([0x803, count, 28, 28], dtype=">i4").tobytes()
        (folder / f"{part}-images-idx3-ubyte").write_bytes(head + images[part].tobytes())
        head = np.array([0x801, count], dtype=">i4").tobytes()
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(head + labels.tobytes())
    assert len(MNIST(str(tmp_path), train=True)) == 40
    raw = {"provider": "torchvision", "arguments": {"name": "mnist"}, "split": {**SPLIT, "test": 1.0}}
    dataset = load(raw, root=tmp_path)
    assert (dataset.input_shape, len(dataset.split("test"))) == ((1, 28, 28), 20)
    rows = np.array([41, 3])
    np.testing.assert_array_equal(dataset.source.images(rows)[:, 0], [images["t10k"][1], images["train"][3]])
    with pytest.raises(NotFound, match="no whole copy of cifar10"):
        load({**raw, "arguments": {"name": "cifar10"}}, root=tmp_path)
