"""Whose turn it is: one measurement at a time on a device, priorities over all that waits, devices apart."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from donna.errors import FailedPrecondition, NotFound
from donna.jobs import TaskSpec
from donna.jobs.database import open_database
from donna.jobs.engine import Engine
from donna.jobs.record import JobState
from donna.jobs.store import JobStore
from services.profiler.turns import Turns
from services.profiler.work import lease

DEVICES = ("devices/a", "devices/b")


class Bench:
    """Work that lasts until it is let go; `started` has the labels in order, `most` the most at once by device."""

    kind = "measurements"

    def __init__(self) -> None:
        self.started: list[str] = []
        self.gates = {device: threading.Event() for device in DEVICES}
        self.busy: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    def tasks(self, spec):
        return [TaskSpec(key="", spec=spec)]

    def run(self, task, report):
        device = task.spec["device"]
        if device not in DEVICES:
            raise NotFound(f"{device} is not a device of this host")
        self.busy[device] += 1
        self.most[device] = max(self.most[device], self.busy[device])
        self.started.append(task.spec["label"])
        try:
            while not self.gates[device].wait(0.01):
                report.check()
        finally:
            self.busy[device] -= 1
        return {}

    def result(self, job, tasks):
        return {}


@pytest.fixture
def store(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield JobStore(database)
    database.dispose()


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def turns(store, bench):
    return Turns(store, bench, DEVICES)


@pytest.fixture
def engine(store, bench, turns):
    made = Engine(store, bench, turns)
    yield made
    for gate in bench.gates.values():
        gate.set()
    made.close()


def ask(engine, label, device="devices/a", priority=0):
    return engine.create({"label": label, "device": device, "priority": priority}).name


def until(holds):
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def done(store, *names):
    until(lambda: all(store.get(name).state.ended for name in names))
    return [store.get(name).state for name in names]


def test_priorities_order_everything_that_waits(store, bench, engine):
    first = ask(engine, "first")
    engine.start()
    until(lambda: bench.started == ["first"])
    names = [first, *(ask(engine, "normal") for _ in range(30))]
    names += [ask(engine, "idle", priority=-1), ask(engine, "urgent", priority=7)]
    bench.gates["devices/a"].set()
    assert set(done(store, *names)) == {JobState.SUCCEEDED}
    assert bench.started == ["first", "urgent", *["normal"] * 30, "idle"]
    assert bench.most == {"devices/a": 1}


def test_devices_do_not_wait_for_each_other(store, bench, engine):
    engine.start()
    stuck = [ask(engine, "a") for _ in range(10)]
    until(lambda: bench.started == ["a"])
    bench.gates["devices/b"].set()
    assert done(store, *(ask(engine, "b", "devices/b") for _ in range(5))) == [JobState.SUCCEEDED] * 5
    assert bench.started == ["a", *["b"] * 5]
    bench.gates["devices/a"].set()
    assert done(store, *stuck) == [JobState.SUCCEEDED] * 10
    assert bench.most == {"devices/a": 1, "devices/b": 1}


def test_equals_go_in_the_order_drawn(store, bench, engine):
    names = [ask(engine, str(index)) for index in range(4)]
    drawn = [0.3, 0.1, 0.4, 0.2]
    assert Turns(store, bench, DEVICES, draw=iter(drawn).__next__).order("devices/a") == [
        names[index] for index in (1, 3, 0, 2)
    ]
    turns = Turns(store, bench, DEVICES)
    assert len({tuple(turns.order("devices/a")) for _ in range(300)}) == 24


def test_the_queue_is_what_waits_for_a_device(store, bench, turns, engine):
    ask(engine, "b", "devices/b")
    names = [ask(engine, str(index)) for index in range(3)]
    assert (turns.waiting("devices/a"), turns.waiting("devices/b")) == (3, 1)
    engine.start()
    until(lambda: len(bench.started) == 2)
    assert (turns.waiting("devices/a"), turns.waiting("devices/b")) == (2, 0)
    store.cancel(next(name for name in names if store.get(name).state is JobState.QUEUED))
    assert turns.waiting("devices/a") == 1


def test_what_was_cancelled_while_it_waited_is_never_begun(store, bench, engine):
    engine.start()
    ask(engine, "first")
    until(lambda: bench.started == ["first"])
    store.cancel(ask(engine, "cancelled"))
    bench.gates["devices/a"].set()
    done(store, ask(engine, "last"))
    assert bench.started == ["first", "last"]


def test_a_device_that_is_gone_from_the_settings_fails_its_measurements(store, engine):
    engine.start()
    gone = ask(engine, "gone", "devices/c")
    assert done(store, gone) == [JobState.FAILED]
    assert store.get(gone).error.message == "devices/c is not a device of this host"


def test_what_waits_outlives_the_agent(store, bench, engine):
    engine.start()
    running = ask(engine, "running")
    until(lambda: bench.started == ["running"])
    waiting = ask(engine, "waiting", priority=-1)
    engine.close()
    bench.gates["devices/a"].set()
    second = Engine(store, bench, Turns(store, bench, DEVICES))
    second.start()
    assert done(store, running, waiting) == [JobState.SUCCEEDED] * 2
    second.close()
    assert bench.started == ["running", "running", "waiting"]


def test_a_lease_runs_out():
    looks = []
    go_on = lease(lambda: looks.append(1), 0.05)
    go_on()
    time.sleep(0.1)
    with pytest.raises(FailedPrecondition, match=r"ran out after 0\.05 s") as caught:
        go_on()
    assert caught.value.reason == "TIMEOUT"
    assert len(looks) == 2
