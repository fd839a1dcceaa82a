"""A dynamic batch made fixed, for runtimes and runners that cannot choose it when they run."""

from __future__ import annotations

from onnx import ModelProto

from donna.errors import InvalidArgument


def fix_batch(model: ModelProto, batch_size: int) -> ModelProto:
    """A copy of `model` whose inputs have `batch_size` where their first axis was dynamic, and with them everything
    that is known to have as many.

    Raises InvalidArgument for a fixed first axis of another size (unless `batch_size` is 1), and for other
    dynamic axes.
    """
    fixed = ModelProto()
    fixed.CopyFrom(model)
    names: set[str] = set()
    weights = {tensor.name for tensor in fixed.graph.initializer}
    for value in fixed.graph.input:
        if value.name in weights:
            continue
        axes = value.type.tensor_type.shape.dim
        if axes and not axes[0].dim_value:
            names.add(axes[0].dim_param)
            axes[0].dim_value = batch_size
        elif axes and batch_size not in (1, axes[0].dim_value):
            said = f"input {value.name!r} has the fixed batch {axes[0].dim_value}, asked for {batch_size}"
            raise InvalidArgument.of("settings.batch_size", said)
        if not all(axis.dim_value > 0 for axis in axes):
            raise InvalidArgument.of("model", f"input {value.name!r} has dynamic axes besides the batch")
    for value in (*fixed.graph.output, *fixed.graph.value_info):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param and axis.dim_param in names:
                axis.dim_value = batch_size
    return fixed
