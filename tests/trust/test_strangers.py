"""Files from strangers that are made to take a machine down: each is refused with a sentence, before it can."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import EpsImagePlugin, Image

from donna import data
from donna.artifacts import ArtifactStore
from donna.data import parquet
from donna.data.images import decode
from donna.errors import InvalidArgument
from donna.graphs import check
from donna.space import Library
from services.finetuner.admission import Admission
from services.predictor.shelf import Shelf
from services.searcher.libraries import Libraries
from tests.unit.searcher.libraries import build_library

SPLIT = {"training": 2, "quality": 0, "validation": 0, "test": 2}


def field(number: int, payload: bytes) -> bytes:
    """One length-delimited field of a protobuf message."""
    size, prefix = len(payload), bytearray([number << 3 | 2])
    while size > 127:
        prefix.append(size & 127 | 128)
        size >>= 7
    return bytes(prefix) + bytes([size]) + payload


@pytest.mark.parametrize("depth", [40, 1000, 20_000])
def test_a_graph_in_a_graph_in_a_graph(depth: int) -> None:
    graph = b""
    for _ in range(depth):  # the subgraph of an attribute of a node of a graph
        graph = field(1, field(5, field(6, graph)))
    with pytest.raises(InvalidArgument, match="is no ONNX model"):
        check(b"\x08\x0a" + field(7, graph))


def test_a_parquet_file_that_unfolds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes that are megabytes of zeros in memory."""
    monkeypatch.setattr(parquet, "SPARE_BYTES", 1 << 20)
    rows = [bytes(1 << 16)] * 400
    pq.write_table(
        pa.table({"image": pa.array(rows, pa.binary()), "label": [0, 1] * 200}), tmp_path / "x.parquet",
        compression="zstd",
    )  # fmt: skip
    assert (tmp_path / "x.parquet").stat().st_size < 100_000
    with pytest.raises(InvalidArgument, match="unfolds into more than"):
        data.load({"provider": "parquet", "arguments": {"train": "x"}, "split": SPLIT}, root=tmp_path)


def test_a_parquet_file_that_says_that_it_unfolds_is_not_unfolded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One page may be all of the bomb: it would be in memory before the first batch could be looked at."""
    monkeypatch.setattr(parquet, "SPARE_BYTES", 1 << 20)
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda *_, **__: pytest.fail("it was unfolded"))
    rows = {"image": pa.array([bytes(1 << 22)] * 2, pa.binary()), "label": [0, 1]}
    pq.write_table(pa.table(rows), tmp_path / "x.parquet", compression="zstd", use_dictionary=False)
    with pytest.raises(InvalidArgument, match="claims to unfold into 83"):
        data.load({"provider": "parquet", "arguments": {"train": "x"}, "split": SPLIT}, root=tmp_path)


def test_names_of_classes_nested_for_ever_are_no_names(tmp_path: Path) -> None:
    image = {"bytes": png(np.zeros((4, 4, 3), np.uint8)), "path": "x"}
    table = pa.table({"img": [image] * 4, "label": [0, 1] * 2})
    deep = table.replace_schema_metadata({"huggingface": "[" * 100_000})
    pq.write_table(deep, tmp_path / "x.parquet")
    found = data.load({"provider": "parquet", "arguments": {"train": "x"}, "split": SPLIT}, root=tmp_path)
    assert found.class_names == ("0", "1")


def test_a_parquet_file_of_many_batches_is_read_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "BATCH_ROWS", 3)
    pixels = np.random.default_rng(0).integers(0, 255, (10, 4, 4, 3), np.uint8)
    images = [{"bytes": png(image), "path": "x"} for image in pixels]
    pq.write_table(pa.table({"img": images, "label": [0, 1] * 5}), tmp_path / "x.parquet")
    found = data.load({"provider": "parquet", "arguments": {"train": "x"}, "split": SPLIT}, root=tmp_path)
    assert np.array_equal(found.source.images(np.arange(10)), pixels.transpose(0, 3, 1, 2))


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "TIFF", "PPM"])
def test_the_kinds_of_images_that_datasets_have(kind: str) -> None:
    file = io.BytesIO()
    Image.fromarray(np.full((4, 6, 3), 200, np.uint8)).save(file, kind)
    assert decode(file.getvalue(), None).shape == (3, 4, 6)


def test_a_program_is_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encapsulated PostScript is one, and Pillow would hand it to Ghostscript."""
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("it was run"))
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n(/etc/passwd) run\n%%EOF\n"
    with pytest.raises(ValueError, match="is not an image"):
        decode(program, None)


@pytest.mark.parametrize(("width", "height"), [(9000, 9000), (200_000, 200_000), (2**31 - 1, 1)])
def test_an_image_that_claims_too_much(width: int, height: int) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(ValueError, match=r"pixels are more than|is not an image"):
        decode(bomb, None)


def test_an_artifact_too_large_for_a_manifest(
    artifacts: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hash in a request can be of anything in the store: nothing is read of what is too large to be meant."""
    for module in ("predictor.shelf", "searcher.libraries", "finetuner.admission"):
        monkeypatch.setattr(f"services.{module}.MAX_JSON_BYTES", 1000)
    sha256 = artifacts.put_bytes(bytes(1001)).sha256
    shelf = Shelf(artifacts, limit=1)
    for read in (
        shelf.library,
        lambda sha256: shelf.model(sha256, sha256),
        Libraries(artifacts).get,
        Admission(artifacts, None).library,
    ):
        with pytest.raises(InvalidArgument, match="has 1001 bytes, what it is named for has 1000 at most"):
            read(sha256)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("blocks", 0, "entries", 0, "quality"), "low"),
        (("blocks", 0, "entries", 0, "quality"), True),
        (("blocks", 0, "entries", 0, "macs"), 10**400),
        (("blocks", 0, "entries", 0, "macs"), -1),
        (("blocks", 0, "entries", 0, "parameters"), None),
        (("blocks", 0, "entries", 0, "option"), ["skip()"]),
        (("blocks", 0, "entries", 0, "qualities"), {"kl": "x"}),
        (("blocks", 0, "name"), 7),
        (("blocks", 0, "input_shape"), [1, -8, 8]),
        (("blocks", 0, "output_shape"), "188"),
        (("blocks",), {"0": {}}),
        (("stem", "macs"), 0.5),
        (("head", "fragment"), 0),
        (("reference",), []),
        (("provenance",), {"licence": 1}),
        (("num_classes",), "ten"),
        (("input_shape",), [[1]]),
    ],
)
def test_a_manifest_with_values_of_other_types(
    place: tuple[str | int, ...], value: object, artifacts
) -> None:  # type: ignore[no-untyped-def]
    """It passes as JSON, and would fail wherever the first sum is made."""
    import json

    raw = json.loads(build_library((2, 2), artifacts).to_json())
    assert Library.from_json(json.dumps(raw)).num_options == (2, 2)
    here = raw
    for key in place[:-1]:
        here = here[key]
    here[place[-1]] = value
    with pytest.raises(InvalidArgument, match="is not a library manifest"):
        Library.from_json(json.dumps(raw))
