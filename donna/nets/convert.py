"""A PyTorch checkpoint (`.pth`) as safetensors: `python -m donna.nets.convert SOURCE TARGET [KEY]`.

Such a file is a pickle, which can run code when it is read. This is the one place that reads one that somebody gives,
only ever in a process of its own (the command `donna convert` starts it), with torch's loader of plain weights, which
refuses everything else, and under the kernel's limits of memory, processor time and bytes written.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from donna.errors import DonnaError, FailedPrecondition, InvalidArgument
from donna.nets.weights import dump_state

CPU_S = 600
MEMORY_FACTOR, MEMORY_BYTES = 6, 1 << 30
"""Memory beside the libraries': so many times the file, for what was read and what is written, and a rest."""
REFUSED = 2
WRAPPERS = ("state_dict", "model_state_dict", "model")


def main(arguments: list[str]) -> int:
    """Converts; a sentence on standard error and code 2 when it cannot."""
    source, target, key = Path(arguments[0]), Path(arguments[1]), arguments[2] if len(arguments) > 2 else ""
    try:
        confine(source.stat().st_size)
        state = tensors(read(source), key)
        written = target.with_name(f"{target.name}.part")
        try:
            written.write_bytes(dump_state(state))
            written.replace(target)
        finally:
            written.unlink(missing_ok=True)
    except (DonnaError, OSError, MemoryError) as error:
        sys.stderr.write(str(error) or "there is not enough memory")
        return REFUSED
    print(len(state), sum(tensor.numel() for tensor in state.values()))
    return 0


def confine(size_bytes: int) -> None:
    """Sets limits on this process for a file of that size."""
    limits = {
        resource.RLIMIT_CPU: CPU_S,
        resource.RLIMIT_FSIZE: 2 * size_bytes + (1 << 20),
        resource.RLIMIT_CORE: 0,
    }
    if sys.platform == "linux":  # elsewhere nothing tells what the libraries have taken already
        in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limits[resource.RLIMIT_AS] = in_use + MEMORY_FACTOR * size_bytes + MEMORY_BYTES
    for kind, limit in limits.items():
        resource.setrlimit(kind, (limit, limit))


def read(path: Path) -> Any:
    """What the file holds: tensors, numbers, texts and containers of them.

    Raises FailedPrecondition for a file that holds anything else, which is not run, and for one that is damaged.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # the loader raises anything
        raise FailedPrecondition(
            f"{path} holds more than weights, or is damaged; nothing in it was run ({type(error).__name__})"
        ) from None


def tensors(found: Any, key: str) -> dict[str, Tensor]:
    """The tensors under `key`, or, without one, at the top or under a usual name. Raises InvalidArgument."""
    if key:
        if not isinstance(found, Mapping) or key not in found:
            raise InvalidArgument.of("--key", f"{key!r} is not in the file; it has {_names(found)}")
        found = found[key]
    elif isinstance(found, Mapping):
        found = next((found[name] for name in WRAPPERS if isinstance(found.get(name), Mapping)), found)
    if not isinstance(found, Mapping) or not found:
        raise InvalidArgument.of("--key", f"there are no named tensors here, but {_names(found)}")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise InvalidArgument.of(
                "--key", f"{name!r} is no tensor but {type(value).__name__}; the file has {_names(found)}"
            )
    return dict(found)


def _names(found: Any) -> str:
    if not isinstance(found, Mapping):
        return f"a {type(found).__name__}"
    names = [str(name) for name in found]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
