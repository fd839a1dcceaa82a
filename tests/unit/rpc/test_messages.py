"""Messages that every service speaks, there and back."""

import math
from typing import Any

import numpy as np
import pytest
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from donna.artifacts import Artifact
from donna.errors import InvalidArgument
from donna.jobs import Job, JobError, JobState, Progress
from donna.rpc import messages
from donna.space import Architecture
from donna.v1 import common_pb2 as pb

SHA256 = "0123456789abcdef" * 4


@given(
    st.sampled_from([255, 256, 65_535, 65_536, 2**32 - 1]).flatmap(
        lambda largest: hnp.arrays(
            np.int64,
            hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=8),
            elements=st.integers(0, largest),
        )
    )
)
def test_architectures_come_back_from_packing(X: np.ndarray) -> None:
    message = pb.ArchitectureMatrix.FromString(messages.pack_architectures(X).SerializeToString())
    largest = int(X.max(initial=0))
    assert message.bytes_per_choice == (1 if largest < 256 else 2 if largest < 65_536 else 4)
    assert len(message.choices) == X.size * message.bytes_per_choice
    back = messages.unpack_architectures(message)
    assert back.shape == X.shape
    assert (back == X).all()
    # Byte by byte, without numpy: little-endian, row after row.
    width = message.bytes_per_choice
    values = [
        int.from_bytes(message.choices[at : at + width], "little")
        for at in range(0, len(message.choices), width)
    ]
    assert values == X.ravel().tolist()


@pytest.mark.parametrize("value", [-1, 2**32])
def test_choices_that_do_not_fit_are_not_packed(value: int) -> None:
    with pytest.raises(InvalidArgument):
        messages.pack_architectures(np.array([[0, value]]))


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        (
            {"num_architectures": 1, "num_blocks": 2, "choices": b"ab", "bytes_per_choice": 3},
            "bytes_per_choice",
        ),
        ({"num_architectures": 1, "num_blocks": 2, "choices": b"ab"}, "bytes_per_choice"),
        ({"num_architectures": 1, "num_blocks": 2, "choices": b"a", "bytes_per_choice": 1}, "choices"),
        ({"num_architectures": 1, "num_blocks": 2, "choices": b"abc", "bytes_per_choice": 1}, "choices"),
        (
            {"num_architectures": 2**32 - 1, "num_blocks": 2**32 - 1, "choices": b"", "bytes_per_choice": 4},
            "choices",
        ),
    ],
)
def test_packed_architectures_whose_sizes_disagree(fields: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        messages.unpack_architectures(pb.ArchitectureMatrix(**fields), "space.rows")
    assert [violation.field for violation in caught.value.violations] == [f"space.rows.{wrong}"]


def test_an_architecture_of_a_request_is_checked_against_the_space() -> None:
    message = messages.architecture_message(Architecture(choices=(3, 0)))
    assert messages.architecture_message(np.array([3, 0])) == message
    assert messages.read_architecture(message, (4, 1)) == Architecture(choices=(3, 0))
    with pytest.raises(InvalidArgument, match=r"finalists\[2\]: choice 3 of block 0 is not in 0\.\.2"):
        messages.read_architecture(message, (3, 1), "finalists[2]")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.text(max_size=8)
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_json_values_come_back_from_a_structure(values: dict[str, Any]) -> None:
    message = struct_pb2.Struct.FromString(messages.dict_to_struct(values).SerializeToString())
    assert messages.struct_to_dict(message) == values


def test_whole_numbers_come_back_as_integers_if_they_are_exact() -> None:
    message = messages.dict_to_struct({"depth": 2, "list": [1.0, 0.5], "huge": 1e300})
    back = messages.struct_to_dict(message)
    assert [type(value) for value in (back["depth"], *back["list"], back["huge"])] == [int, int, float, float]


def test_a_number_that_no_double_holds_is_named() -> None:
    with pytest.raises(InvalidArgument, match=r"^dataset\.arguments: "):
        messages.dict_to_struct({"size": 10**400}, "dataset.arguments")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_lacks_names_its_field(number: float) -> None:
    message = messages.dict_to_struct({"sizes": [1, {"width": number}]})
    with pytest.raises(InvalidArgument) as caught:
        messages.struct_to_dict(message, "spec.reference.arguments")
    assert [v.field for v in caught.value.violations] == ["spec.reference.arguments.sizes[1].width"]


@pytest.mark.parametrize("normalise", [None, {"mean": [0.5, 0.25], "std": [1.0, 0.125]}])
def test_a_dataset_comes_back(normalise: dict[str, Any] | None) -> None:
    described: dict[str, Any] = {
        "provider": "parquet",
        "arguments": {"train": "a"},
        "split": {"training": 5, "quality": 4, "validation": 3, "test": 2, "seed": 1},
        "augment": [{"name": "random_crop", "arguments": {"padding": 2}}],
    }
    described |= {"normalise": normalise} if normalise else {}
    assert messages.dataset_to_dict(messages.dataset_message(described)) == described


def _job(**fields: Any) -> Job:
    values: dict[str, Any] = {
        "name": "searches/1", "kind": "searches", "spec": {}, "request_id": "", "state": JobState.RUNNING,
        "progress": Progress(), "cost": {}, "error": None, "waiting_for": "", "result": None,
        "created_at": 1_700_000_000.25, "started_at": None, "ended_at": None, "revision": 3,
    }  # fmt: skip
    return Job(**(values | fields))


@pytest.mark.parametrize("state", list(JobState))
def test_the_states_of_the_contract_are_the_states_of_the_engine(state: JobState) -> None:
    assert pb.JobState.Name(messages.job_message(_job(state=state)).state) == f"JOB_STATE_{state}"
    assert {name.removeprefix("JOB_STATE_") for name in pb.JobState.keys()} == {*JobState, "UNSPECIFIED"}


def test_a_whole_job_on_the_wire() -> None:
    message = messages.job_message(
        _job(
            progress=Progress(done=1.5, total=4.0, message="half", eta_s=90.5),
            cost={"measurements": 3.0000001, "device_s": 0.5},
            error=JobError(reason="NO", message="no", metadata={"a": "b"}),
            waiting_for="a device",
            started_at=1_700_000_001.0,
            ended_at=1_700_000_002.5,
        )
    )
    assert (message.progress.done, message.progress.total, message.progress.message) == (1.5, 4.0, "half")
    assert message.progress.eta.ToMilliseconds() == 90_500
    assert (message.cost.measurements, message.cost.device_s) == (3, 0.5)
    assert (message.error.reason, dict(message.error.metadata)) == ("NO", {"a": "b"})
    assert message.create_time.ToMilliseconds() == 1_700_000_000_250
    assert message.end_time.ToMilliseconds() - message.start_time.ToMilliseconds() == 1500
    assert (message.revision, message.waiting_for) == (3, "a device")


def test_what_has_not_happened_is_not_set() -> None:
    message = messages.job_message(_job())
    assert not any(message.HasField(name) for name in ("start_time", "end_time", "error"))
    assert not message.progress.HasField("eta")


def test_names_and_request_ids() -> None:
    assert messages.check_name("searches/12ab", "searches") == "searches/12ab"
    for name in (
        "",
        "searches",
        "searches/",
        "predictors/1",
        "searches/a/b",
        "searches/../x",
        "searches/" + "a" * 65,
    ):
        with pytest.raises(InvalidArgument, match=r"name: must read like searches/\{id\}"):
            messages.check_name(name, "searches")
    assert messages.check_request_id("r" * 128) == "r" * 128
    with pytest.raises(InvalidArgument, match="got 129"):
        messages.check_request_id("r" * 129)


def test_artifacts_and_references() -> None:
    message = messages.artifact_message(Artifact(sha256=SHA256, size_bytes=5))
    assert messages.read_artifact(message, "weights") == SHA256
    message.uri = "file:///etc/passwd"
    with pytest.raises(InvalidArgument, match=r"weights\.uri"):
        messages.read_artifact(message, "weights")
    reference = pb.Reference(provider="small_cnn", provenance={"licence": "MIT"})
    reference.arguments.update({"width": 8})
    described = messages.reference_to_dict(reference)
    assert described == {
        "provider": "small_cnn", "arguments": {"width": 8}, "weights": None, "provenance": {"licence": "MIT"},
    }  # fmt: skip
    reference.weights.sha256 = SHA256
    assert messages.reference_to_dict(reference)["weights"] == SHA256
