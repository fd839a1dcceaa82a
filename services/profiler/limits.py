"""What a measuring child may take: memory, processor time, files; and that it dies with its parent."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
PROFILE_BYTES = 256 << 20


def die_with_parent(parent: int) -> None:
    """On Linux the kernel kills this process when the parent's thread that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def confine(*, memory_limit_bytes: int, cpu_s: float, writes_bytes: int, address_space: bool) -> None:
    """Sets limits of the kernel: addresses beyond those in use now (if `address_space`; accelerators reserve
    more than they ever touch), processor seconds, size of written files, no core dumps.

    Call it after the imports: what they mapped shall not count.
    """
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_CPU, max(1, int(cpu_s)))
    _lower(resource.RLIMIT_FSIZE, writes_bytes)
    if address_space:
        _lower(resource.RLIMIT_AS, _status_bytes("VmSize") + memory_limit_bytes)
    # The last resort where no kernel kills orphans: this signal ends even native code that hangs.
    signal.alarm(max(1, int(cpu_s)))


def peak_memory_bytes() -> int:
    """Largest resident size of this process so far.

    Not `ru_maxrss`: Linux starts that at the size of the process that called exec.
    """
    if sys.platform == "linux":
        return _status_bytes("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _status_bytes(field: str) -> int:
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            found = next(line for line in status if line.startswith(f"{field}:"))
    except (OSError, StopIteration):
        return 0
    return int(found.split()[1]) * 1024


def _lower(kind: int, limit: int) -> None:
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
