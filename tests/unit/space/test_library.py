"""The manifest: its canonical bytes, and its arrays against plain loops."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from donna.errors import InvalidArgument
from donna.space import Architecture, Entry, Library, Option
from tests.unit.space.libraries import LIBRARIES


@st.composite
def libraries_and_choices(draw: st.DrawFn) -> tuple[Library, np.ndarray]:
    library = draw(LIBRARIES)
    row = st.tuples(*[st.integers(0, count - 1) for count in library.num_options])
    rows = draw(st.lists(row, max_size=5))
    return library, np.array(rows, dtype=np.int64).reshape(len(rows), len(library.blocks))


@given(LIBRARIES)
@settings(max_examples=25, deadline=None)
def test_a_library_comes_back_from_its_bytes(library: Library) -> None:
    again = Library.from_json(library.to_json())
    assert again == library
    assert again.to_json() == library.to_json()
    assert (again.digest, again.lineage) == (library.digest, library.lineage)
    # The order of keys in the file, and white space, are nothing.
    loose = json.dumps(json.loads(library.to_json()), indent=1)
    assert Library.from_json(loose).digest == library.digest


@given(libraries_and_choices())
@settings(max_examples=30, deadline=None)
def test_the_arrays_are_what_a_loop_says(drawn: tuple[Library, np.ndarray]) -> None:
    library, X = drawn
    rows = [library.entries(Architecture(choices=tuple(map(int, row)))) for row in X]

    def table(value) -> np.ndarray:
        return np.array([[value(entry) for entry in row] for row in rows]).reshape(X.shape)

    np.testing.assert_array_equal(library.qualities(X), table(lambda entry: entry.quality))
    np.testing.assert_array_equal(
        library.qualities(X, "kl"), table(lambda entry: entry.qualities.get("kl", math.nan))
    )
    for cost in ("parameters", "macs", "weight_bytes"):
        ends = getattr(library.stem, cost) + getattr(library.head, cost)
        sums = [ends + sum(getattr(entry, cost) for entry in row) for row in rows]
        np.testing.assert_array_equal(library.costs(X, cost), np.array(sums, dtype=float))
    peaks = [max(part.activation_bytes for part in (library.stem, *row, library.head)) for row in rows]
    np.testing.assert_array_equal(library.costs(X, "activation_bytes"), np.array(peaks, dtype=float))
    assert library.num_architectures == math.prod(len(block.entries) for block in library.blocks)
    for row, choices in zip(rows, X, strict=True):
        architecture = Architecture(choices=tuple(map(int, choices)))
        fragments = [library.stem.fragment, *(entry.fragment for entry in row), library.head.fragment]
        assert library.fragments(architecture) == tuple(fragments)
        assert library.options(architecture) == tuple(Option.parse(entry.option) for entry in row)


@given(LIBRARIES)
@settings(max_examples=10, deadline=None)
def test_the_digest_knows_every_entry_and_the_lineage_none(library: Library) -> None:
    first = library.blocks[0]
    better = dataclasses.replace(first.entries[0], quality=first.entries[0].quality + 1.0, key="0" * 64)
    block = dataclasses.replace(first, entries=(better, *first.entries[1:]))
    changed = dataclasses.replace(library, blocks=(block, *library.blocks[1:]))
    assert changed.digest != library.digest
    assert changed.lineage == library.lineage
    other = dataclasses.replace(library, recipe={**library.recipe, "another": 1})
    assert other.lineage != library.lineage


def _library() -> Library:
    entry = {
        "key": "k", "quality": 0.5, "parameters": 1, "macs": 1, "weight_bytes": 1, "activation_bytes": 1,
        "weights": "w", "fragment": "f",
    }  # fmt: skip
    part = {key: entry[key] for key in entry if key not in ("key", "quality")}
    block = {
        "name": "b",
        "input_shape": [1, 2, 3],
        "output_shape": [1, 2, 3],
        "entries": [{**entry, "option": "skip()"}, {**entry, "option": "skip(a=1)"}],
    }
    manifest = {
        "format": "donna.library/1", "reference": {}, "dataset": {}, "recipe": {}, "provenance": {},
        "input_shape": [1, 2, 3], "num_classes": 2, "stem": part, "head": part, "blocks": [block, block],
    }  # fmt: skip
    return Library.from_json(json.dumps(manifest))


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((2, 3), dtype=int),
        np.zeros(2, dtype=int),
        np.zeros((2, 2)),
        np.zeros((2, 2), dtype=bool),
        np.array([[0, 0], [0, 2]]),
        np.array([[0, -1]]),
        np.array([[255, 0]], dtype=np.uint8),
    ],
)
def test_choices_that_are_none_of_the_space_are_refused(X: np.ndarray) -> None:
    with pytest.raises(InvalidArgument, match="choices: "):
        _library().qualities(X)


def test_the_refusal_names_the_row() -> None:
    with pytest.raises(InvalidArgument, match=r"row 1 \(\[0, 2\]\) is not in the space \(2, 2\)"):
        _library().costs(np.array([[0, 0], [0, 2]]), "macs")


def test_choices_may_be_as_narrow_as_they_came() -> None:
    library = _library()
    for kind in (np.uint8, np.uint16, np.uint32, np.int32):
        assert library.costs(np.array([[0, 1]], dtype=kind), "macs").tolist() == [4.0]


def test_a_space_may_be_larger_than_64_bits() -> None:
    library = _library()
    assert dataclasses.replace(library, blocks=library.blocks[:1] * 100).num_architectures == 2**100


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"null", b"3", b"{}", b'"x"', b"\xff", b'{"format": "donna.library/1"}',
        b'{"format": "donna.library/2"}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_bytes_that_are_no_manifest_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidArgument, match="library: "):
        Library.from_json(data)


@pytest.mark.parametrize("fields", [["unheard"], ["blocks", 0, "entries", 0, "unheard"], ["stem", "unheard"]])
def test_a_manifest_with_what_nobody_knows_is_refused(fields: list) -> None:
    raw = json.loads(_library().to_json())
    inside = raw
    for field in fields[:-1]:
        inside = inside[field]
    inside[fields[-1]] = 1
    with pytest.raises(InvalidArgument, match="is not a library manifest"):
        Library.from_json(json.dumps(raw))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_a_quality_that_is_no_number_is_refused(number: str) -> None:
    text = _library().to_json().decode().replace('"quality":0.5', f'"quality":{number}')
    with pytest.raises(InvalidArgument, match="library: "):
        Library.from_json(text)


def test_a_library_without_blocks_has_nothing_to_choose() -> None:
    raw = json.loads(_library().to_json())
    for wrong in ({"blocks": []}, {"blocks": [{**raw["blocks"][0], "entries": []}]}):
        with pytest.raises(InvalidArgument, match="library: "):
            Library.from_json(json.dumps({**raw, **wrong}))


def test_an_entry_is_what_it_was() -> None:
    entry = _library().blocks[0].entries[1]
    assert isinstance(entry, Entry)
    assert (entry.option, entry.qualities) == ("skip(a=1)", {})
