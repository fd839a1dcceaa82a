"""Exported models: right format, right answers, right words; a wrong exporter is found out."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from donna.data import load
from donna.errors import FailedPrecondition
from donna.space import Architecture
from services.finetuner import assembly
from services.finetuner import export as exporting
from services.finetuner.agreement import Agreement, problem
from services.finetuner.evaluate import all_logits, logits, measure
from services.finetuner.export import export
from services.finetuner.quantize import calibration, quantize
from services.finetuner.request import ExportSettings

from .conftest import DATASET, evaluated


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
    exported = export(network, dataset, ExportSettings(opset=opset))
    proto = onnx.load_model_from_string(exported.onnx)
    onnx.checker.check_model(proto)
    assert proto.ir_version == 10
    assert [o.version for o in proto.opset_import if o.domain == ""] == [opset]
    assert exported.agreement.num_samples == 256
    assert exported.agreement.top1_agreement == 1.0
    assert exported.agreement.max_abs_diff < 1e-3
    part = dataset.split("validation")
    assert torch.allclose(exported.run(next(part.batches(40))[0]), logits(network, part)[:40], atol=1e-3)


@pytest.mark.parametrize(
    ("sizes", "compared"),
    [
        ({"training": 512, "quality": 64}, 256),
        ({"training": 200, "quality": 64}, 256),
        ({"training": 200, "quality": 30}, 230),
        ({"training": 200, "quality": 0}, 200),
    ],
)
def test_what_is_compared_is_not_what_is_evaluated(sizes, compared):
    dataset = load({**DATASET, "split": {**DATASET["split"], **sizes}})
    rows = set(exporting.samples(dataset).rows.tolist())
    assert len(rows) == compared
    assert not rows & set(dataset.split("validation").rows) | rows & set(dataset.split("test").rows)
    assert set(dataset.source.labels[sorted(rows)]) == set(range(10))


def test_normalisation_inside_the_graph_takes_pixels(network, dataset):
    exported = export(network, dataset, ExportSettings(include_normalization=True))
    session = onnxruntime.InferenceSession(exported.onnx)
    part = dataset.split("validation")
    pixels = dataset.source.images(part.rows)
    found = session.run(["y"], {"x": pixels})[0].argmax(axis=1)
    assert (found == part.labels).mean() == pytest.approx(evaluated(network, part).accuracy)


def test_a_fixed_batch_is_fixed(network, dataset):
    exported = export(network, dataset, ExportSettings(batch_size=7))
    session = onnxruntime.InferenceSession(exported.onnx)
    assert session.get_inputs()[0].shape == [7, 1, 8, 8]
    assert session.get_outputs()[0].shape == [7, 10]
    assert exported.agreement.num_samples == 256
    assert exported.agreement.top1_agreement == 1.0


def test_a_wrong_graph_is_replaced_by_the_next_exporter(network, dataset, monkeypatch):
    real, used = exporting.to_onnx, []

    def broken(module, shape, *, exporter, **settings):
        used.append(exporter)
        data = real(module, shape, exporter=exporter, **settings)
        if exporter == "torchscript":
            proto = onnx.load_model_from_string(data)
            for tensor in proto.graph.initializer:
                array = onnx.numpy_helper.to_array(tensor)
                if array.dtype == np.float32:
                    tensor.CopyFrom(onnx.numpy_helper.from_array(array * np.float32(1.1), tensor.name))
            return proto.SerializeToString()
        return data

    monkeypatch.setattr(exporting, "to_onnx", broken)
    exported = export(network, dataset, ExportSettings())
    assert used == ["torchscript", "dynamo"]
    assert exported.agreement.max_abs_diff < 1e-3


def test_when_no_exporter_is_right_the_error_says_what_each_did(network, dataset, monkeypatch):
    def none(*args, **settings):
        raise RuntimeError("no")

    monkeypatch.setattr(exporting, "to_onnx", none)
    with pytest.raises(FailedPrecondition, match="torchscript: RuntimeError; dynamo: RuntimeError"):
        export(network, dataset, ExportSettings())


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([[1.0, 0.0, -2.0], [0.5, 0.5 - 1e-6, 0.0]], None),
        ([[1.0, 0.0, -2.0], [0.5 - 1e-6, 0.5, 0.0]], None),  # a tie
        ([[1.0, 0.0, -2.0], [0.4995, 0.5001, 0.0]], "1 of 2 images have another top-1"),
        ([[1.0, 0.0, -2.25], [0.5, 0.4997, 0.0]], "logits differ by 0.25"),
        ([[1.0, 0.0, float("nan")], [0.5, 0.4997, 0.0]], "logits differ by nan"),
    ],
)
def test_other_logits_are_told_from_rounding(found, said):
    expected = torch.tensor([[1.0, 0.0, -2.0], [0.5, 0.4997 if said else 0.5, 0.0]])
    assert problem(expected, torch.tensor(found)) == said


def test_agreements_add_up():
    expected = torch.eye(3)
    one = Agreement.of(expected, expected)
    two = Agreement.of(expected, torch.tensor([[0.0, 1, 0], [0, 1, 0], [0, 0, 1.5]]))
    assert (one + two) == Agreement(num_samples=6, same_top1=5, max_abs_diff=1.0)
    assert (one + two).top1_agreement == 5 / 6


def test_metadata_says_what_a_user_needs(dataset):
    from services.finetuner.metadata import metadata

    said = metadata(
        name="0-1",
        options=["a()", "b()"],
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
    reference, part = world.cut.model, dataset.split("validation")
    exported = export(reference, dataset, settings)
    quantised = quantize(reference, exported.onnx, dataset, settings)
    assert float_bytes(quantised.onnx) < 0.2 * float_bytes(exported.onnx)
    expected, found = all_logits(reference, part, [quantised.run])
    labels = torch.from_numpy(part.labels)
    assert measure(found, labels).accuracy > measure(expected, labels).accuracy - 0.05
    assert quantised.agreement.num_samples == 256
    assert quantised.agreement.top1_agreement > 0.9
    assert quantised.agreement.max_abs_diff > 0
    proto = onnx.load_model_from_string(quantised.onnx)
    onnx.checker.check_model(proto)
    assert proto.ir_version == 10
    kinds = {onnx.TensorProto.DataType.Name(t.data_type) for t in proto.graph.initializer}
    assert "INT8" in kinds


def test_calibration_reads_training_images_only(dataset):
    training = dataset.split("training")
    batches = list(calibration(training, ExportSettings(include_normalization=True)))
    pixels = {image.tobytes() for image in np.round(np.concatenate(batches) * 16).astype(np.int8)}
    known = {image.tobytes() for image in np.round(dataset.source.images(training.rows) * 16).astype(np.int8)}
    assert len(np.concatenate(batches)) == 256
    assert pixels <= known
