"""Leases with fencing, in a time that the test moves."""

import time

import pytest
from sqlalchemy.exc import IntegrityError

from donna.jobs import Job, JobError, JobState, JobStore, Task, TaskSpec, TaskState
from donna.jobs.lease import MAX_ATTEMPTS, LeaseLost, Leases
from tests.unit.jobs.clock import Clock

KIND = "squares"
ERROR = JobError(reason="NO_SQUARE", message="2 has no square")


def create(store: JobStore, *keys: str, **spec: object) -> Job:
    return store.create(KIND, dict(spec), [TaskSpec(key=key, spec={}, label=f"task {key}") for key in keys])


def worker(store: JobStore, owner: str) -> Leases:
    return Leases(store, kind=KIND, owner=owner, ttl_s=6.0)


def must(task: Task | None) -> Task:
    assert task is not None
    return task


def test_tasks_are_claimed_once_oldest_job_first_in_order(store: JobStore, clock: Clock) -> None:
    old = create(store, "", "")
    clock.pass_s(1)
    new = create(store, "")
    other = Leases(store, kind="cubes", owner="z")
    a, b = worker(store, "a"), worker(store, "b")
    claimed = [a.claim(), b.claim(), a.claim(), b.claim()]
    assert [(t.job, t.index) for t in claimed if t] == [(old.name, 0), (old.name, 1), (new.name, 0)]
    assert other.claim() is None
    assert store.get(old.name).state is JobState.RUNNING
    assert store.get(old.name).started_at == clock.now


def test_a_worker_may_be_bound_to_one_job(store: JobStore, clock: Clock) -> None:
    create(store, "")
    clock.pass_s(1)
    second = create(store, "")
    assert must(worker(store, "a").claim(second.name)).job == second.name
    assert worker(store, "a").claim(second.name) is None


def test_the_claimed_task_is_what_is_stored(store: JobStore) -> None:
    job = create(store, "k")
    task = must(worker(store, "a").claim())
    assert task == store.tasks(job.name)[0]
    assert (task.state, task.attempt, task.fence) == (TaskState.RUNNING, 1, 1)


def test_a_lease_that_ran_out_goes_to_another_and_the_first_can_write_nothing(
    store: JobStore, clock: Clock
) -> None:
    job = create(store, "k")
    a, b = worker(store, "a"), worker(store, "b")
    stale = must(a.claim())
    clock.pass_s(5.9)
    assert b.claim() is None
    clock.pass_s(0.2)
    taken = must(b.claim())
    assert (taken.index, taken.fence, taken.attempt) == (0, stale.fence + 1, 2)
    before = store.get(job.name), store.tasks(job.name)
    for write in (
        lambda: a.renew(stale),
        lambda: a.report(stale, fraction=0.9, message="late", cost={"measurements": 1}),
        lambda: a.report(stale, checkpoint={"epoch": 9}),
        lambda: a.report(stale, checkpoint={"epoch": 9}, part=(0, {"late": True})),
        lambda: a.report(stale, partial={"front": []}),
        lambda: a.report(stale, waiting_for="rain"),
        lambda: a.remember(stale, "other", {"late": True}, {"measurements": 1}),
        lambda: a.complete(stale, {"late": True}, {"measurements": 1}),
        lambda: a.fail(stale, ERROR),
        lambda: a.fail(stale, ERROR, retry_in_s=0.0),
        lambda: a.release(stale),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert (store.get(job.name), store.tasks(job.name)) == before
    assert store.recall(["k", "other"]) == {}
    assert b.checkpoint(taken) is None
    assert b.parts(taken) == []
    b.complete(taken, {"square": 1}, {"measurements": 1})
    assert store.recall(["k"]) == {"k": {"square": 1}}
    assert store.get(job.name).cost == {"measurements": 1}


def test_a_checkpoint_grows_by_parts_and_they_go_with_it(store: JobStore) -> None:
    job = create(store, "", "")
    a = worker(store, "a")
    task, other = must(a.claim()), must(a.claim())
    a.report(other, checkpoint={}, part=(0, {"of": "another task"}))
    for n in range(3):
        a.report(task, checkpoint={"seen": n}, part=(n, {"n": n}))
    assert (a.checkpoint(task), a.parts(task)) == ({"seen": 2}, [{"n": 0}, {"n": 1}, {"n": 2}])
    a.report(task, checkpoint={"seen": 3})
    a.report(task, fraction=0.5)
    assert len(a.parts(task)) == 3
    with pytest.raises(IntegrityError):  # nothing of it is written
        a.report(task, checkpoint={"seen": 9}, part=(2, {}))
    assert (a.checkpoint(task), len(a.parts(task))) == ({"seen": 3}, 3)
    a.report(task, checkpoint={"seen": 4}, part=(0, {"anew": True}))
    assert a.parts(task) == [{"anew": True}]
    a.complete(task, {}, {})
    assert a.parts(task) == []
    store.cancel(job.name)
    assert a.parts(other) == [{"of": "another task"}]  # what was found can still be read
    store.delete(job.name)
    assert a.parts(other) == []


def test_a_renewed_lease_does_not_run_out(store: JobStore, clock: Clock) -> None:
    create(store, "k")
    a, b = worker(store, "a"), worker(store, "b")
    task = must(a.claim())
    for write in (lambda: a.renew(task), lambda: a.report(task, fraction=0.5)):
        clock.pass_s(5)
        write()
        clock.pass_s(5)
        assert b.claim() is None
        write()


def test_a_late_worker_that_nobody_replaced_may_still_finish(store: JobStore, clock: Clock) -> None:
    job = create(store, "k")
    a = worker(store, "a")
    task = must(a.claim())
    clock.pass_s(60)
    a.complete(task, {"square": 1}, {})
    assert store.task_states(job.name) == {TaskState.DONE: 1}


@pytest.mark.parametrize("end", ["cancel", "fail", "delete"])
def test_when_the_job_has_ended_its_workers_can_write_nothing(store: JobStore, end: str) -> None:
    job = create(store, "k")
    a = worker(store, "a")
    task = must(a.claim())
    if end == "fail":
        store.fail(job.name, ERROR)
    else:
        store.cancel(job.name)
    if end == "delete":
        store.delete(job.name)
    with pytest.raises(LeaseLost):
        a.renew(task)
    with pytest.raises(LeaseLost):
        a.complete(task, {"square": 1}, {})
    assert store.recall(["k"]) == {}
    assert a.claim() is None


def test_a_task_that_loses_every_worker_fails_in_the_end(store: JobStore, clock: Clock) -> None:
    job = create(store, "k")
    for attempt in range(MAX_ATTEMPTS):
        assert must(worker(store, f"w{attempt}").claim()).attempt == attempt + 1
        clock.pass_s(7)
    assert worker(store, "last").claim() is None
    failed = store.tasks(job.name)[0]
    assert failed.state is TaskState.FAILED
    assert failed.error is not None
    assert failed.error.reason == "WORKER_LOST"
    assert failed.error.message == "task k lost its worker 5 times without getting further"


def test_a_task_that_gets_further_may_lose_more_workers(store: JobStore, clock: Clock) -> None:
    job = create(store, "k")
    for attempt in range(2 * MAX_ATTEMPTS):
        leases = worker(store, f"w{attempt}")
        task = must(leases.claim())
        leases.report(task, checkpoint={"epoch": attempt})
        clock.pass_s(7)
    last = worker(store, "last")
    assert last.checkpoint(must(last.claim())) == {"epoch": 2 * MAX_ATTEMPTS - 1}
    assert store.task_states(job.name) == {TaskState.RUNNING: 1}


def test_release_gives_the_task_back_and_the_attempt_does_not_count(store: JobStore) -> None:
    job = create(store, "k")
    a = worker(store, "a")
    for fence in range(1, MAX_ATTEMPTS + 3):
        task = must(a.claim())
        assert (task.attempt, task.fence) == (1, fence)
        a.release(task, {"compute_s": 1.0})
    assert store.get(job.name).cost == {"compute_s": MAX_ATTEMPTS + 2.0}


def test_trying_again_waits_and_ends(store: JobStore, clock: Clock) -> None:
    job = create(store, "k")
    a = worker(store, "a")
    for _ in range(MAX_ATTEMPTS - 1):
        a.fail(must(a.claim()), ERROR, retry_in_s=3.0, cost={"compute_s": 1.0})
        assert (store.get(job.name).state, store.get(job.name).waiting_for) == (
            JobState.WAITING,
            ERROR.message,
        )
        assert a.claim() is None
        clock.pass_s(2.9)
        assert a.claim() is None
        clock.pass_s(0.2)
    a.fail(must(a.claim()), ERROR, retry_in_s=3.0, cost={"compute_s": 1.0})
    assert store.tasks(job.name)[0].error == ERROR
    assert store.get(job.name).cost == {"compute_s": 5.0}


def test_a_clock_that_is_set_back_holds_nobody_up(store: JobStore, clock: Clock) -> None:
    """The lease of a worker that died, and the pause of a task, were written in a time that is not yet again."""
    create(store, "leased", "pausing")
    lost = must(worker(store, "lost").claim())
    a = worker(store, "a")
    a.fail(must(a.claim()), ERROR, retry_in_s=3.0)
    clock.pass_s(-7200)
    again, paused = must(a.claim()), must(a.claim())
    assert {again.key, paused.key} == {"leased", "pausing"}
    with pytest.raises(LeaseLost):
        worker(store, "lost").complete(lost, {}, {})
    assert a.claim() is None  # a lease of now is a lease


def test_a_clock_that_jumps_ahead_counts_nothing_twice(store: JobStore, clock: Clock) -> None:
    job = create(store, "k")
    slow, quick = worker(store, "slow"), worker(store, "quick")
    first = must(slow.claim())
    clock.pass_s(7200)
    second = must(quick.claim())
    quick.complete(second, {"by": "quick"}, {"compute_s": 1.0})
    with pytest.raises(LeaseLost):
        slow.complete(first, {"by": "slow"}, {"compute_s": 9.0})
    assert store.tasks(job.name)[0].result == {"by": "quick"}
    assert store.get(job.name).cost == {"compute_s": 1.0}


def test_after_a_silence_nobody_takes_what_may_still_be_worked_at(
    store: JobStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store was away for longer than leases last, or this worker was; the same key elsewhere waits, too."""
    now = time.monotonic()
    monkeypatch.setattr("donna.jobs.outage.time.monotonic", lambda: now)
    create(store, "k", "new")
    worker_a, b = worker(store, "a"), worker(store, "b")
    task = must(worker_a.claim())
    create(store, "k", second=True)
    now += 60
    clock.pass_s(60)
    assert must(b.claim()).key == "new", "what nobody has begun waits for nobody"
    for _ in range(3):
        assert b.claim() is None
        now += 1.9
    assert b.claim() is None
    now += 0.4
    assert must(b.claim()).index == task.index


def test_two_jobs_never_compute_the_same_key_at_once(store: JobStore, clock: Clock) -> None:
    first = create(store, "k")
    clock.pass_s(1)  # the older job is worked on first
    second = create(store, "k", "k", "other", second=True)
    a, b = worker(store, "a"), worker(store, "b")
    task = must(a.claim())
    assert must(b.claim()).key == "other"
    assert b.claim() is None
    a.complete(task, {"square": 1}, {"measurements": 1})
    assert b.claim() is None  # the other two are answered, not computed
    answered = store.tasks(second.name)[:2]
    assert [(t.state, t.reused, t.result) for t in answered] == [(TaskState.DONE, True, {"square": 1})] * 2
    assert store.get(second.name).progress.done == 2.0
    assert store.get(second.name).cost == {}
    assert store.get(first.name).cost == {"measurements": 1}


def test_a_key_whose_worker_was_lost_is_computed_by_one_of_the_jobs(store: JobStore, clock: Clock) -> None:
    create(store, "k")
    create(store, "k", second=True)
    must(worker(store, "a").claim())
    clock.pass_s(7)
    b = worker(store, "b")
    must(b.claim())
    assert worker(store, "c").claim() is None
    assert b.claim() is None


def test_the_key_of_a_cancelled_job_is_free_when_its_worker_has_noticed(
    store: JobStore, clock: Clock
) -> None:
    first = create(store, "k")
    must(worker(store, "a").claim())
    second = create(store, "k", second=True)
    store.cancel(first.name)
    clock.pass_s(7)
    assert must(worker(store, "b").claim()).job == second.name


def test_a_result_remembered_after_creation_answers_at_claim(store: JobStore) -> None:
    job = create(store, "k", "new")
    a = worker(store, "a")
    create(store, "k2", other=True)
    helper = must(Leases(store, kind=KIND, owner="h").claim(job.name))  # takes "k" of the first job
    a.remember(helper, "new", {"square": 4}, {"blocks_trained": 1})
    assert a.claim(job.name) is None
    stored = store.tasks(job.name)[1]
    assert (stored.state, stored.reused, stored.result) == (TaskState.DONE, True, {"square": 4})


def test_a_result_with_an_error_is_not_remembered(store: JobStore) -> None:
    """Else what failed once would stay failed in every later job."""
    job = create(store, "k")
    a = worker(store, "a")
    a.complete(must(a.claim()), {"error": {"reason": "DIVERGED"}}, {})
    assert store.tasks(job.name)[0].state is TaskState.DONE
    again = create(store, "k")
    assert must(a.claim()).job == again.name


def test_what_is_remembered_twice_costs_once(store: JobStore) -> None:
    job = create(store, "k")
    a = worker(store, "a")
    task = must(a.claim())
    assert a.remember(task, "x", {"n": 1}, {"blocks_trained": 1})
    assert not a.remember(task, "x", {"n": 2}, {"blocks_trained": 1})
    a.complete(task, {}, {"blocks_trained": 0.5})
    assert store.recall(["x"]) == {"x": {"n": 1}}
    assert store.get(job.name).cost == {"blocks_trained": 1.5}


def test_reports_add_up(store: JobStore) -> None:
    job = create(store, "", "")
    a, b = worker(store, "a"), worker(store, "b")
    one, two = must(a.claim()), must(b.claim())
    a.report(one, fraction=0.5, message="half", cost={"measurements": 1})
    b.report(two, fraction=7.0, cost={"measurements": 2, "device_s": 0.5}, partial={"front": [1]})
    now = store.get(job.name)
    assert (now.progress.done, now.progress.message) == (1.5, "half")
    assert now.cost == {"measurements": 3, "device_s": 0.5}
    assert now.result == {"front": [1]}
    revisions = [now.revision]
    a.report(one, fraction=0.6)
    revisions.append(store.get(job.name).revision)
    a.complete(one, {}, {})
    revisions.append(store.get(job.name).revision)
    assert revisions == sorted(set(revisions))


def test_waiting_ends_with_progress_a_result_or_a_new_worker(store: JobStore, clock: Clock) -> None:
    job = create(store, "", "")
    a = worker(store, "a")
    task = must(a.claim())

    def wait() -> None:
        a.report(task, waiting_for="a device")
        assert (store.get(job.name).state, store.get(job.name).waiting_for) == (JobState.WAITING, "a device")

    def runs() -> bool:
        return (store.get(job.name).state, store.get(job.name).waiting_for) == (JobState.RUNNING, "")

    wait()
    a.report(task, fraction=0.1, waiting_for="")
    assert runs()
    wait()
    clock.pass_s(7)
    task = must(a.claim())
    assert runs()
    wait()
    a.complete(task, {}, {})
    assert runs()


def test_the_work_of_a_lost_worker_is_not_progress_unless_it_was_saved(store: JobStore, clock: Clock) -> None:
    job = create(store, "", "")
    a = worker(store, "a")
    lost, saved = must(a.claim()), must(a.claim())
    a.report(lost, fraction=0.8)
    a.report(saved, fraction=0.5, checkpoint={"epoch": 1})
    clock.pass_s(7)
    must(a.claim())
    must(a.claim())
    assert store.get(job.name).progress.done == 0.5


def test_the_estimate_follows_the_pace(store: JobStore, clock: Clock) -> None:
    job = create(store, *[""] * 10)
    a = worker(store, "a")

    def eta() -> float | None:
        return store.get(job.name).progress.eta_s

    assert eta() is None
    for done in range(1, 5):
        task = must(a.claim())
        clock.pass_s(2)
        a.complete(task, {}, {})
        assert eta() == pytest.approx(2.0 * (10 - done))
    clock.pass_s(3600)  # nobody is at work
    task = must(a.claim())
    assert eta() is None
    clock.pass_s(2)
    a.complete(task, {}, {})
    assert eta() == pytest.approx(2.0 * 5)


def test_the_estimate_does_not_count_what_was_remembered(store: JobStore, clock: Clock) -> None:
    a = worker(store, "a")
    create(store, *[f"k{n}" for n in range(8)])
    while task := a.claim():
        a.complete(task, {}, {})
    job = create(store, *[f"k{n}" for n in range(10)], again=True)
    task = must(a.claim())
    clock.pass_s(4)
    a.complete(task, {}, {})
    assert store.get(job.name).progress.done == 9
    assert store.get(job.name).progress.eta_s == pytest.approx(4.0)


def test_how_many_workers_are_worth_starting(store: JobStore, clock: Clock) -> None:
    job = create(store, "", "", "")
    a = worker(store, "a")
    assert a.waiting_tasks() == 3
    a.complete(must(a.claim()), {}, {})
    assert a.waiting_tasks() == 2
    a.fail(must(a.claim()), ERROR, retry_in_s=10)
    assert a.waiting_tasks() == 1
    store.cancel(job.name)
    assert a.waiting_tasks() == 0
