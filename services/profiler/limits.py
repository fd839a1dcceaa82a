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


class Memory:
    """The memory of this process. Opened once: a confined process cannot open anything any more."""

    def __init__(self) -> None:
        self._status = open("/proc/self/status", encoding="ascii") if sys.platform == "linux" else None

    @property
    def peak_bytes(self) -> int:
        """Largest resident size so far.

        Not `ru_maxrss`: Linux starts that at the size of the process that called exec.
        """
        if self._status is not None:
            return self._bytes("VmHWM")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024

    @property
    def address_space_bytes(self) -> int:
        """Addresses in use now; 0 where the system does not tell."""
        return self._bytes("VmSize") if self._status is not None else 0

    def _bytes(self, field: str) -> int:
        assert self._status is not None  # noqa: S101 - for the type checker
        self._status.seek(0)
        return next(int(line.split()[1]) * 1024 for line in self._status if line.startswith(f"{field}:"))


def confine(*, memory: Memory, memory_limit_bytes: int, cpu_s: float, files: bool, accelerator: bool) -> None:
    """Sets limits of the kernel on this process.

    Addresses beyond those in use now (not for an accelerator: those reserve more than they ever touch),
    processor seconds, no core dumps, and no files: neither opened nor written, unless `files` or `accelerator`
    (whose drivers are files). Call it after the imports, which need both.
    """
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_CPU, max(1, int(cpu_s)))
    _lower(resource.RLIMIT_FSIZE, PROFILE_BYTES if files else 0)
    if not files and not accelerator:
        _lower(resource.RLIMIT_NOFILE, _first_free_descriptor())
    if not accelerator:
        _lower(resource.RLIMIT_AS, memory.address_space_bytes + memory_limit_bytes)
    # The last resort where no kernel kills orphans: this signal ends even native code that hangs.
    signal.alarm(max(1, int(cpu_s)))


def _first_free_descriptor() -> int:
    # Descriptors are given out from the lowest free number, so all below this one are taken.
    probe = os.dup(0)
    os.close(probe)
    return probe


def _lower(kind: int, limit: int) -> None:
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
