"""What is timed on an accelerator: the network, and no copies. The processor plays the accelerator here."""

from __future__ import annotations

import numpy as np
import pytest

from services.profiler import session as runtime
from tests.unit.graphs import fragments as make

SETTINGS = {"provider": runtime.CPU, "threads": 1, "graph_optimization": "all", "provider_options": {}}


class Watched:
    """A session that notes what is called on it."""

    def __init__(self, session) -> None:
        self._session = session
        self.calls = []

    def __getattr__(self, name):
        def noted(*arguments):
            self.calls.append(name)
            return getattr(self._session, name)(*arguments)

        return noted


@pytest.fixture
def session():
    return runtime.open_session(make.conv(3, 4, 8).SerializeToString(), SETTINGS)


def test_copies_are_made_before_the_clock_starts(session, monkeypatch):
    monkeypatch.setitem(runtime._ON_DEVICE, runtime.CPU, "cpu")
    watched, feeds = Watched(session), runtime.inputs(session, 2)
    run = runtime.runner(watched, feeds, runtime.CPU)
    assert "io_binding" in watched.calls
    watched.calls.clear()
    run()
    run()
    assert watched.calls == ["run_with_iobinding"] * 2


def test_what_is_bound_is_what_would_be_fed(session, monkeypatch):
    feeds = runtime.inputs(session, 2)
    bound = []
    bind = type(session.io_binding()).bind_ortvalue_input
    monkeypatch.setattr(
        type(session.io_binding()),
        "bind_ortvalue_input",
        lambda self, name, value: (bound.append((name, value.numpy())), bind(self, name, value)),
    )
    monkeypatch.setitem(runtime._ON_DEVICE, runtime.CPU, "cpu")
    runtime.runner(session, feeds, runtime.CPU)()
    assert [name for name, _ in bound] == list(feeds)
    np.testing.assert_array_equal(bound[0][1], feeds["x"])
    assert feeds["x"].shape == (2, 3, 8, 8)
