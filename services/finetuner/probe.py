"""How long an epoch takes: a few real steps, in a process of its own: `python -m services.finetuner.probe`.

The service itself carries no torch (see reference_check.py).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from services.finetuner.request import Request

STEPS = 4
DEADLINE_S = 30


def epoch_s(request: Request) -> float | None:
    """Seconds of an epoch of the first network of an admitted request, in one process of this machine; None when that
    cannot be told: the network cannot be built, has fewer than three steps, or half a minute is not enough."""
    try:
        child = subprocess.run(
            [sys.executable, "-m", "services.finetuner.probe"],
            input=json.dumps(request.to_dict()),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return float(child.stdout) if child.returncode == 0 else None


class _Enough(Exception):
    """As many steps as are needed were done."""


def main() -> int:
    """Reads a request from standard input, writes seconds."""
    import torch

    from donna.nets.device import choose_device
    from donna.service import open_artifacts
    from donna.settings import read_settings
    from services.finetuner.materials import Materials
    from services.finetuner.settings import FinetunerSettings
    from services.finetuner.workshop import Workshop

    request = Request.parse(json.load(sys.stdin))
    settings = read_settings(FinetunerSettings)
    torch.set_num_threads(settings.threads)
    artifacts = open_artifacts(settings)
    device = choose_device(settings.device)
    workshop = Workshop(Materials(artifacts, settings.data_root, device))
    network = workshop.build(request, request.networks[0])
    times: list[float] = []

    def on_step(done: int, total: int) -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter())
        if len(times) > STEPS:
            raise _Enough

    try:
        workshop.train(network, request, resume=None, on_step=on_step, on_epoch=lambda checkpoint: None)
    except _Enough:
        pass
    if len(times) < 3:
        return 1
    step_s = (times[-1] - times[0]) / (len(times) - 1)  # the first one, which warms up, is not in it
    images = len(workshop.materials.dataset(request.dataset, request.identity).split("training"))
    print(step_s * request.recipe.steps_per_epoch(images))
    return 0


if __name__ == "__main__":
    sys.exit(main())
