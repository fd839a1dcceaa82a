"""ONNX files: one file of the promised versions, dynamic batch, metadata; a wrong exporter is noticed."""

from __future__ import annotations

import onnx
import pytest
import torch
from torch import nn

from donna.errors import FailedPrecondition, InvalidArgument
from donna.nets import parity
from donna.nets.export import EXPORTERS, OPSETS, to_onnx
from donna.nets.memory import ran_out
from donna.nets.parity import checked_onnx, max_abs_diff, run_onnx


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Hardswish(), nn.Conv2d(8, 2, 1))


@pytest.mark.parametrize("opset", OPSETS)
def test_versions_names_and_batch_axis(opset: int) -> None:
    module = net()
    data = to_onnx(module, (3, 5, 6), opset=opset)
    model = onnx.load_model_from_string(data)
    onnx.checker.check_model(model)
    assert (model.ir_version, model.opset_import[0].version) == (10, opset)
    assert [i.name for i in model.graph.input] == ["x"]
    assert [o.name for o in model.graph.output] == ["y"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    assert not model.metadata_props
    assert not any(t.external_data for t in model.graph.initializer)
    for size in (1, 5):
        assert max_abs_diff(data, module, torch.randn(size, 3, 5, 6)) < 1e-4


def test_the_mode_of_the_module_stays_and_equal_modules_give_equal_bytes() -> None:
    module = net().train()
    assert to_onnx(module, (3, 4, 4)) == to_onnx(module, (3, 4, 4))
    assert module.training


def test_another_opset_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="opset"):
        to_onnx(net(), (3, 4, 4), opset=17)


class Unexportable(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.eigvals(x).real


def test_what_no_exporter_can_do_is_said() -> None:
    with pytest.raises(FailedPrecondition, match=r"cannot be exported to ONNX \(torchscript: "):
        to_onnx(Unexportable(), (2, 3, 3), exporter="torchscript")


class Greedy(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.compiler.is_exporting() or torch.jit.is_tracing():
            bytearray(1 << 50)
        return x


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_memory_that_runs_out_is_not_taken_for_a_network_that_cannot_be_exported(exporter: str) -> None:
    with pytest.raises(Exception) as failed:
        to_onnx(Greedy(), (2, 3, 3), exporter=exporter)
    assert ran_out(failed.value) and not isinstance(failed.value, FailedPrecondition)


def test_memory_that_runs_out_in_a_comparison_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity, "run_onnx", lambda *_: torch.empty(1 << 50))
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator"):
        checked_onnx(net(), torch.randn(2, 3, 4, 4))


def test_an_exporter_that_writes_something_else_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    module, other, x = net(), net(), torch.randn(2, 3, 4, 4)
    with torch.no_grad():
        other[0].weight.add_(1)
    wrong, right = to_onnx(other, (3, 4, 4)), to_onnx(module, (3, 4, 4))

    def fake(module, shape, *, exporter, **_):  # type: ignore[no-untyped-def]
        return wrong if exporter == "torchscript" else right

    monkeypatch.setattr(parity, "to_onnx", fake)
    assert checked_onnx(module, x)[0] == right
    monkeypatch.setattr(parity, "to_onnx", lambda *_, **__: wrong)
    with pytest.raises(FailedPrecondition, match="no exporter gives the network's own outputs"):
        checked_onnx(module, x)


def test_runs_as_many_images_as_given() -> None:
    assert run_onnx(to_onnx(net(), (3, 4, 4)), torch.randn(7, 3, 4, 4)).shape == (7, 2, 4, 4)
