"""Every parser of text and files from strangers, alone: it reads, or refuses with one of our errors."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st

from donna import data
from donna.cli.config import read_endpoints
from donna.errors import DonnaError, InvalidArgument
from donna.graphs import Limits, check, stitch
from donna.jobs.store import _read_token as job_token
from donna.pipeline.spec import read_spec
from donna.space import Architecture, Library, Option
from donna.space.option import expand
from services.distiller.request import Request
from services.distiller.wire import page
from services.predictor.model import Model
from services.searcher.servicer import _read_token as row_token
from services.searcher.settings import parse_profilers
from tests.trust.generate import STRINGS
from tests.unit.graphs.fragments import branching, conv

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("DONNA_FUZZ", "20"))
SPEC = (Path(__file__).parents[2] / "examples/digits.yaml").read_text()
TEXT = st.sampled_from(STRINGS) | st.text(max_size=80) | st.text("0123456789-", max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def fuzzed(function: Callable[..., None]) -> Callable[..., None]:
    """Seeded and bounded."""
    bounded = settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    return seed(20261122)(bounded(function))


def reads_or_refuses(parse: Callable[[], Any]) -> Any:
    """What was read; None when it was refused. Any other exception is a defect."""
    try:
        return parse()
    except DonnaError as error:
        assert error.message
        return None


@fuzzed
@given(TEXT)
@example("0" * 400)
@example("1-" * 300)
def test_architectures(text: str) -> None:
    found = reads_or_refuses(lambda: Architecture.parse(text, [3, 4]))
    assert found is None or str(found) == text


@fuzzed
@given(TEXT | st.builds("{}({}={})".format, st.sampled_from(["skip", "a"]), TEXT, TEXT))
@example("a(b=" + "9" * 900 + ")")
@example("a(b=1e999)")
@example("a(b=nan)")
@example("a(b=0x10,b=1)")
def test_options(text: str) -> None:
    found = reads_or_refuses(lambda: Option.parse(text))
    assert found is None or str(found) == text


@fuzzed
@given(st.text(max_size=20), st.dictionaries(TEXT, JSON, max_size=3))
def test_option_grids(family: str, choices: dict[str, Any]) -> None:
    """A search space as a request has it, with lists of values of any kind."""
    space = {"blocks": [{"name": "stage1", "options": [family, *map(str, choices)]}], "recipe": choices}
    reads_or_refuses(lambda: Request.parse({"reference": {}, "dataset": {}, **space}))
    if all(isinstance(value, (bool, int, float, str, list)) for value in choices.values()):
        scalars = {
            name: [each for each in value if isinstance(each, (bool, int, float, str))]
            if isinstance(value, list)
            else value
            for name, value in choices.items()
        }
        reads_or_refuses(lambda: expand(family, scalars))


@fuzzed
@given(TEXT | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
@example(base64.urlsafe_b64encode(b"row " + b"9" * 5000).decode())
@example(base64.urlsafe_b64encode(b'[1e999, "a"]').decode())
@example("[" * 300)
def test_page_tokens(token: str) -> None:
    for read in (job_token, row_token, lambda text: page([], 1, text)):
        reads_or_refuses(lambda read=read: read(token))


@fuzzed
@given(JSON, st.sampled_from(sorted(yaml.safe_load(SPEC))), st.booleans())
def test_specs_of_any_values(value: Any, section: str, inside: bool) -> None:
    raw = yaml.safe_load(SPEC)
    if inside and isinstance(raw[section], dict):
        key = sorted(raw[section])[len(str(value)) % len(raw[section])]
        raw[section][key] = value
    else:
        raw[section] = value
    read_text(yaml.safe_dump(raw))


@fuzzed
@given(
    st.integers(0, len(SPEC)),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.integers(0, 40),
)
def test_specs_with_text_changed(at: int, added: str, removed: int) -> None:
    read_text(SPEC[:at] + added + SPEC[at + removed :])


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
        "[" * 5000,
        "{a: " * 5000,
        "!!python/object/apply:os.system [id]",
        "!!python/name:os.system",
        "? " * 2000,
        "name: !!binary x",
        "a: 1\na: 2\n<<: {b: 1}",
        "2026-13-45",
        "1:2:3:" + "9" * 500,
        "0x" + "f" * 5000,
        "9" * 5000,
        "\x00",
        "- " * 100,
    ],
)
def test_yaml_that_means_harm(text: str) -> None:
    assert read_text(text) is None


def read_text(text: str) -> Any:
    path = Path(os.environ["DONNA_FUZZ_SPEC"])
    path.write_text(text, newline="")
    return reads_or_refuses(lambda: read_spec(path))


@pytest.fixture(autouse=True)
def _spec_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DONNA_FUZZ_SPEC", str(tmp_path / "spec.yaml"))


@fuzzed
@given(JSON)
def test_descriptions_of_data(raw: Any) -> None:
    reads_or_refuses(lambda: data.load(raw))
    reads_or_refuses(lambda: data.load({"provider": "digits", "split": raw}))
    reads_or_refuses(lambda: data.load({"provider": "parquet", "arguments": raw}))
    reads_or_refuses(lambda: data.load({"provider": "digits", "augment": raw}))


@fuzzed
@given(
    st.binary(max_size=80) | JSON.map(lambda raw: repr(raw).encode()) | st.sampled_from([b"[" * 9000, b"{}"])
)
def test_manifests_and_models(raw: bytes) -> None:
    reads_or_refuses(lambda: Library.from_json(raw))
    reads_or_refuses(lambda: Model.from_json(raw))


def torn(valid: bytes) -> st.SearchStrategy[bytes]:
    """Bytes of a valid file with a few of them changed."""
    change = st.tuples(st.integers(0, len(valid) - 1), st.binary(max_size=4), st.integers(0, 6))

    def apply(changes: list[tuple[int, bytes, int]]) -> bytes:
        found = bytearray(valid)
        for at, added, removed in changes:
            found[at : at + removed] = added
        return bytes(found)

    return st.lists(change, min_size=1, max_size=4).map(apply)


ONNX = conv(3, 4, 8).SerializeToString()
BRANCHING = branching(4, 8).SerializeToString()
LIMITS = Limits(size_bytes=1 << 20, nodes=1000, elements=1 << 20)


@fuzzed
@given(torn(ONNX) | torn(BRANCHING) | st.binary(max_size=200))
def test_onnx(raw: bytes) -> None:
    model = reads_or_refuses(lambda: check(raw, limits=LIMITS))
    if model is not None:
        reads_or_refuses(lambda: stitch([model, model]))


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    from PIL import Image

    path = tmp_path_factory.mktemp("parquet") / "x.parquet"
    images = []
    for k in range(4):
        file = path.with_suffix(f".{k}.png")
        Image.fromarray(np.full((6, 6, 3), 40 * k, np.uint8)).save(file)
        images.append(file.read_bytes())
    pq.write_table(pa.table({"image": pa.array(images, pa.binary()), "label": [0, 1, 0, 1]}), path)
    return path.read_bytes()


def test_parquet(parquet: bytes, tmp_path: Path) -> None:
    split = {"training": 2, "quality": 0, "validation": 0, "test": 2}
    raw = {"provider": "parquet", "arguments": {"train": "x"}, "split": split}

    @fuzzed
    @given(torn(parquet) | st.binary(max_size=100))
    def attack(content: bytes) -> None:
        (tmp_path / "x.parquet").write_bytes(content)
        found = reads_or_refuses(lambda: data.load(raw, root=tmp_path))
        if found is not None:
            reads_or_refuses(lambda: list(found.split("training").batches(2)))

    (tmp_path / "x.parquet").write_bytes(parquet)
    assert len(data.load(raw, root=tmp_path).split("training")) == 2
    attack()


@fuzzed
@given(TEXT | st.builds("{}={}".format, TEXT, TEXT))
def test_addresses(text: str) -> None:
    reads_or_refuses(lambda: read_endpoints([text]))
    try:
        parse_profilers(text)
    except ValueError:
        pass


def test_a_fuzzed_parser_can_fail() -> None:
    """The net catches what is no error of ours."""
    with pytest.raises(ZeroDivisionError):
        reads_or_refuses(lambda: 1 // 0)
    assert reads_or_refuses(lambda: Option.parse("no")) is None
    with pytest.raises(InvalidArgument):
        Option.parse("no")
