"""Named arrays and a JSON header as bytes: npz, never a pickle."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from donna.errors import DataLoss


def pack(header: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Bytes of header and arrays; equal contents have equal bytes."""
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8)
    np.savez(buffer, allow_pickle=False, header=text, **dict(arrays))  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack(data: bytes, names: Sequence[str], what: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The inverse of `pack`, bit by bit. Raises DataLoss, naming `what`, for anything else."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            header = json.loads(stored["header"].tobytes())
            return header, {name: stored[name] for name in names}
    except (KeyError, TypeError, ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise DataLoss(f"{what} cannot be read ({type(error).__name__})") from error
