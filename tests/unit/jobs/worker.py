"""The worker process of the tests: `python -m tests.unit.jobs.worker`."""

import os

from donna.jobs.database import open_database
from donna.jobs.placement import worker_main
from donna.jobs.store import JobStore
from tests.unit.jobs.squares import Squares

if __name__ == "__main__":
    worker_main(JobStore(open_database(os.environ["DONNA_TEST_DATABASE"])), Squares(), lease_s=1.0)
