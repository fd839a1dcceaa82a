"""Arrays as JSON values: dtype, shape and the bytes in base64. Never a pickle, and bit for bit the same."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from donna.errors import DataLoss


def encode(array: np.ndarray) -> dict[str, Any]:
    """An array of numbers or truth values as JSON values; equal arrays give equal values."""
    plain = np.ascontiguousarray(array)
    little = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    return {
        "dtype": little.dtype.str,
        "shape": list(array.shape),
        "data": base64.b64encode(little.tobytes()).decode(),
    }


def decode(values: Any, what: str) -> np.ndarray:
    """The inverse of `encode`; the array can be written to. Raises DataLoss, naming `what`, for anything else."""
    try:
        dtype = np.dtype(values["dtype"])
        if dtype.kind not in "biuf":
            raise ValueError(f"dtype {dtype}")
        data = base64.b64decode(values["data"], validate=True)
        return np.frombuffer(data, dtype).reshape(values["shape"]).astype(dtype.newbyteorder("="))
    except (KeyError, TypeError, ValueError) as error:
        raise DataLoss(f"{what} cannot be read ({type(error).__name__})") from error
