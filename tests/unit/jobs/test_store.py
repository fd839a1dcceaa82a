"""Jobs in SQL: idempotent creation, paging, ends, deletion."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from donna.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from donna.jobs import JobError, JobState, JobStore, Task, TaskSpec, TaskState
from donna.jobs.database import open_database
from donna.jobs.lease import Leases
from donna.jobs.store import check_page_size
from tests.unit.jobs.clock import Clock

KIND = "squares"
ONE = [TaskSpec(key="", spec={"n": 1})]
ERROR = JobError(reason="NO_SQUARE", message="2 has no square", metadata={"n": "2"})


def test_a_job_comes_back_as_it_was_stored(store: JobStore, clock: Clock) -> None:
    spec = {"name": "größer", "list": [1, 2.5, None, True], "map": {"a": {}}}
    tasks = [TaskSpec(key="", spec={"n": n}, label=f"task {n}", units=n + 0.5) for n in range(3)]
    job = store.create(KIND, spec, tasks, request_id="r")
    assert job == store.get(job.name)
    assert (job.spec, job.request_id, job.state, job.created_at) == (spec, "r", JobState.QUEUED, clock.now)
    assert (job.progress.done, job.progress.total, job.progress.eta_s) == (0.0, 4.5, None)
    assert job.name.startswith("squares/")
    stored = store.tasks(job.name)
    assert [(t.index, t.spec, t.label, t.units) for t in stored] == [
        (index, t.spec, t.label, t.units) for index, t in enumerate(tasks)
    ]


def test_a_job_without_tasks_would_never_end(store: JobStore) -> None:
    with pytest.raises(ValueError, match="squares needs at least one task"):
        store.create(KIND, {}, [])


def test_the_same_request_makes_one_job(store: JobStore) -> None:
    first = store.create(KIND, {"a": 1, "b": 2}, ONE, request_id="r")
    assert store.create(KIND, {"b": 2, "a": 1}, ONE, request_id="r") == first
    with pytest.raises(AlreadyExists, match="'r'") as caught:
        store.create(KIND, {"a": 2}, ONE, request_id="r")
    assert caught.value.reason == "REQUEST_ID_REUSED"
    assert store.create("cubes", {"a": 2}, ONE, request_id="r").name != first.name
    assert store.create(KIND, {"a": 1, "b": 2}, ONE).name != store.create(KIND, {"a": 1, "b": 2}, ONE).name
    assert store.count(KIND) == {JobState.QUEUED: 3}


def test_the_same_request_from_many_at_once_makes_one_job(store: JobStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: store.create(KIND, {"a": 1}, ONE, request_id="r").name, range(24)))
    assert len(set(made)) == 1
    assert store.count(KIND) == {JobState.QUEUED: 1}


def test_pages_hold_every_job_once_newest_first_while_others_are_made(store: JobStore, clock: Clock) -> None:
    made = []
    for number in range(25):
        made.append(store.create(KIND, {"n": number}, ONE))
        clock.pass_s(number % 3 == 0)  # two of three share their time of creation
    expected = sorted(made, key=lambda job: (job.created_at, job.name), reverse=True)
    seen, token, sizes = [], "", []
    while True:
        page, token = store.list(KIND, page_size=7, page_token=token)
        seen += page
        sizes.append(len(page))
        if not token:
            break
        store.create(KIND, {}, ONE)
        store.create("cubes", {}, ONE)
    assert [job.name for job in seen] == [job.name for job in expected]
    assert sizes == [7, 7, 7, 4]


def test_the_last_page_has_no_token_even_when_it_is_full(store: JobStore) -> None:
    for _ in range(4):
        store.create(KIND, {}, ONE)
    page, token = store.list(KIND, page_size=4)
    assert len(page) == 4
    assert token == ""
    assert store.list("cubes") == ([], "")


def test_a_page_goes_on_where_a_deleted_job_was(store: JobStore, clock: Clock) -> None:
    names = []
    for _ in range(4):
        names.append(store.create(KIND, {}, ONE).name)
        clock.pass_s(1)
    page, token = store.list(KIND, page_size=2)
    store.cancel(page[-1].name)
    store.delete(page[-1].name)
    rest, _ = store.list(KIND, page_size=2, page_token=token)
    assert [job.name for job in rest] == [names[1], names[0]]


def _token(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        "%%%",
        "é",
        "\x00",
        _token([1.5]),
        _token([1.5, 2]),
        _token({"a": 1}),
        _token(["1.5", "squares/1"]),
        _token([float("nan"), "squares/1"]),
        _token([10**200, "squares/1"]),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)
def test_a_token_that_nobody_made_is_refused(store: JobStore, token: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        store.list(KIND, page_token=token)
    assert [violation.field for violation in caught.value.violations] == ["page_token"]


def test_page_sizes() -> None:
    assert [check_page_size(size) for size in (0, 1, 1000, 1001, 2**31 - 1)] == [50, 1, 1000, 1000, 1000]
    with pytest.raises(InvalidArgument, match="page_size: must not be negative, got -1"):
        check_page_size(-1)


def test_what_ended_stays_as_it_is(store: JobStore) -> None:
    ends = {
        JobState.CANCELLED: store.cancel,
        JobState.SUCCEEDED: lambda name: store.succeed(name, {"sum": 1}),
        JobState.FAILED: lambda name: store.fail(name, ERROR),
    }
    for state, end in ends.items():
        job = store.create(KIND, {}, ONE)
        ended = end(job.name)
        assert ended.state is state
        assert ended.ended_at is not None
        assert ended.revision > job.revision
        for other_state, other in ends.items():
            if other_state is state:
                assert other(job.name) == ended  # twice is once
            else:
                with pytest.raises(FailedPrecondition, match=f"is {state} and cannot become {other_state}"):
                    other(job.name)
        assert store.get(job.name) == ended


def test_how_a_job_ended_can_be_read(store: JobStore) -> None:
    succeeded = store.succeed(store.create(KIND, {}, ONE).name, {"sum": 1})
    assert succeeded.result == {"sum": 1}
    assert succeeded.progress.done == succeeded.progress.total == 1.0
    assert store.fail(store.create(KIND, {}, ONE).name, ERROR).error == ERROR


def test_of_two_ends_at_once_one_holds(store: JobStore) -> None:
    names = [store.create(KIND, {}, ONE).name for _ in range(12)]

    def end(number: int) -> str:
        name = names[number // 2]
        try:
            return str((store.cancel(name) if number % 2 else store.succeed(name, {})).state)
        except FailedPrecondition:
            return "refused"

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(end, range(24)))
    for number, name in enumerate(names):
        pair = said[2 * number : 2 * number + 2]
        assert sorted([*pair]) == sorted([str(store.get(name).state), "refused"])


def test_only_an_ended_job_can_be_deleted_and_its_results_stay(store: JobStore) -> None:
    job = store.create(KIND, {}, [TaskSpec(key="k", spec={})])
    with pytest.raises(FailedPrecondition, match="is QUEUED; cancel it first"):
        store.delete(job.name)
    leases = Leases(store, kind=KIND, owner="a")
    task = leases.claim()
    assert task is not None
    leases.complete(task, {"square": 1}, {})
    store.succeed(job.name, {})
    store.delete(job.name)
    with pytest.raises(NotFound, match=job.name):
        store.get(job.name)
    assert store.tasks(job.name) == []
    assert store.recall(["k", "unknown"]) == {"k": {"square": 1}}
    with pytest.raises(NotFound):
        store.delete(job.name)
    with pytest.raises(NotFound):
        store.cancel(job.name)


def test_a_deleted_job_frees_its_request_id(store: JobStore) -> None:
    first = store.create(KIND, {"a": 1}, ONE, request_id="r")
    store.cancel(first.name)
    store.delete(first.name)
    assert store.create(KIND, {"a": 2}, ONE, request_id="r").name != first.name


def test_remembered_results_answer_at_creation(store: JobStore) -> None:
    leases = Leases(store, kind=KIND, owner="a")
    store.create(KIND, {}, [TaskSpec(key="k", spec={})])
    task = leases.claim()
    assert task is not None
    leases.complete(task, {"square": 1}, {})
    specs = [TaskSpec(key=key, spec={}, units=units) for key, units in (("k", 3.0), ("new", 1.0), ("", 1.0))]
    job = store.create(KIND, {"again": True}, specs)
    stored = store.tasks(job.name)
    assert [t.state for t in stored] == [TaskState.DONE, TaskState.QUEUED, TaskState.QUEUED]
    assert [t.reused for t in stored] == [True, False, False]
    assert stored[0].result == {"square": 1}
    assert (job.progress.done, job.progress.total) == (3.0, 5.0)
    assert store.task_states(job.name) == {TaskState.DONE: 1, TaskState.QUEUED: 2}


def test_more_keys_than_one_query_takes(store: JobStore) -> None:
    specs = [TaskSpec(key=f"k{n}", spec={}) for n in range(1201)]
    store.create(KIND, {}, specs)
    leases = Leases(store, kind=KIND, owner="a")
    first = leases.claim()
    assert first is not None
    leases.remember(first, "k1200", {"n": 1200}, {})
    assert store.recall(f"k{n}" for n in range(1201)) == {"k1200": {"n": 1200}}


def test_revisions_and_active_jobs(store: JobStore, clock: Clock) -> None:
    first = store.create(KIND, {}, ONE)
    clock.pass_s(1)
    second = store.create(KIND, {}, ONE)
    assert [*store.active_states(KIND)] == [first.name, second.name]
    store.cancel(first.name)
    assert [*store.active_states(KIND)] == [second.name]
    assert store.revisions([first.name, second.name, "squares/none"]) == {first.name: 2, second.name: 1}
    assert store.revisions([]) == {}


def test_jobs_are_ripe_when_all_is_done_or_a_task_has_failed(store: JobStore, clock: Clock) -> None:
    two = [TaskSpec(key="", spec={}), TaskSpec(key="", spec={})]
    failing, lasting = store.create(KIND, {}, two), store.create(KIND, {}, two)
    leases = Leases(store, kind=KIND, owner="a")

    def claim(job: str) -> Task:
        task = leases.claim(job)
        assert task is not None
        return task

    leases.complete(claim(lasting.name), {}, {})
    assert store.ripe(KIND) == []
    assert store.active_states(KIND) == {failing.name: JobState.QUEUED, lasting.name: JobState.RUNNING}
    leases.fail(claim(failing.name), JobError(reason="X", message="x"))
    assert [job.name for job in store.ripe(KIND)] == [failing.name]
    leases.complete(claim(lasting.name), {}, {})
    assert {job.name for job in store.ripe(KIND)} == {failing.name, lasting.name}
    store.cancel(failing.name)
    assert [job.name for job in store.ripe(KIND)] == [lasting.name]
    assert store.active_states(KIND).keys() == {lasting.name}
    assert store.ripe("others") == []


def test_a_store_that_is_gone_says_so(tmp_path) -> None:
    file = tmp_path / "jobs.db"
    store = JobStore(open_database(f"sqlite:///{file}"))
    store.check()
    for part in tmp_path.iterdir():
        part.unlink()
    with pytest.raises(Unavailable, match="the database file is gone"):
        store.check()


@pytest.mark.parametrize(
    "url",
    ["", "jobs.db", "unheard://host/db", "sqlite://", "sqlite:///:memory:", "postgresql+nodriver://host/db"],
)
def test_a_database_url_that_is_none_names_the_setting(url: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        open_database(url)
    assert [violation.field for violation in caught.value.violations] == ["database"]


def test_a_database_that_cannot_be_opened_is_a_sentence() -> None:
    with pytest.raises(FailedPrecondition, match="the database cannot be opened: unable to open"):
        open_database("sqlite:////nowhere/to/be/found.db")


def test_a_full_queue_refuses_until_a_job_has_ended(store: JobStore) -> None:
    small = JobStore(store.engine, store.clock, max_active=2)
    first = small.create(KIND, {"n": 1}, ONE, request_id="first")
    small.create(KIND, {"n": 2}, ONE)
    with pytest.raises(ResourceExhausted, match="2 squares wait or run already") as caught:
        small.create(KIND, {"n": 3}, ONE)
    assert (caught.value.reason, caught.value.retry_after_s) == ("TOO_MANY_JOBS", 10.0)
    assert small.create(KIND, {"n": 1}, ONE, request_id="first").name == first.name  # it is there already
    small.create("cubes", {}, ONE)
    small.cancel(first.name)
    assert small.create(KIND, {"n": 3}, ONE).state is JobState.QUEUED
