"""What went wrong, as a number: 2 change the input, 3 the work failed."""

from __future__ import annotations

import pytest

from donna import errors
from donna.cli import exit_code
from donna.client import JobFailed


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidArgument("x"), 2),
        (errors.FailedPrecondition("x"), 2),
        (errors.NotFound("x"), 2),
        (JobFailed("x"), 3),
        (errors.Unavailable("x"), 3),
        (errors.Internal("x"), 3),
    ],
)
def test_exit_codes(error: errors.DonnaError, code: int) -> None:
    assert exit_code(error) == code
