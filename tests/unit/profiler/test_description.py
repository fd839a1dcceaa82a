"""One device that leaves, hangs or fails hides no other."""

from __future__ import annotations

import threading

from donna.errors import FailedPrecondition
from services.profiler.description import Descriptions
from tests.unit.profiler.test_work import Scripted, identity


class Leaving(Scripted):
    def state(self):
        raise FailedPrecondition("phone b is not connected", reason="DEVICE_LOST")


class Hanging(Scripted):
    asked = 0
    end = threading.Event()

    def fingerprint(self):
        type(self).asked += 1
        self.end.wait(20)
        return {"driver": "late"}


def test_each_device_is_asked_by_itself(monkeypatch):
    monkeypatch.setattr("services.profiler.description.ANSWER_S", 0.3)
    devices = [
        kind(identity=identity(name)) for kind, name in ((Scripted, "a"), (Leaving, "b"), (Hanging, "c"))
    ]
    descriptions = Descriptions(devices)
    fine, leaving, hanging = descriptions.of(devices)
    assert (fine.away, fine.fingerprint) == ("", {"driver": "1"})
    assert (leaving.away, leaving.fingerprint, leaving.state) == ("phone b is not connected", {}, {})
    assert hanging.away == "it has not described itself within 0.3 s"
    assert descriptions.of(devices[2:])[0].away
    assert Hanging.asked == 1  # nobody asks it again before it has answered
    Hanging.end.set()
    descriptions._asked["devices/c"].result(20)
    assert descriptions.of(devices[2:])[0].fingerprint == {"driver": "late"}
