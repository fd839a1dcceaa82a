"""Every record names the job in hand, in both forms."""

import json
import logging
from collections.abc import Iterator

import pytest

from donna.jobs import Task, TaskState
from donna.jobs.current import working_on
from donna.telemetry.logs import start_logging

TASK = Task(
    job="searches/1f2e",
    index=3,
    key="",
    spec={},
    label="",
    units=1.0,
    state=TaskState.RUNNING,
    attempt=1,
    fence=1,
    reused=False,
    result=None,
    error=None,
)
log = logging.getLogger("donna.test")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_has_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("INFO", "json")
    log.info("before, at %d %%", 50)
    with working_on(TASK):
        try:
            raise ValueError("two\nlines")
        except ValueError:
            log.exception("inside")
    log.debug("not told")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["message"], first["level"], first["logger"]) == ("before, at 50 %", "INFO", "donna.test")
    assert "job" not in first
    assert (second["job"], second["task"]) == ("searches/1f2e", 3)
    assert "ValueError: two\nlines" in second["exception"]


def test_text_names_the_task(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("INFO")
    with working_on(TASK):
        log.info("inside")
    log.info("after")
    inside, after = capsys.readouterr().err.splitlines()
    assert inside.endswith("INFO donna.test [searches/1f2e 3] inside")
    assert after.endswith("INFO donna.test after")
