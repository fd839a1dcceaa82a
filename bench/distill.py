"""Wall time of a block library against three other ways to spend it, on one machine in one run. Prints JSON.

    python -m bench.distill --options 24 48 96 --steps 2

- ours: the distiller's own loop: one reference pass per batch, all blocks stepped by its threads.
- one_at_a_time: each block alone, in plain eager PyTorch; the reference runs only as far as the block needs it.
- students_alone: plain eager forward, backward, step on ready tensors: no reference, no data.
All train the same blocks of the same reference on the same batches of random 32x32 images with AdamW; the two
others have torch's own threads, as many as ours. Each runs in a process of its own, so that none profits from what
another has set. Times are of `--steps` steps after a first one that is not counted, the least of `--repeats` that
take turns. The first number of options is measured in all three ways, further ones in ours, for the growth.

- whole_build: all that a worker does for a library of the first number of options (whole_build.py), in an epoch of
  `--build-steps` steps; 0 leaves it out. What it takes beside its steps is told for each block.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor, nn

from bench.whole_build import build_s
from donna.nets import families, references
from donna.nets.costs import count
from donna.nets.cut import Cut, cut
from donna.nets.nsr import nsr
from donna.space import Option, expand
from services.distiller import compute
from services.distiller.distill import distill, passes
from services.distiller.recipe import Recipe
from services.distiller.student import enrol

BLOCKS = ("stage1", "stage2", "stage3.unit1", "stage3.unit2", "stage4")
IMAGE = (3, 32, 32)
CHOICES: dict[str, list[Any]] = {
    "kernel": [3, 5],
    "expansion": [2, 3, 4],
    "attention": ["none", "squeeze_excite"],
    "convolution": ["depthwise", "grouped"],
    "depth": [1, 2],
    "activation": ["relu", "silu"],
}


def options(number: int) -> list[Option]:
    """24 options of depth 1 with ReLU; 48 with either depth; 96 with either activation too."""
    fixed: dict[int, dict[str, Any]] = {
        24: {"depth": [1], "activation": ["relu"]},
        48: {"activation": ["relu"]},
        96: {},
    }
    return list(expand("inverted_residual", {**CHOICES, **fixed[number]}))


def reference() -> Cut:
    """A residual network of five blocks for 32x32 images, random weights."""
    torch.manual_seed(0)
    arguments = {"in_channels": IMAGE[0], "num_classes": 10}
    return cut(references.build({"provider": "small_cnn", "arguments": arguments}), BLOCKS, IMAGE)


def ours(
    whole: Cut, chosen: Sequence[Option], images: Sequence[Tensor], threads: int, device: str
) -> Callable[[], float]:
    """The distiller's loop over all blocks together."""
    compute.one_thread_each()
    recipe = Recipe(epochs=1, batch_size=len(images[0]))

    def timed() -> float:
        with compute.working(device, threads) as (place, pool):
            moved = whole.to(place)
            students = [
                enrol(moved, n, option, f"{n}{option}", 0, recipe, place)
                for n in range(len(BLOCKS))
                for option in chosen
            ]
            variances = [torch.ones(shape[0], device=place) for shape in whole.output_shapes]
            with passes(moved, images, place, pool) as maps:
                steps = distill(students, maps, variances, recipe, steps=len(images), first_step=0, pool=pool)
                return _after_the_first(steps, place)

    return timed


def one_at_a_time(
    whole: Cut, chosen: Sequence[Option], images: Sequence[Tensor], threads: int, device: str
) -> Callable[[], float]:
    """Each block alone, with the reference as far as the block's own output."""
    torch.set_num_threads(threads)
    place = _device(device)
    moved = whole.to(place)

    def steps(n: int, option: Option) -> Iterator[int]:
        block, optimizer = _plain(whole, n, option, place)
        variance = torch.ones(whole.output_shapes[n][0], device=place)
        for step, batch in enumerate(images):
            with torch.no_grad():
                x = moved.stem(batch.to(place))
                for earlier in moved.blocks[:n]:
                    x = earlier(x)
                y = moved.blocks[n](x)
            _step(block, optimizer, x, y, variance)
            yield step

    return lambda: sum(_after_the_first(steps(n, o), place) for n in range(len(BLOCKS)) for o in chosen)


def students_alone(
    whole: Cut, chosen: Sequence[Option], images: Sequence[Tensor], threads: int, device: str
) -> Callable[[], float]:
    """Each block on feature maps that are there already."""
    torch.set_num_threads(threads)
    place = _device(device)
    maps = [y.to(place) for y in whole.feature_maps(images[0])]

    def steps(n: int, option: Option) -> Iterator[int]:
        block, optimizer = _plain(whole, n, option, place)
        variance = torch.ones(whole.output_shapes[n][0], device=place)
        for step in range(len(images)):
            _step(block, optimizer, maps[n], maps[n + 1], variance)
            yield step

    return lambda: sum(_after_the_first(steps(n, o), place) for n in range(len(BLOCKS)) for o in chosen)


def _plain(
    whole: Cut, n: int, option: Option, place: torch.device
) -> tuple[nn.Module, torch.optim.Optimizer]:
    block = families.build(option, whole.input_shapes[n], whole.output_shapes[n]).to(place).train()
    return block, torch.optim.AdamW(block.parameters(), lr=1e-3)


def _step(block: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, variance: Tensor) -> None:
    loss = nsr(y, block(x), variance)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _after_the_first(steps: Iterator[int], place: torch.device) -> float:
    """Seconds that all steps but the first take."""
    next(steps)
    _wait(place)
    started = time.perf_counter()
    for _ in steps:
        pass
    _wait(place)
    return time.perf_counter() - started


def _device(device: str) -> torch.device:
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


def _wait(place: torch.device) -> None:
    if place.type == "cuda":
        torch.cuda.synchronize()


def matrix_flops(threads: int, device: str) -> float:
    """FLOP/s of a product of two 2048x2048 matrices, the best of five."""
    torch.set_num_threads(threads)
    place = _device(device)
    a = torch.rand(2048, 2048, device=place)
    best = float("inf")
    for _ in range(5):
        _wait(place)
        started = time.perf_counter()
        a @ a
        _wait(place)
        best = min(best, time.perf_counter() - started)
    return 2 * 2048**3 / best


def training_flops(whole: Cut, chosen: Sequence[Option]) -> int:
    """FLOPs of one image through all students: forward, and twice as much backward."""
    return sum(
        6
        * count(families.build(o, whole.input_shapes[n], whole.output_shapes[n]), whole.input_shapes[n]).macs
        for n in range(len(BLOCKS))
        for o in chosen
    )


def whole_build(
    whole: Cut, chosen: Sequence[Option], images: Sequence[Tensor], threads: int, device: str
) -> Callable[[], float]:
    """As many steps as there are batches, and everything around them."""
    compute.one_thread_each()
    return lambda: build_s(whole, chosen, len(images), len(images[0]), threads, device)


WAYS: dict[str, Callable[[Cut, Sequence[Option], Sequence[Tensor], int, str], Callable[[], float]]] = {
    "ours": ours,
    "one_at_a_time": one_at_a_time,
    "students_alone": students_alone,
    "whole_build": whole_build,
}


COMPARED = ("ours", "one_at_a_time", "students_alone")


def in_a_process(way: str, number: int, given: argparse.Namespace, steps: int) -> float:
    """Seconds of one way, in an interpreter of its own."""
    told = {"only": way, "options": number, "steps": steps}
    told |= {name: getattr(given, name) for name in ("batch_size", "threads", "device")}
    words = [word for name, value in told.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    child = subprocess.run(
        [sys.executable, "-m", "bench.distill", *words], check=True, stdout=subprocess.PIPE, text=True
    )
    return float(child.stdout)


def _build(number: int, given: argparse.Namespace, step_s: float) -> dict[str, float]:
    taken_s = in_a_process(
        "whole_build", number, given, given.build_steps - 1
    )  # one more is made, which counts here
    steps_s = given.build_steps * step_s
    return {
        "steps": given.build_steps,
        "seconds": taken_s,
        "share_of_steps": steps_s / taken_s,
        "seconds_beside_steps_for_each_block": (taken_s - steps_s) / (number * len(BLOCKS)),
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--options", type=int, nargs="+", choices=(24, 48, 96), default=[24])
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--build-steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--only", choices=tuple(WAYS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    whole = reference()
    if given.only:
        images = [torch.rand(given.batch_size, *IMAGE) for _ in range(given.steps + 1)]
        run = WAYS[given.only](whole, options(given.options[0]), images, given.threads, given.device)
        print(run())
        return
    product = matrix_flops(given.threads, given.device)
    results = []
    for number in given.options:
        ways = COMPARED if number == given.options[0] else COMPARED[:1]
        seconds: dict[str, float] = {}
        for _ in range(given.repeats):
            for way in ways:
                taken = in_a_process(way, number, given, given.steps)
                seconds[way] = min(taken, seconds.get(way, taken))
        flops = training_flops(whole, options(number)) * given.batch_size * given.steps / seconds["ours"]
        result: dict[str, Any] = {
            "options": number,
            "students": number * len(BLOCKS),
            "seconds": seconds,
            "ms_per_student_step": 1e3 * seconds["ours"] / (number * len(BLOCKS) * given.steps),
            "flops": flops,
            "share_of_matrix_product": flops / product,
        }
        if len(ways) > 1:
            result["times_faster_than_one_at_a_time"] = seconds["one_at_a_time"] / seconds["ours"]
            result["share_of_students_alone"] = seconds["ours"] / seconds["students_alone"]
            if given.build_steps:
                result["whole_build"] = _build(number, given, seconds["ours"] / given.steps)
        results.append(result)
    report = {
        "bench": "distill",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "device": torch.cuda.get_device_name() if _device(given.device).type == "cuda" else "cpu",
            "cpu": platform.processor() or platform.machine(),
            "threads": given.threads,
            "load_1min": os.getloadavg()[0],
        },
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "settings": {"steps": given.steps, "batch_size": given.batch_size, "repeats": given.repeats},
        "matrix_product_flops": product,
        "results": results,
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
