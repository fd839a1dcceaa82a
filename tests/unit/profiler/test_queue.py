"""The device queue: one holder, priorities, random order among equals, expiry, threads."""

from __future__ import annotations

import random
import threading
import time

import pytest

from donna.errors import Cancelled, FailedPrecondition
from services.profiler.lease import DeviceLease
from services.profiler.queue import DeviceQueue


def first_of(n):
    return 0


def test_one_holder_at_a_time():
    queue = DeviceQueue(first_of)
    a, b = queue.enter(0), queue.enter(0)
    assert queue.take(a, 0.0, 10.0)
    assert not queue.take(b, 1.0, 10.0)
    queue.leave(a)
    assert queue.take(b, 2.0, 10.0)
    assert queue.holds(b, 3.0)
    assert not queue.holds(a, 3.0)


def test_larger_priority_goes_first_even_when_it_comes_later():
    queue = DeviceQueue(first_of)
    holder, low = queue.enter(0), queue.enter(0)
    assert queue.take(holder, 0.0, 10.0)
    queue.leave(holder)
    assert not queue.take(queue.enter(-1), 1.0, 10.0)  # now `low` is drawn as the next
    high = queue.enter(5)
    assert not queue.take(low, 1.0, 10.0)
    assert queue.take(high, 1.0, 10.0)


def test_an_expired_lease_goes_to_the_next():
    queue = DeviceQueue(first_of)
    a, b = queue.enter(0), queue.enter(0)
    assert queue.take(a, 0.0, 10.0)
    assert queue.take(b, 10.5, 10.0)
    assert not queue.holds(a, 10.6)
    queue.leave(a)  # the late one must not free what it lost
    assert queue.holds(b, 10.7)


def test_giving_up_does_not_block_the_others():
    queue = DeviceQueue(first_of)
    a, b = queue.enter(0), queue.enter(0)
    assert not queue.take(b, 0.0, 10.0)  # `a` is drawn as the next
    queue.leave(a)
    assert queue.take(b, 0.0, 10.0)
    assert len(queue) == 0


def test_every_order_of_equals_comes_up():
    seen = set()
    for seed in range(100):
        queue = DeviceQueue(random.Random(seed).randrange)
        tickets = [queue.enter(0) for _ in range(3)]
        order = []
        while len(order) < 3:
            for index, ticket in enumerate(tickets):
                if index not in order and queue.take(ticket, 0.0, 1.0):
                    order.append(index)
                    queue.leave(ticket)
        seen.add(tuple(order))
    assert len(seen) == 6


def test_threads_never_hold_the_device_together():
    lease, inside, most = DeviceLease(), [], []

    def work():
        for _ in range(10):
            with lease.hold(priority=0, lease_s=10, check=lambda: None) as go_on:
                inside.append(1)
                most.append(len(inside))
                go_on()
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 60
    assert max(most) == 1


def test_waiting_ends_when_the_check_says_so():
    lease = DeviceLease()

    def cancelled():
        raise Cancelled("enough")

    with lease.hold(priority=0, lease_s=10, check=lambda: None):
        with pytest.raises(Cancelled), lease.hold(priority=0, lease_s=10, check=cancelled):
            pytest.fail("the device was held twice")
        assert lease.queue_length == 0


def test_a_holder_learns_that_its_lease_ran_out():
    lease = DeviceLease()
    with lease.hold(priority=0, lease_s=0.05, check=lambda: None) as go_on:
        go_on()
        time.sleep(0.1)
        with pytest.raises(FailedPrecondition, match=r"ran out after 0\.05 s") as caught:
            go_on()
    assert caught.value.reason == "TIMEOUT"
