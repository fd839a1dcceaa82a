"""Random libraries, options and architectures."""

from typing import Any

from hypothesis import strategies as st

from donna.space import Block, Entry, Library, Option, Part

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True)
WORDS = st.from_regex(r"[A-Za-z][A-Za-z0-9_.\-]{0,12}", fullmatch=True).filter(
    lambda word: word.lower() not in ("true", "false", "nan", "inf", "infinity")
)
SCALARS = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS
OPTIONS = st.builds(Option.of, NAMES, st.dictionaries(NAMES, SCALARS, max_size=4))
COSTS = st.integers(0, 2**40)
HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.dictionaries(
    st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none() | FLOATS, max_size=3
)
SHAPES = st.tuples(*[st.integers(1, 512)] * 3)


def _costs() -> dict[str, Any]:
    return dict.fromkeys(("parameters", "macs", "weight_bytes", "activation_bytes"), COSTS) | {
        "weights": HASHES,
        "fragment": HASHES,
    }


ENTRIES = st.builds(
    Entry,
    option=OPTIONS.map(str),
    key=HASHES,
    quality=FLOATS,
    qualities=st.dictionaries(st.sampled_from(["kl", "mse"]), FLOATS),
    curve=st.lists(st.tuples(st.integers(1, 10**9), FLOATS), max_size=3).map(tuple),
    **_costs(),
)
BLOCKS = st.builds(
    Block,
    name=st.text(min_size=1, max_size=8),
    input_shape=SHAPES,
    output_shape=SHAPES,
    entries=st.lists(ENTRIES, min_size=1, max_size=4).map(tuple),
)
PARTS = st.builds(Part, **_costs())
LIBRARIES = st.builds(
    Library,
    reference=JSON,
    dataset=JSON,
    recipe=JSON,
    provenance=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
    input_shape=SHAPES,
    num_classes=st.integers(1, 1000),
    stem=PARTS,
    blocks=st.lists(BLOCKS, min_size=1, max_size=4).map(tuple),
    head=PARTS,
)
