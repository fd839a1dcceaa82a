"""A block library from decoded images to stored blocks, as a worker of the distiller makes it: channel statistics of
the reference, augmented batches, training, normalisation statistics, quality, compared ONNX fragments, files.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from donna.artifacts import ArtifactStore
from donna.checkpoints import Checkpoints
from donna.data import Dataset
from donna.data.description import Description
from donna.data.normalisation import Normalisation
from donna.jobs import JobStore, TaskSpec
from donna.jobs.database import open_database
from donna.jobs.engine import TaskReport
from donna.jobs.lease import Leases
from donna.nets.cut import Cut
from donna.space import Option
from services.distiller import compute
from services.distiller.group import Group
from services.distiller.keys import block_key
from services.distiller.materials import Material
from services.distiller.recipe import Recipe
from services.distiller.request import BlockSpace, Request
from services.distiller.shelf import Shelf
from services.distiller.variants import variants

HELD_OUT_BATCHES = 4
NUM_CLASSES = 10


class Pixels:
    """Random images of 32x32 in memory, as CIFAR-10 is once it is read."""

    input_shape = (3, 32, 32)
    class_names = tuple(map(str, range(NUM_CLASSES)))
    test_rows: np.ndarray | None = None
    normalisation = Normalisation(mean=(0.5,) * 3, std=(0.25,) * 3)
    identity = "random pixels"

    def __init__(self, count: int) -> None:
        self._pixels = np.random.default_rng(0).integers(0, 256, (count, *self.input_shape), dtype=np.uint8)
        self.labels = np.arange(count, dtype=np.int64) % NUM_CLASSES

    def images(self, rows: np.ndarray) -> np.ndarray:
        """(B, 3, 32, 32) uint8."""
        return self._pixels[rows]


def build_s(
    cut: Cut, chosen: Sequence[Option], steps: int, batch_size: int, threads: int, device: str
) -> float:
    """Seconds that one epoch of so many steps takes, with all that a library needs beside it."""
    training, held_out = steps * batch_size, HELD_OUT_BATCHES * batch_size
    split = {"training": training, "quality": held_out, "validation": 0, "test": 0}
    flip_and_shift = [{"name": "random_horizontal_flip"}, {"name": "random_shift"}]
    described = {
        "provider": "torchvision",
        "arguments": {"name": "cifar10"},
        "split": split,
        "augment": flip_and_shift,
    }
    dataset = Dataset(Description.parse(described), Pixels(training + held_out))
    recipe = Recipe(epochs=1, batch_size=batch_size, quality_points=1)
    blocks = tuple(BlockSpace(name=name, options=tuple(chosen)) for name in cut.names)
    request = Request(reference={}, dataset=described, blocks=blocks, recipe=recipe)
    source = "a benchmark"
    material = Material(dataset=dataset, cut=cut, source=source)

    def key(n: int, option: Option) -> str:
        return block_key(source=source, block=cut.names[n], option=option, recipe=recipe)

    found = variants(cut, request.options, key)
    with tempfile.TemporaryDirectory(prefix="donna-bench-") as folder:
        store, artifacts = (
            JobStore(open_database(f"sqlite:///{folder}/jobs.db")),
            ArtifactStore(Path(folder, "files")),
        )
        job = store.create("blockLibraries", {}, [TaskSpec(key="", spec={}, label="all blocks")])
        leases = Leases(store, kind=job.kind, owner="a benchmark")
        task = leases.claim()
        if task is None:
            raise RuntimeError("nobody else claims tasks of this store")
        report = TaskReport(leases, task, threading.Event())
        try:
            started = time.perf_counter()
            with compute.working(device, threads) as (place, pool):
                group = Group(
                    request,
                    material,
                    device=place,
                    pool=pool,
                    report=report,
                    checkpoints=Checkpoints(artifacts, report, interval_s=10.0),
                    shelf=Shelf(artifacts, report, job.name),
                )
                group.train(found)
            taken_s = time.perf_counter() - started
        finally:
            report.close()
        made = store.recall([variant.key for variant in found])
        if not all(made[variant.key].get("fragment") for variant in found):
            raise RuntimeError("some blocks were not made")
        return taken_s
