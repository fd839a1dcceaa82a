"""ONNX graphs without torch: check what was received, stitch fragments into a network, leave weights out."""

from donna.graphs.batch import fix_batch
from donna.graphs.safety import Limits, check
from donna.graphs.stitch import stitch
from donna.graphs.weightless import fill, filled_bytes, is_weightless, strip

__all__ = ["Limits", "check", "fill", "filled_bytes", "fix_batch", "is_weightless", "stitch", "strip"]
