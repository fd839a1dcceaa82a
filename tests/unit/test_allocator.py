import subprocess
import sys

import pytest

ARENAS = """
import ctypes, sys, threading
from donna.allocator import Option, set_options
if int(sys.argv[1]):
    set_options({Option.MOST_ARENAS: int(sys.argv[1])})
together = threading.Barrier(8)
def allocate():
    kept = [bytearray(2_000) for _ in range(100)]
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
@pytest.mark.parametrize("most", [0, 2])
def test_threads_share_as_many_arenas_as_are_allowed(most):
    ran = subprocess.run(
        [sys.executable, "-c", ARENAS, str(most)], capture_output=True, text=True, check=True, timeout=60
    )
    arenas = ran.stderr.count("Arena ")
    assert arenas > 2 if most == 0 else arenas == 2
