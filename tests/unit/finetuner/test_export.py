"""Exported models: right format, right answers, right words; a wrong exporter is found out."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

from donna.data import load
from donna.errors import FailedPrecondition
from donna.space import Architecture
from services.finetuner import assembly
from services.finetuner import export as exporting
from services.finetuner.evaluate import evaluate, logits
from services.finetuner.export import export
from services.finetuner.quantize import calibration, quantize
from services.finetuner.request import ExportSettings

from .conftest import DATASET


@pytest.fixture(scope="module")
def dataset():
    return load(DATASET)


@pytest.fixture(scope="module")
def network(world):
    return assembly.stitch(
        world.cut, world.library, Architecture(choices=(0, 1, 2, 0)), world.store.get_bytes
    )


@pytest.mark.parametrize("opset", [18, 19, 20])
def test_format_and_parity(network, dataset, opset):
    part = dataset.split("validation")
    exported = export(network, part, ExportSettings(opset=opset), {"donna.architecture": "0-1-2-0"})
    proto = onnx.load_model_from_string(exported.onnx)
    onnx.checker.check_model(proto)
    assert proto.ir_version == 10
    assert [o.version for o in proto.opset_import if o.domain == ""] == [opset]
    assert {p.key: p.value for p in proto.metadata_props}["donna.architecture"] == "0-1-2-0"
    assert exported.num_samples == 300
    assert exported.top1_agreement == 1.0
    assert exported.max_abs_diff < 1e-3
    assert exported.accuracy == pytest.approx(evaluate(network, part).accuracy)


def test_a_small_part_is_not_all_that_is_compared(network):
    part = load({**DATASET, "split": {**DATASET["split"], "validation": 40}}).split("validation")
    exported = export(network, part, ExportSettings(), {})
    assert exported.num_samples == 256
    assert exported.top1_agreement == 1.0
    assert exported.accuracy == evaluate(network, part).accuracy


def test_normalisation_inside_the_graph_takes_pixels(network, dataset):
    part = dataset.split("validation")
    exported = export(network, part, ExportSettings(include_normalization=True), {})
    assert exported.top1_agreement == 1.0
    session = onnxruntime.InferenceSession(exported.onnx)
    pixels = dataset.source.images(part.rows)
    found = session.run(["y"], {"x": pixels})[0].argmax(axis=1)
    assert (found == part.labels).mean() == pytest.approx(exported.accuracy)


def test_a_fixed_batch_is_fixed(network, dataset):
    exported = export(network, dataset.split("validation"), ExportSettings(batch_size=7), {})
    session = onnxruntime.InferenceSession(exported.onnx)
    assert session.get_inputs()[0].shape == [7, 1, 8, 8]
    assert exported.num_samples == 300
    assert exported.top1_agreement == 1.0


def test_a_wrong_graph_is_replaced_by_the_next_exporter(network, dataset, monkeypatch):
    real, used = exporting.to_onnx, []

    def broken(module, shape, *, exporters, **settings):
        used.extend(exporters)
        data = real(module, shape, exporters=exporters, **settings)
        if exporters == ["torchscript"]:
            proto = onnx.load_model_from_string(data)
            for tensor in proto.graph.initializer:
                array = onnx.numpy_helper.to_array(tensor)
                if array.dtype == np.float32:
                    tensor.CopyFrom(onnx.numpy_helper.from_array(array * np.float32(1.1), tensor.name))
            return proto.SerializeToString()
        return data

    monkeypatch.setattr(exporting, "to_onnx", broken)
    exported = export(network, dataset.split("validation"), ExportSettings(), {})
    assert used == ["torchscript", "dynamo"]
    assert exported.max_abs_diff < 1e-3


def test_when_no_exporter_is_right_the_error_says_what_each_did(network, dataset, monkeypatch):
    def none(*args, **settings):
        raise RuntimeError("no")

    monkeypatch.setattr(exporting, "to_onnx", none)
    with pytest.raises(FailedPrecondition, match="torchscript: RuntimeError; dynamo: RuntimeError"):
        export(network, dataset.split("validation"), ExportSettings(), {})


def test_metadata_says_what_a_user_needs(dataset):
    from services.finetuner.metadata import metadata

    said = metadata(
        name="0-1",
        options=["a()", "b()"],
        accuracy=0.5,
        accuracy_on="test",
        class_names=dataset.class_names,
        normalisation=dataset.normalisation,
        inside=False,
        provenance={"licence": "CC-BY-4.0"},
        library="f" * 64,
        versions={"torch": "2"},
    )
    assert json.loads(said["donna.labels"]) == list("0123456789")
    assert said["donna.provenance.licence"] == "CC-BY-4.0"
    assert said["donna.library"] == "f" * 64
    assert json.loads(said["donna.normalisation"])["mean"] == [0.3053]


def float_bytes(model: bytes) -> int:
    tensors = onnx.load_model_from_string(model).graph.initializer
    return sum(onnx.numpy_helper.to_array(t).nbytes for t in tensors if t.data_type == onnx.TensorProto.FLOAT)


@pytest.mark.parametrize(
    "settings", [ExportSettings(), ExportSettings(batch_size=16, include_normalization=True)]
)
def test_int8_is_smaller_and_nearly_as_right(world, dataset, settings):
    part = dataset.split("validation")
    reference = world.cut.model
    exported = export(reference, part, settings, {"donna.architecture": "reference"})
    quantised = quantize(exported.onnx, dataset.split("training"), settings)
    compared = exporting.compare(quantised, logits(reference, part), part, settings)
    assert float_bytes(quantised) < 0.2 * float_bytes(exported.onnx)
    assert compared.accuracy > exported.accuracy - 0.05
    assert compared.top1_agreement > 0.9
    assert compared.max_abs_diff > 0
    proto = onnx.load_model_from_string(quantised)
    onnx.checker.check_model(proto)
    assert proto.ir_version == 10
    kinds = {onnx.TensorProto.DataType.Name(t.data_type) for t in proto.graph.initializer}
    assert "INT8" in kinds
    said = {p.key: p.value for p in proto.metadata_props}
    assert said["donna.architecture"] == "reference"
    assert said["donna.quantisation"].startswith("int8")


def test_calibration_reads_training_images_only(dataset):
    training = dataset.split("training")
    batches = list(calibration(training, ExportSettings(include_normalization=True)))
    pixels = {image.tobytes() for image in np.round(np.concatenate(batches) * 16).astype(np.int8)}
    known = {image.tobytes() for image in np.round(dataset.source.images(training.rows) * 16).astype(np.int8)}
    assert len(np.concatenate(batches)) == 256
    assert pixels <= known
