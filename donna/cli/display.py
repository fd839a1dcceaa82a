"""Progress in the terminal: a bar with an estimate for every phase; plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from donna.cli.output import open_console
from donna.pipeline.display import Bar
from donna.pipeline.duration import duration


class _Left(ProgressColumn):
    """The service's own estimate of the time left."""

    def render(self, task: Task) -> Text:
        eta_s = task.fields.get("eta_s")
        if task.finished or eta_s is None:
            return Text("")
        return Text(f"{duration(eta_s)} left", style="cyan")


class Terminal:
    """Draws phases as bars. Without a terminal it prints a line when a phase starts, ends, and every ten seconds;
    when it is to be `quiet`, nothing at all."""

    def __init__(self, console: Console | None = None, quiet: bool = False) -> None:
        self.console = console or open_console()
        self.console.quiet = quiet
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description}", justify="left"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            _Left(),
            TextColumn("[dim]{task.fields[message]}"),
            console=self.console,
        )

    def __enter__(self) -> Terminal:
        if self.console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:
            self._progress.stop()

    @contextmanager
    def phase(self, title: str) -> Iterator[Bar]:
        if self.console.is_terminal:
            task = self._progress.add_task(escape(title), total=None, message="", eta_s=None)
            yield _TerminalBar(self._progress, task)
            self._progress.update(task, total=1, completed=1, message="", eta_s=None)
        else:
            started = time.monotonic()
            self._print(f"{title} …")
            yield _Lines(self._print, title)
            self._print(f"{title}: done in {time.monotonic() - started:.1f} s")

    def say(self, sentence: str) -> None:
        self._print(f"  {sentence}")

    def _print(self, line: str) -> None:
        self.console.print(line)


class _TerminalBar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def update(self, done: float, total: float, message: str, eta_s: float | None) -> None:
        told = escape(message[:40])
        self._progress.update(self._task, completed=done, total=total or None, message=told, eta_s=eta_s)


class _Lines:
    EVERY_S = 10.0

    def __init__(self, write: Callable[[str], None], title: str) -> None:
        self._print = write
        self._title = title
        self._printed_at = time.monotonic()

    def update(self, done: float, total: float, message: str, eta_s: float | None) -> None:
        if time.monotonic() - self._printed_at < self.EVERY_S:
            return
        self._printed_at = time.monotonic()
        share = f" {100 * done / total:.0f} %" if total else ""
        left = f", {duration(eta_s)} left" if eta_s is not None else ""
        self._print(f"{self._title}:{share}{left} {message}".rstrip())
