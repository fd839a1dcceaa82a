"""The log of a service: one record a line on standard error, for people or as JSON; both name the job in hand."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from donna.jobs.current import current_task


class TextLines(logging.Formatter):
    """`2026-11-22 10:30:24,123 INFO donna.jobs [searches/1f2e 0] the message`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(task)s%(message)s")

    def format(self, record: logging.LogRecord) -> str:
        task = current_task()
        record.task = f"[{task.job} {task.index}] " if task else ""
        return super().format(record)


class JsonLines(logging.Formatter):
    """An object with time, level, logger and message; job, task and exception where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (task := current_task()) is not None:
            entry |= {"job": task.job, "task": task.index}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def start_logging(level: str, form: str = "text") -> None:
    """Logs to standard error from `level` on, in `form` ("text" or "json")."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
