"""Claims and completes tasks until none is left, and prints which: `python -m tests.unit.jobs.claimer URL`."""

import sys

from donna.jobs.database import open_database
from donna.jobs.lease import Leases
from donna.jobs.store import JobStore

if __name__ == "__main__":
    leases = Leases(JobStore(open_database(sys.argv[1])), kind="squares", owner=sys.argv[2], ttl_s=60.0)
    sys.stdin.readline()  # all start at once
    while task := leases.claim():
        sys.stdout.write(f"{task.job} {task.index} {task.fence}\n")
        leases.complete(task, {"by": sys.argv[2]}, {"measurements": 1.0})
