"""Jobs that nobody works on."""

from donna.jobs import JobError, JobState, JobStore, TaskSpec
from donna.jobs.lease import Leases
from donna.jobs.unattended import Unattended
from tests.unit.jobs.clock import Clock

KIND = "squares"


def test_since_when_nobody_works_on_a_job(store: JobStore, clock: Clock) -> None:
    now = 0.0
    unattended = Unattended(store, KIND, lambda: now)
    job = store.create(KIND, {}, [TaskSpec(key="", spec={}), TaskSpec(key="", spec={})]).name
    store.create("cubes", {}, [TaskSpec(key="", spec={})])
    assert unattended.look() == {job: 0.0}
    now = 7.0
    assert unattended.look() == {job: 7.0}
    leases = Leases(store, kind=KIND, owner="a")
    task = leases.claim()
    assert unattended.look() == {}, "one of its tasks is in work"
    now = 9.0
    clock.pass_s(10)  # its worker was lost
    assert unattended.look() == {job: 0.0}
    assert task is not None
    other = leases.claim()
    assert other is not None
    leases.fail(other, JobError(reason="AWAY", message="the device is away"), retry_in_s=60.0)
    clock.pass_s(10)
    again = leases.claim()
    assert again is not None
    leases.complete(again, {}, {})
    assert unattended.look() == {}, "what is left pauses, and has said why"
    clock.pass_s(60)
    assert unattended.look() == {job: 0.0}
    store.cancel(job)
    assert unattended.look() == {}


def test_a_worker_that_came_meanwhile_is_not_waited_for(store: JobStore) -> None:
    unattended = Unattended(store, KIND)
    job = store.create(KIND, {}, [TaskSpec(key="", spec={})]).name
    unattended.look()
    assert Leases(store, kind=KIND, owner="a").claim() is not None
    unattended.tell(job, "a worker")
    assert store.get(job).state is JobState.RUNNING


def test_what_is_told_twice_changes_nothing(store: JobStore) -> None:
    unattended = Unattended(store, KIND)
    job = store.create(KIND, {}, [TaskSpec(key="", spec={})]).name
    for _ in range(2):
        unattended.look()
        unattended.tell(job, "a node")
    found = store.get(job)
    assert (found.state, found.waiting_for, found.revision) == (JobState.WAITING, "a node", 2)
    unattended.look()
    unattended.tell(job, "an image")
    assert store.get(job).waiting_for == "an image"
