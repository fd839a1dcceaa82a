"""Equal requests have equal keys; whatever changes the result changes the key."""

import copy

import pytest

from donna import data
from donna.space import Architecture
from services.finetuner import keys
from services.finetuner.recipe import Recipe
from services.finetuner.request import ExportSettings, NetworkRequest, Request
from services.finetuner.work import FinetuneWork

from .conftest import DATASET

ARCHITECTURE = NetworkRequest(architecture=Architecture(choices=(0, 1, 2, 0)))
OTHER = NetworkRequest(architecture=Architecture(choices=(0, 1, 2, 1)))


def request(world, **changed):
    fields = {
        "library": world.library_sha256,
        "reference": {**world.reference, "provenance": {"licence": "MIT"}},
        "dataset": DATASET,
        "networks": (ARCHITECTURE,),
        "recipe": Recipe(),
        "evaluate_on": "validation",
        "export": None,
    }
    return Request(**{**fields, **changed})


def task(world, **changed):
    work = FinetuneWork(world.store, None)
    (found,) = work.tasks(work.admission.admit(request(world, **changed)).to_dict())
    return found


def test_the_same_request_has_the_same_keys(world):
    first, second = task(world), task(world, reference={})
    assert first.spec["training_key"] == task(world).spec["training_key"] == second.spec["training_key"]
    assert first.key == task(world).key


@pytest.mark.parametrize(
    "changed",
    [
        {"networks": (OTHER,)},
        {"recipe": Recipe(seed=1)},
        {"recipe": Recipe(epochs=11)},
        {"recipe": Recipe(initialization="random")},
        {"dataset": {**DATASET, "split": {**DATASET["split"], "seed": 1}}},
    ],
)
def test_another_training_has_another_key(world, changed):
    assert task(world, **changed).spec["training_key"] != task(world).spec["training_key"]


@pytest.mark.parametrize(
    "changed",
    [
        {"evaluate_on": "test"},
        {"export": ExportSettings()},
        {"export": ExportSettings(opset=19)},
        {"reference": None},
    ],
)
def test_another_look_at_the_same_training_trains_nothing(world, changed):
    if changed == {"reference": None}:
        changed = {"reference": {**world.reference, "provenance": {"licence": "another"}}}
    found, base = task(world, **changed), task(world)
    assert found.spec["training_key"] == base.spec["training_key"]
    assert found.key != base.key


def test_data_is_read_once_for_a_request_and_anew_for_the_next(world, monkeypatch):
    loaded = []
    real = data.load
    monkeypatch.setattr(data, "load", lambda *given, **named: loaded.append(1) or real(*given, **named))
    work = FinetuneWork(world.store, None)
    for _ in range(2):
        admitted = work.admission.admit(request(world))
        work.admission.plan(admitted)
        work.tasks(admitted.to_dict())
    assert len(loaded) == 2


def test_random_weights_do_not_depend_on_the_librarys(world):
    library = copy.deepcopy(world.library)
    recipe = Recipe(initialization="random")
    retrained = library.to_json().replace(library.blocks[0].entries[0].weights.encode(), b"a" * 64)
    sha256 = world.store.put_bytes(retrained).sha256
    work = FinetuneWork(world.store, None)
    both = [
        work.admission.training_keys(request(world, recipe=recipe, library=s))
        for s in (world.library_sha256, sha256)
    ]
    assert both[0] == both[1]
    trained = [
        work.admission.training_keys(request(world, library=s)) for s in (world.library_sha256, sha256)
    ]
    assert trained[0] != trained[1]


def test_the_method_is_part_of_every_key(monkeypatch):
    parts = {"network": {}, "reference": {}, "dataset": "d", "recipe": {}}
    before = keys.training_key(**parts)
    monkeypatch.setattr(keys, "METHOD", "finetune/next")
    assert keys.training_key(**parts) != before
