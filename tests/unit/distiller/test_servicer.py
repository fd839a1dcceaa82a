"""The contract of the distiller, over real gRPC on loopback."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from donna.data import load
from donna.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from donna.nets import references, weights
from donna.nets.costs import count
from donna.nets.cut import cut
from donna.nets.network import assemble, load_block
from donna.nets.parity import run_onnx
from donna.rpc.messages import dict_to_struct
from donna.space import Architecture, Library
from donna.v1 import common_pb2
from donna.v1 import distiller_pb2 as pb

from .conftest import OPTIONS, REQUEST, STAGES
from .serving import Service, served


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with served(Path(tmp_path_factory.mktemp("distiller"))) as running:
        yield running


def spec(options: tuple[str, ...] = OPTIONS[:2] + OPTIONS[3:], **changed: Any) -> pb.BlockLibrarySpec:
    fields = {
        "reference": common_pb2.Reference(
            provider="small_cnn",
            arguments=dict_to_struct(REQUEST["reference"]["arguments"]),
            provenance={"owner": "a test"},
        ),
        "dataset": common_pb2.Dataset(
            provider="digits", split=common_pb2.DatasetSplit(**REQUEST["dataset"]["split"])
        ),
        "blocks": [pb.BlockSpace(name=name, options=options) for name in STAGES],
        "recipe": pb.DistillationRecipe(**REQUEST["recipe"]),
        **changed,
    }
    return pb.BlockLibrarySpec(**fields)


@pytest.fixture(scope="module")
def library(service: Service) -> pb.BlockLibrary:
    return service.build(spec())


def manifest(service: Service, library: pb.BlockLibrary) -> Library:
    return Library.from_json(service.artifacts.get_bytes(library.manifest.sha256))


def test_a_library_is_built_and_counted(service: Service, library: pb.BlockLibrary) -> None:
    assert library.job.state == common_pb2.JOB_STATE_SUCCEEDED, library.job.error
    cost = library.job.cost
    assert (cost.blocks_trained, cost.blocks_reused, cost.block_epochs) == (8, 0, 16)
    # 8 steps, 4 calibration and 2 quality batches at each of three points, 4 batches for the statistics.
    assert cost.reference_passes == 30 == library.plan.reference_passes
    assert (library.num_blocks, list(library.num_options), library.num_architectures) == (4, [3] * 4, "81")
    assert (library.plan.blocks_to_train, library.plan.groups) == (12, 1)
    built = manifest(service, library)
    assert built.num_options == (3, 3, 3, 3)
    assert built.provenance["owner"] == "a test"
    assert built.reference["weights"] == reference_sha256()
    assert [block.entries[2].quality for block in built.blocks] == pytest.approx([0, 0, 0, 0], abs=1e-9)
    assert all(entry.quality > 0 for block in built.blocks for entry in block.entries[:2])


def reference_sha256() -> str:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return hashlib.sha256(weights.dump(references.build(REQUEST["reference"]))).hexdigest()


def test_weights_fragments_and_costs_are_those_of_the_network(
    service: Service, library: pb.BlockLibrary
) -> None:
    """Stem, blocks and head as ONNX fragments in turn give what the assembled network gives."""
    built = manifest(service, library)
    reference = references.build(REQUEST["reference"])
    weights.load(reference, service.artifacts.get_bytes(built.reference["weights"]))
    whole = cut(reference, STAGES, (1, 8, 8))
    images, _ = next(load(built.dataset).split("validation").batches(16))
    for choices in ((0, 0, 0, 0), (1, 0, 2, 1), (2, 2, 2, 2)):
        entries = [block.entries[m] for block, m in zip(built.blocks, choices, strict=True)]
        network = assemble(whole, built.options(Architecture(choices=choices)))
        for n, entry in enumerate(entries):
            load_block(network, n, weights.read_state(service.artifacts.get_bytes(entry.weights)))
        with torch.no_grad():
            expected = network(images).numpy()
        y: Any = images
        for fragment in (built.stem.fragment, *(entry.fragment for entry in entries), built.head.fragment):
            y = torch.from_numpy(run_onnx(service.artifacts.get_bytes(fragment), y))
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-3, atol=1e-4)
        X = np.array([choices])
        costs = count(network, (1, 8, 8))
        assert built.costs(X, "macs")[0] == costs.macs
        assert built.costs(X, "parameters")[0] == costs.parameters
        ranges = {r.metric: (r.smallest, r.largest) for r in library.plan.costs}
        low, high = ranges[common_pb2.METRIC_MACS]
        assert low <= costs.macs <= high


def test_the_same_again_trains_nothing_and_is_the_same_library(
    service: Service, library: pb.BlockLibrary
) -> None:
    again = service.build(spec())
    cost = again.job.cost
    assert (cost.blocks_trained, cost.blocks_reused, cost.block_epochs, cost.reference_passes) == (
        0,
        12,
        0,
        0,
    )
    assert again.manifest.sha256 == library.manifest.sha256
    assert (again.plan.blocks_to_train, again.plan.blocks_to_reuse) == (0, 12)
    assert (again.plan.estimated_s, again.plan.estimated_from) == (0, "every block is known already")


def test_more_options_train_only_the_new_ones(service: Service, library: pb.BlockLibrary) -> None:
    extended = service.build(spec(OPTIONS))
    cost = extended.job.cost
    # Only the last of the four skips changes the number of channels: the others have nothing to train.
    assert (cost.blocks_trained, cost.blocks_reused) == (1, 12)
    assert cost.reference_passes == 26 == extended.plan.reference_passes  # the statistics are known
    old, new = manifest(service, library), manifest(service, extended)
    for before, after in zip(old.blocks, new.blocks, strict=True):
        assert before.entries == (after.entries[0], after.entries[1], after.entries[3])


def test_another_recipe_never_mixes_with_old_weights(service: Service, library: pb.BlockLibrary) -> None:
    recipe = pb.DistillationRecipe(**{**REQUEST["recipe"], "epochs": 1})
    other = service.build(spec(recipe=recipe))
    assert other.job.cost.blocks_reused == 0
    keys = [
        {entry.key for b in manifest(service, made).blocks for entry in b.entries}
        for made in (library, other)
    ]
    assert not keys[0] & keys[1]


def test_another_service_with_little_memory_makes_groups_and_the_same_library(
    service: Service, library: pb.BlockLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path) as other:
        budget = library.plan.estimated_memory_bytes - 1
        monkeypatch.setattr(other.work.admission, "_memory_bytes", budget)
        built = other.build(spec())
        assert built.plan.groups > 1
        assert built.plan.estimated_memory_bytes <= budget
        assert built.job.cost.blocks_trained == 8
        assert built.job.cost.reference_passes == built.plan.reference_passes
        assert built.manifest.sha256 == library.manifest.sha256


def test_groups_that_start_together_each_measure_the_statistics(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    admission = service.work.admission
    admitted = admission.admit({**REQUEST, "recipe": {**REQUEST["recipe"], "batch_size": 16}})
    monkeypatch.setattr(admission, "_probe_device", None)
    monkeypatch.setattr(admission, "_memory_bytes", 1)
    alone = admission.plan(admitted)
    monkeypatch.setattr(admission, "_workers", 3)
    shared = admission.plan(admitted)
    assert len(alone.plan.groups) == len(shared.plan.groups) > 3
    assert shared.reference_passes - alone.reference_passes == 2 * 128 // 16


def test_a_plan_is_shown_without_a_job(service: Service) -> None:
    recipe = pb.DistillationRecipe(**{**REQUEST["recipe"], "seed": 99})
    planned = service.create(spec(recipe=recipe), validate_only=True)
    assert planned.name == ""
    assert (planned.plan.blocks_to_train, planned.plan.workers) == (12, 3)
    assert planned.plan.estimated_memory_bytes > 0
    assert planned.plan.estimated_s > 0
    assert planned.plan.estimated_from == "measured: 2 steps of 8 of 12 blocks on 2 threads of a CPU"
    again = service.create(spec(recipe=recipe), validate_only=True)
    assert again.plan.estimated_s == planned.plan.estimated_s
    listed = service.stub.ListBlockLibraries(pb.ListBlockLibrariesRequest()).block_libraries
    assert all(item.spec.recipe.seed != 99 for item in listed)


def test_no_time_is_told_for_machines_that_are_not_here(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.work.admission, "_probe_device", None)
    recipe = pb.DistillationRecipe(**{**REQUEST["recipe"], "seed": 98})
    plan = service.create(spec(recipe=recipe), validate_only=True).plan
    assert plan.estimated_s == 0
    assert plan.estimated_from.startswith("not estimated: ")


def test_qualities_are_told_against_training(service: Service, library: pb.BlockLibrary) -> None:
    entries = service.stub.ListBlockEntries(pb.ListBlockEntriesRequest(parent=library.name)).block_entries
    for entry in entries:
        assert [point.step for point in entry.curve] == [3, 5, 8]
        assert entry.curve[-1].nsr == entry.nsr
    assert [settling.block for settling in library.settling] == list(STAGES)
    for settling in library.settling:
        assert -1 <= settling.rank_correlation <= 1
        assert settling.settled == (settling.rank_correlation >= 0.9)


def test_every_field_of_a_recipe_comes_back(service: Service) -> None:
    recipe = pb.DistillationRecipe(
        epochs=3, batch_size=16, learning_rate=0.1, weight_decay=0.2, seed=4, optimizer="sgd",
        replace_one_quality=True, warmup_fraction=0, calibration_batches=5, quality_points=2, precision="bfloat16",
    )  # fmt: skip
    normalisation = common_pb2.Normalisation(mean=[0.25], std=[0.5])
    data = common_pb2.Dataset(
        provider="digits",
        split=common_pb2.DatasetSplit(**REQUEST["dataset"]["split"]),
        normalisation=normalisation,
    )
    planned = service.create(spec(OPTIONS[:1], recipe=recipe, dataset=data), validate_only=True)
    assert planned.spec.recipe == recipe
    assert planned.spec.dataset.normalisation == normalisation
    fewest = service.create(spec(recipe=pb.DistillationRecipe(epochs=1)), validate_only=True).spec.recipe
    assert (fewest.warmup_fraction, fewest.calibration_batches, fewest.quality_points) == (0.1, 32, 3)


def test_a_request_id_makes_one_library(service: Service, library: pb.BlockLibrary) -> None:
    first = service.create(spec(), request_id="once")
    assert service.create(spec(), request_id="once").name == first.name
    with pytest.raises(AlreadyExists):
        service.create(spec(OPTIONS), request_id="once")


def test_entries_come_in_pages(service: Service, library: pb.BlockLibrary) -> None:
    entries, token = [], ""
    while True:
        request = pb.ListBlockEntriesRequest(parent=library.name, page_size=5, page_token=token)
        page = service.stub.ListBlockEntries(request)
        entries += page.block_entries
        token = page.next_page_token
        if not token:
            break
    assert [(e.block, e.choice) for e in entries] == [(n, m) for n in range(4) for m in range(3)]
    built = manifest(service, library)
    assert [e.nsr for e in entries] == [e.quality for block in built.blocks for e in block.entries]
    assert all(service.artifacts.has(e.weights.sha256) and e.fragment.size_bytes > 0 for e in entries)


def test_libraries_are_got_listed_and_deleted(service: Service, library: pb.BlockLibrary) -> None:
    assert service.stub.GetBlockLibrary(pb.GetBlockLibraryRequest(name=library.name)).block_library == library
    extra = service.build(spec())
    service.stub.DeleteBlockLibrary(pb.DeleteBlockLibraryRequest(name=extra.name))
    with pytest.raises(NotFound):
        service.stub.GetBlockLibrary(pb.GetBlockLibraryRequest(name=extra.name))


BAD_OPTION = [pb.BlockSpace(name="stage1", options=["skip()", "inverted_residual(expansion=2,kernel=4)"])]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"dataset": common_pb2.Dataset(provider="digts")}, "dataset.provider"),
        ({"dataset": None}, "dataset"),
        ({"reference": common_pb2.Reference(provider="smal_cnn")}, "reference.provider"),
        ({"reference": common_pb2.Reference(provider="small_cnn")}, "reference.arguments.in_channels"),
        ({"recipe": pb.DistillationRecipe(epochs=-1)}, "recipe.epochs"),
        ({"recipe": None}, "recipe"),
        ({"blocks": []}, "blocks"),
        ({"blocks": [pb.BlockSpace(name="stage9", options=["skip()"])]}, "blocks[0]"),
        ({"blocks": [pb.BlockSpace(name="stage1")]}, "blocks[0].options"),
        ({"blocks": [pb.BlockSpace(name="stage1", options=["skip"])]}, "blocks[0].options[0]"),
        ({"blocks": [pb.BlockSpace(name="stage1", options=["skip()", "skip()"])]}, "blocks[0].options[1]"),
        ({"blocks": BAD_OPTION}, "blocks[0].options[1].kernel"),
    ],
)
def test_wrong_requests_name_their_field_and_make_no_job(
    service: Service, changed: dict[str, Any], field: str
) -> None:
    before = service.store.count("blockLibraries")
    with pytest.raises(InvalidArgument) as refused:
        service.create(spec(**changed))
    assert field in {violation.field for violation in refused.value.violations}
    assert service.store.count("blockLibraries") == before


def test_weights_that_are_not_there_are_a_failed_precondition(service: Service) -> None:
    sha256 = "0" * 64
    reference = spec().reference
    reference.weights.CopyFrom(common_pb2.Artifact(uri=f"artifact:sha256/{sha256}", sha256=sha256))
    with pytest.raises(FailedPrecondition, match=sha256):
        service.create(spec(reference=reference))


def test_weights_of_another_network_are_refused(service: Service) -> None:
    stored = service.artifacts.put_bytes(weights.dump(torch.nn.Linear(1, 1)))
    reference = spec().reference
    reference.weights.CopyFrom(common_pb2.Artifact(uri=stored.uri, sha256=stored.sha256))
    with pytest.raises(InvalidArgument, match=r"reference\.weights"):
        service.create(spec(reference=reference))


def test_references_are_inspected(service: Service) -> None:
    request = pb.InspectReferenceRequest(reference=spec().reference, input_shape=[1, 8, 8])
    found = service.stub.InspectReference(request)
    assert list(found.proposed_blocks) == list(STAGES)
    assert {"stage1", "stage1.unit1"} <= {submodule.name for submodule in found.submodules}
    with pytest.raises(InvalidArgument, match="input_shape"):
        service.stub.InspectReference(pb.InspectReferenceRequest(reference=spec().reference))


def test_everything_that_can_be_named_is_listed(service: Service) -> None:
    providers = service.stub.ListProviders(pb.ListProvidersRequest()).providers
    named = {(p.kind, p.name) for p in providers}
    assert {("reference", "small_cnn"), ("family", "skip"), ("dataset", "digits")} <= named
    assert {"reference", "family", "dataset", "augmentation"} == {p.kind for p in providers}
    assert all(p.description for p in providers)
    family = next(p for p in providers if p.name == "inverted_residual")
    assert list(family.arguments_schema["required"]) == ["kernel", "expansion"]


def test_a_dataset_is_described(service: Service) -> None:
    found = service.stub.InspectDataset(pb.InspectDatasetRequest(dataset=spec().dataset))
    assert (list(found.class_names), list(found.input_shape)) == ([str(n) for n in range(10)], [1, 8, 8])
    split = found.dataset.split
    assert (split.training, split.quality, split.validation, split.test) == (128, 40, 40, 40)
    own = load(REQUEST["dataset"]).normalisation
    assert (list(found.dataset.normalisation.mean), list(found.dataset.normalisation.std)) == (
        list(own.mean),
        list(own.std),
    )
    wrong = spec().dataset
    wrong.split.training = 5000
    with pytest.raises(InvalidArgument, match="split"):
        service.stub.InspectDataset(pb.InspectDatasetRequest(dataset=wrong))
    with pytest.raises(InvalidArgument, match="dataset: is required"):
        service.stub.InspectDataset(pb.InspectDatasetRequest())
