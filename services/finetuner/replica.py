"""One of several processes that train one network, started by torchrun: see replicas.py.

    torchrun --standalone --nproc-per-node 2 -m services.finetuner.replica FOLDER

FOLDER holds task.json; the first process writes progress lines and checkpoint.safetensors while it works, and
weights.safetensors or error.json at the end; any process that cannot go on writes error.json: `kind` (the name of the
error's class) and what the class takes.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch
from torch import distributed

from donna.errors import DonnaError
from donna.jobs import lifeline
from donna.nets import weights
from donna.nets.device import choose_device
from donna.nets.memory import ran_out
from donna.service import open_artifacts
from donna.settings import read_settings
from services.finetuner.checkpoint import Checkpoint
from services.finetuner.group import Group
from services.finetuner.materials import Materials
from services.finetuner.request import Request
from services.finetuner.settings import FinetunerSettings
from services.finetuner.workshop import Workshop


def main() -> None:
    """Trains with the others of its group; torchrun tells it who it is."""
    lifeline.hold()
    folder = Path(sys.argv[1])
    settings = read_settings(FinetunerSettings)
    torch.set_num_threads(settings.threads)
    cuda = settings.device != "cpu" and torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if cuda else "gloo")
    group = Group(rank=distributed.get_rank(), size=distributed.get_world_size())
    try:
        _train(folder, settings, group)
    except Exception as error:
        if isinstance(error, DonnaError):
            kind, after = type(error).__name__, error.retry_after_s
            said = {"kind": kind, "message": error.message, "reason": error.reason, "retry_after_s": after}
        elif ran_out(error):
            said = {"kind": MemoryError.__name__, "message": str(error)}
        else:
            raise
        write(folder / "error.json", json.dumps(said).encode())
        sys.exit(1)  # others may wait for this one: torchrun ends them
    distributed.destroy_process_group()


def _train(folder: Path, settings: FinetunerSettings, group: Group) -> None:
    artifacts = open_artifacts(settings)
    workshop = Workshop(Materials(artifacts, settings.data_root, choose_device(settings.device)))
    request = Request.parse(json.loads((folder / "task.json").read_text()))
    saved = folder / "checkpoint.safetensors"
    first = group.rank == 0

    def on_step(done: int, total: int) -> None:
        if first:
            write(folder / "progress.json", json.dumps([done, total]).encode())

    def on_epoch(checkpoint: Checkpoint) -> None:
        if first:
            write(saved, checkpoint.dump())

    network = workshop.build(request, request.networks[0])
    resume = Checkpoint.read(saved.read_bytes()) if saved.exists() else None
    distributed.barrier()  # nobody writes a checkpoint before all have looked for one
    workshop.train(network, request, resume=resume, group=group, on_step=on_step, on_epoch=on_epoch)
    if first:
        write(folder / "weights.safetensors", weights.dump(network))


def write(path: Path, data: bytes) -> None:
    """The file appears whole or not at all."""
    written = path.with_suffix(f".{os.getpid()}.part")
    written.write_bytes(data)
    written.replace(path)


if __name__ == "__main__":
    main()
