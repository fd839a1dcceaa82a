"""What ended long ago leaves, and nothing that somebody may still want."""

from donna.jobs import JobState, JobStore, TaskSpec
from donna.jobs.lease import Leases
from donna.jobs.pruning import prune
from tests.unit.jobs.clock import Clock

KIND = "squares"


def ended(store: JobStore, clock: Clock, key: str) -> str:
    clock.now += 1
    job = store.create(KIND, {"at": clock.now}, [TaskSpec(key=key, spec={})])
    task = Leases(store, kind=KIND, owner="a").claim()
    if task is not None:
        Leases(store, kind=KIND, owner="a").complete(task, {"square": 1}, {})
    return store.succeed(job.name, {}).name


def test_the_oldest_ended_jobs_leave_with_what_only_they_remembered(store: JobStore, clock: Clock) -> None:
    waiting = store.create(KIND, {}, [TaskSpec(key="w", spec={})])
    assert Leases(store, kind=KIND, owner="a").claim() is not None  # nobody ends it
    other = store.create("cubes", {}, [TaskSpec(key="c", spec={})])
    store.cancel(other.name)
    old, shared, new = (ended(store, clock, key) for key in ("old", "shared", "new"))
    again = ended(store, clock, "shared")
    assert prune(store, KIND, 4) == 0
    assert prune(store, KIND, 2) == 2
    names = {job.name for job in store.list(KIND)[0]}
    assert names == {waiting.name, new, again}
    assert not store.tasks(old) and not store.tasks(shared)
    assert set(store.recall(["old", "shared", "new"])) == {"shared", "new"}
    assert store.get(other.name).state is JobState.CANCELLED
