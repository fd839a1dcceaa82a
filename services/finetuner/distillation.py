"""The loss of end-to-end knowledge distillation: soft targets of the reference, mixed with the labels.

Shapes: logits (B, K), labels (B,) int64.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def hard_loss(logits_BK: Tensor, labels_B: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy with the labels, each smoothed to (1 - s) + s/K, a scalar (Szegedy et al. 2016)."""
    return F.cross_entropy(logits_BK, labels_B, label_smoothing=label_smoothing)


def soft_loss(logits_BK: Tensor, teacher_BK: Tensor, temperature: float) -> Tensor:
    """T^2 * KL(softmax(teacher / T) || softmax(logits / T)), mean over the batch, a scalar.

    T^2 keeps the size of its gradients as T changes. Source: Hinton, Vinyals and Dean, Distilling the
    Knowledge in a Neural Network, 2015. Equal logits give 0.
    """
    p = F.softmax(teacher_BK / temperature, dim=1)
    log_q = F.log_softmax(logits_BK / temperature, dim=1)
    return F.kl_div(log_q, p, reduction="batchmean") * temperature**2


def mixed_loss(
    logits_BK: Tensor,
    labels_B: Tensor,
    teacher_BK: Tensor | None,
    *,
    soft_weight: float,
    temperature: float,
    label_smoothing: float = 0.0,
) -> Tensor:
    """soft_weight * soft_loss + (1 - soft_weight) * hard_loss, a scalar; a term of weight 0 is not computed.

    `teacher_BK` may be None when `soft_weight` is 0.
    """
    if soft_weight == 0 or teacher_BK is None:
        return hard_loss(logits_BK, labels_B, label_smoothing)
    soft = soft_loss(logits_BK, teacher_BK, temperature)
    if soft_weight == 1:
        return soft
    return soft_weight * soft + (1 - soft_weight) * hard_loss(logits_BK, labels_B, label_smoothing)
