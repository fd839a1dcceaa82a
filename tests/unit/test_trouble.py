"""An outage is a line in the log, not a line each second."""

import logging

import pytest
from sqlalchemy.exc import OperationalError

from donna.trouble import Trouble


def test_the_same_trouble_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    trouble = Trouble(logging.getLogger("donna.test"), "the store does not answer")
    for at in range(5):
        trouble.seen(OperationalError("select :at", {"at": at}, ConnectionRefusedError("refused")))
    trouble.seen(OperationalError("select 1", {}, TimeoutError("too slow")))
    trouble.over()
    trouble.over()
    trouble.seen(OperationalError("select 1", {}, TimeoutError("too slow")))
    assert [(record.message, record.exc_info is not None) for record in caplog.records] == [
        ("the store does not answer", True),
        ("the store does not answer", True),
        ("over: the store does not answer", False),
        ("the store does not answer", True),
    ]
