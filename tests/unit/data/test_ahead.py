"""Batches made ahead: the same ones, errors included, and no thread left behind."""

import threading

import pytest

from donna.data.ahead import ahead


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "batches"]


def test_the_same_batches_in_the_same_order_from_another_thread():
    makers = set()

    def batches():
        for i in range(100):
            makers.add(threading.current_thread().name)
            yield i

    assert list(ahead(batches())) == list(range(100))
    assert makers == {"batches"}
    assert not threads()


def test_an_error_is_raised_after_the_batches_before_it():
    def batches():
        yield 1
        raise ValueError("row 17 is not an image")

    running = ahead(batches())
    assert next(running) == 1
    with pytest.raises(ValueError, match="row 17"):
        next(running)
    assert not threads()


def test_leaving_early_ends_the_thread_and_no_more_is_made_than_the_depth():
    made = []

    def batches():
        for i in range(10**6):
            made.append(i)
            yield i

    running = ahead(batches(), depth=3)
    assert next(running) == 0
    running.close()
    assert not threads()
    assert len(made) <= 5
