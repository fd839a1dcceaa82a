"""Writes behind the work: in order, one at a time, and no error is lost."""

import threading

import pytest

from services.searcher.background import Background


def test_calls_run_in_order_and_one_at_a_time() -> None:
    done: list[int] = []
    gate = threading.Event()

    def first() -> None:
        gate.wait(10)
        done.append(1)

    with Background() as background:
        background.run(first)
        assert done == []  # the caller goes on meanwhile
        gate.set()
        background.run(lambda: done.append(2))
        assert done[0] == 1
    assert done == [1, 2]


def test_an_error_comes_out_at_the_next_call_or_at_the_end() -> None:
    def fail() -> None:
        raise OSError("the disk is full")

    def two_calls() -> None:
        with Background() as background:
            background.run(fail)
            background.run(lambda: None)
            raise AssertionError("not reached")

    def one_call() -> None:
        with Background() as background:
            background.run(fail)

    for work in (two_calls, one_call):
        with pytest.raises(OSError, match="full"):
            work()


def test_an_error_of_the_work_itself_is_not_hidden() -> None:
    def work() -> None:
        with Background() as background:
            background.run(lambda: None)
            raise KeyError("the work")

    with pytest.raises(KeyError):
        work()
