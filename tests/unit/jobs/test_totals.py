"""Totals of a kind of job: every ledger counted once, whatever ends, is deleted or runs on in the meantime."""

from donna.jobs import JobStore, TaskSpec
from donna.jobs.lease import Leases
from donna.jobs.record import JobState, TaskState
from donna.jobs.totals import OVERLAP_S, Totals
from tests.unit.jobs.clock import Clock


def spend(store: JobStore, *, end: bool) -> str:
    """A job of two tasks; one is worked on and costs 2 block-epochs, and ends the job where `end`."""
    name = store.create("squares", {}, [TaskSpec(key="", spec={}), TaskSpec(key="", spec={})]).name
    task = Leases(store, kind="squares", owner="me").claim(name)
    assert task is not None
    Leases(store, kind="squares", owner="me").report(task, cost={"block_epochs": 2.0})
    if end:
        store.cancel(name)
    return name


def test_states_and_tasks_of_active_jobs(store: JobStore) -> None:
    totals = Totals(store, "squares")
    assert set(totals.jobs().values()) == {0}
    spend(store, end=True)
    spend(store, end=False)
    store.create("others", {}, [TaskSpec(key="", spec={})])
    assert totals.jobs() == dict.fromkeys(JobState, 0) | {JobState.RUNNING: 1, JobState.CANCELLED: 1}
    assert totals.tasks() == dict.fromkeys(TaskState, 0) | {TaskState.QUEUED: 1, TaskState.RUNNING: 1}


def test_every_ledger_counts_once(store: JobStore, clock: Clock) -> None:
    totals = Totals(store, "squares")
    assert totals.cost() == {}
    ended = spend(store, end=True)
    running = spend(store, end=False)
    assert totals.cost()["block_epochs"] == totals.cost()["block_epochs"] == 4.0
    store.delete(ended)
    store.cancel(running)
    assert totals.cost()["block_epochs"] == 4.0
    clock.now += 2 * OVERLAP_S
    spend(store, end=True)
    assert totals.cost()["block_epochs"] == totals.cost()["block_epochs"] == 6.0
    clock.now -= OVERLAP_S / 2  # another process whose clock is late
    spend(store, end=True)
    assert totals.cost()["block_epochs"] == 8.0


def test_those_who_ask_later_are_told_the_same_of_what_is_there(store: JobStore) -> None:
    spend(store, end=True)
    assert Totals(store, "squares").cost() == Totals(store, "squares").cost() == {"block_epochs": 2.0}
