"""The state machine and the estimate of what is left."""

import itertools

import pytest

from donna.errors import FailedPrecondition
from donna.jobs.record import TRANSITIONS, JobState, check_transition, time_left_s

ENDED = {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(JobState, JobState)))
def test_every_pair_of_states(old: JobState, new: JobState) -> None:
    allowed = old is new or (old not in ENDED and new is not JobState.QUEUED)
    if allowed:
        check_transition("squares/1", old, new)
    else:
        with pytest.raises(FailedPrecondition, match=rf"squares/1 is {old} and cannot become {new}"):
            check_transition("squares/1", old, new)


def test_ended_is_what_nothing_follows() -> None:
    assert {state for state in JobState if state.ended} == ENDED
    assert set(TRANSITIONS) == set(JobState)


@pytest.mark.parametrize(
    ("elapsed_s", "moved", "left", "expected"),
    [
        (10.0, 2.0, 6.0, 30.0),
        (10.0, 2.0, 0.0, 0.0),
        (10.0, 0.0, 6.0, None),  # no pace yet
        (10.0, -1.0, 6.0, None),  # a lost worker's part is to be done again
        (-5.0, 1.0, 6.0, None),  # the clock was set back
        (10.0, 1e-300, 6.0, None),  # no sentence for a person
    ],
)
def test_time_left(elapsed_s: float, moved: float, left: float, expected: float | None) -> None:
    assert time_left_s(elapsed_s, moved, left) == expected
