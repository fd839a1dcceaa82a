"""Files that are whole, and there after a loss of power."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_PROBE = bytes(4096)


def place(written: Path, final: Path) -> None:
    """Gives a file that is synced its name. The name outlives a loss of power only when the folder is synced too."""
    written.replace(final)
    sync_folder(final.parent)


def sync_folder(folder: Path) -> None:
    """The names in it are on the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def write(path: Path, data: bytes, *, sync: bool = True) -> None:
    """The file with these bytes: the former one, or the new one, and never half of it. Without `sync` a loss of power
    may take it: for what can be made again."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    if not sync:
        beside.write_bytes(data)
        beside.replace(path)
        return
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    place(beside, path)


def probe(folder: Path) -> None:
    """Writes something that nobody sees. Raises OSError when the folder is gone, read-only, or its disk full."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(_PROBE)
        file.flush()
        os.fsync(file.fileno())
