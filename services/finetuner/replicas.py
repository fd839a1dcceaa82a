"""Starts a group of processes for one network with torchrun, follows them, and brings the weights back."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from donna import errors
from donna.errors import Unavailable
from donna.jobs import lifeline
from services.finetuner.train import Diverged

POLL_S = 0.1


def train_in_group(
    task: dict[str, Any],
    processes: int,
    *,
    resume: bytes | None,
    on_step: Callable[[int, int], None],
    on_checkpoint: Callable[[bytes], None],
    prefix: Sequence[str] = ("-m", "torch.distributed.run"),
) -> bytes:
    """The trained weights (safetensors) of the one network of `task`, trained by so many processes.

    `on_step` is called while they work and may raise to stop them; `on_checkpoint` gets every checkpoint.
    Raises what a process has raised: Diverged, MemoryError when it has not enough of it, Unavailable when the artifact
    store is away; and Unavailable when one dies without a word.
    """
    folder = Path(tempfile.mkdtemp(prefix="donna-replicas-"))
    (folder / "task.json").write_text(json.dumps(task))
    saved = folder / "checkpoint.safetensors"
    if resume is not None:
        saved.write_bytes(resume)
    arguments = ["--standalone", "--nproc-per-node", str(processes), "-m", "services.finetuner.replica"]
    child = lifeline.spawn([*prefix, *arguments, str(folder)])
    try:
        _follow(child, folder, on_step, on_checkpoint)
    finally:
        lifeline.stop(child)
        error, weights = folder / "error.json", folder / "weights.safetensors"
        failed = json.loads(error.read_text()) if error.exists() else None
        trained = weights.read_bytes() if weights.exists() else None
        shutil.rmtree(folder, ignore_errors=True)
    if failed is not None:
        raise _error(**failed)
    if trained is None:
        raise Unavailable(f"one of the {processes} processes ended with code {child.returncode}")
    return trained


def _error(kind: str, message: str, **named: Any) -> Exception:
    """What a process said it has raised, once more."""
    if kind == MemoryError.__name__:
        return MemoryError(message)
    made = Diverged if kind == Diverged.__name__ else getattr(errors, kind, errors.DonnaError)
    return made(message, **named)


def _follow(
    child: subprocess.Popen[bytes],
    folder: Path,
    on_step: Callable[[int, int], None],
    on_checkpoint: Callable[[bytes], None],
) -> None:
    progress, saved = folder / "progress.json", folder / "checkpoint.safetensors"
    seen = saved.stat().st_mtime_ns if saved.exists() else 0
    while child.poll() is None:
        time.sleep(POLL_S)
        if progress.exists():
            on_step(*json.loads(progress.read_text()))
        if saved.exists() and saved.stat().st_mtime_ns != seen:
            seen = saved.stat().st_mtime_ns
            on_checkpoint(saved.read_bytes())
