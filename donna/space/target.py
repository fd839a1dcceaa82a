"""What the regression predicts: the accuracy itself, or -log(error), error = 1 - accuracy.

Differences at high accuracy are compressed in plain accuracy: from 98 % to 99 % half the errors go.
Which of the two is nearer to linear in the qualities, cross-validation decides.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

Target = Literal["accuracy", "negative_log_error"]
TARGETS: tuple[Target, ...] = get_args(Target)

ERROR_FLOOR = 1e-3
"""Errors below 0.1 % count as 0.1 %: keeps an accuracy of 1 finite, and the step below it bounded."""


def forward(target: Target, accuracy: np.ndarray) -> np.ndarray:
    """Accuracies in [0, 1] to target values, elementwise."""
    return accuracy if target == "accuracy" else -np.log(np.maximum(1.0 - accuracy, ERROR_FLOOR))


def inverse(target: Target, value: np.ndarray) -> np.ndarray:
    """Target values to accuracies, clipped to [0, 1]: a line knows no bounds, an accuracy does."""
    return np.clip(value if target == "accuracy" else -np.expm1(np.minimum(-value, 1.0)), 0.0, 1.0)
