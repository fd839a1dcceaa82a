"""Messages that nobody should send: anything that a descriptor allows, and valid requests with a few fields changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

DEEPEST = 4
STRINGS = (
    *("", " ", "\x00", "a\x00b", "\n", "'; drop table jobs; --", "%s%n", "{0}", "${HOME}", "9" * 5000),
    *(
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        "file:///etc/passwd",
        "s3://bucket/key",
        "C:\\x",
        "\\\\host\\x",
    ),
    *(
        "\u202e",
        "\U0001f600" * 50,
        "²",
        "٣",
        "é",
        "x" * 20_000,
        "0" * 64,
        "a" * 63,
        "G" * 64,
        "-1",
        "1e9",
        "NaN",
    ),
    *(
        "os.system",
        "__class__",
        "torch.load",
        "pickle",
        "skip()",
        "reference()",
        "skip(a=1)",
        "skip((",
        "a=b",
    ),
    *(
        "blockLibraries/0",
        "predictors/",
        "searches/x/y",
        "devices/local",
        "local",
        "small_cnn",
        "torchvision",
    ),
    *(
        "digits",
        "parquet",
        "image_folder",
        "random_crop",
        "CPUExecutionProvider",
        "artifact:sha256/" + "0" * 64,
    ),
    *(
        "W10=",
        "cm93IDE=",
        "cm93IC0x",
        "WzEuMCwgIngiXQ==",
        "W05hTiwgIngiXQ==",
        "WzFlOTk5LCAieCJd",
        "====",
        "2",
        "10",
    ),
)
INTEGERS = (
    0,
    1,
    -1,
    2,
    3,
    8,
    64,
    1000,
    10_001,
    65_536,
    2**31 - 1,
    -(2**31),
    2**32 - 1,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
)
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-300, 1e300, 3.4e38, float("inf"), float("-inf"), float("nan"))
_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def repeated(field: FieldDescriptor) -> bool:
    """Whether a field is a list or a map."""
    return field.label == FieldDescriptor.LABEL_REPEATED


def scalar(draw: Any, field: FieldDescriptor, known: Sequence[str]) -> Any:
    """A value of a field that is no message, of its type but otherwise hostile."""
    kind = field.cpp_type
    if kind in _RANGES:
        low, high = _RANGES[kind]
        return draw(st.sampled_from([v for v in INTEGERS if low <= v <= high]) | st.integers(low, high))
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return draw(st.booleans())
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return draw(st.sampled_from([*(v.number for v in field.enum_type.values), 99, -1]))
    if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        width = 64 if kind == FieldDescriptor.CPPTYPE_DOUBLE else 32
        return draw(st.sampled_from(FLOATS) | st.floats(width=width))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return draw(st.binary(max_size=64) | st.sampled_from([b"\xff" * 5000, b"\x00"]))
    return draw(
        st.sampled_from([*STRINGS, *known]) | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    )


def fill(draw: Any, message: Message, field: FieldDescriptor, known: Sequence[str], depth: int) -> None:
    """Sets one field of a message to something."""
    if _is_map(field):
        entry = field.message_type.fields_by_name
        for _ in range(draw(st.integers(0, 3))):
            key = scalar(draw, entry["key"], known)
            if entry["value"].message_type is not None:
                _set(draw, getattr(message, field.name)[key], known, depth - 1)
            else:
                getattr(message, field.name)[key] = scalar(draw, entry["value"], known)
    elif repeated(field) and field.message_type is not None:
        for _ in range(draw(st.integers(0, 3))):
            _set(draw, getattr(message, field.name).add(), known, depth - 1)
    elif repeated(field):
        values = [scalar(draw, field, known) for _ in range(draw(st.integers(0, 4)))]
        getattr(message, field.name).extend(values)
    elif field.message_type is not None:
        getattr(message, field.name).SetInParent()
        _set(draw, getattr(message, field.name), known, depth - 1)
    else:
        setattr(message, field.name, scalar(draw, field, known))


def _set(draw: Any, message: Message, known: Sequence[str], depth: int) -> None:
    for field in message.DESCRIPTOR.fields:
        if depth > 0 and draw(st.booleans()):
            fill(draw, message, field, known, depth)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


@st.composite
def anything(draw: Any, kind: type[Message], known: Sequence[str]) -> Message:
    """A message of a kind, every field set or not, to anything."""
    message = kind()
    _set(draw, message, known, DEEPEST)
    return message


@st.composite
def changed(draw: Any, base: Message, known: Sequence[str]) -> Message:
    """A copy of a valid message with one to three of its fields, however deep, cleared or set to something."""
    message = type(base)()
    message.CopyFrom(base)
    for _ in range(draw(st.integers(1, 3))):
        here = message
        while inner := _inner(here):
            if not draw(st.booleans()):
                break
            here = draw(st.sampled_from(inner))
        if fields := here.DESCRIPTOR.fields:
            field = draw(st.sampled_from(list(fields)))
            if draw(st.booleans()):
                here.ClearField(field.name)
            if draw(st.integers(0, 3)):
                fill(draw, here, field, known, 3)
    return message


def _inner(message: Message) -> list[Message]:
    """The messages right inside this one."""
    found: list[Message] = []
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if _is_map(field):
            if field.message_type.fields_by_name["value"].message_type is not None:
                found += value.values()
        elif repeated(field):
            found += value
        else:
            found.append(value)
    return found


@st.composite
def torn(draw: Any, base: Message) -> bytes:
    """The bytes of a message with some of them changed, cut off or added."""
    data = bytearray(base.SerializeToString())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["cut", "flip", "add"])):
            case "cut":
                del data[at:]
            case "flip" if at < len(data):
                data[at] ^= draw(st.integers(1, 255))
            case _:
                data[at:at] = draw(st.binary(min_size=1, max_size=8))
    return bytes(data)
