"""What is tried again every second and fails for an hour is one line in the log, not 3,600 tracebacks."""

from __future__ import annotations

import logging


class Trouble:
    """Says that something is wrong once, with its traceback; again only when it is something else; and when it is
    over. For one thread."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log, self._what, self._said = log, what, ""

    def seen(self, error: BaseException) -> None:
        """It failed again."""
        cause = (
            getattr(error, "orig", None) or error
        )  # of an error of the database: without the statement's values
        if (said := f"{type(error).__name__}: {cause}") != self._said:
            self._said = said
            self._log.warning("%s", self._what, exc_info=error)

    def over(self) -> None:
        """It did not."""
        if self._said:
            self._said = ""
            self._log.info("over: %s", self._what)
