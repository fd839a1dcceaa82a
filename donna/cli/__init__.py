"""The `donna` command. Exit codes: 0 done, 2 wrong input, 3 a job failed, 130 interrupted."""

from __future__ import annotations

import errno
import signal
import sys

from donna.errors import (
    DonnaError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unauthenticated,
)

WRONG = (InvalidArgument, FailedPrecondition, NotFound, Unauthenticated, PermissionDenied)
MISPLACED = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EROFS, errno.EEXIST)
DONE, WRONG_INPUT, JOB_FAILED, INTERRUPTED = 0, 2, 3, 130


def main() -> None:
    """Runs the command; whatever goes wrong is one sentence on standard error."""
    import typer

    from donna.cli.app import build

    # A terminated command stops its services like an interrupted one.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        code = build()(standalone_mode=False)
        if code == INTERRUPTED:  # typer has caught the interrupt itself
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else DONE)
    except DonnaError as error:
        _end(error.message, exit_code(error))
    except (KeyboardInterrupt, typer.Abort):
        _end("interrupted; the same command goes on from here", INTERRUPTED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _end(f"{where}{error.strerror or error}", WRONG_INPUT if error.errno in MISPLACED else JOB_FAILED)
    except Exception as error:
        # typer's usage errors; their class is not public in every release
        if hasattr(error, "format_message"):
            _end(error.format_message(), WRONG_INPUT)
        raise


def exit_code(error: DonnaError) -> int:
    """2 when the input is to be changed, which a token is part of; 3 when the work failed."""
    return WRONG_INPUT if isinstance(error, WRONG) else JOB_FAILED


def _end(sentence: str, code: int) -> None:
    sys.stderr.write(f"donna: {sentence}\n")
    sys.exit(code)
