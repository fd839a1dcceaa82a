"""Agents that dial out: a hub in this process, a real agent that nothing can reach but through its stream."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from typer.testing import CliRunner

from donna.cli.app import build
from donna.errors import (
    AlreadyExists,
    DonnaError,
    InvalidArgument,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from donna.rpc.authentication import Gate, digest_of
from donna.rpc.channel import Remote, open_channel
from donna.rpc.hub import DeviceHub, hub_endpoint
from donna.rpc.server import Server
from donna.rpc.status import from_rpc_error
from donna.v1 import (
    common_pb2,
    hub_pb2,
    hub_pb2_grpc,
    profiler_pb2_grpc,
    searcher_pb2,
    searcher_pb2_grpc,
)
from donna.v1 import profiler_pb2 as pb
from services.profiler.description import Descriptions
from services.profiler.devices import Devices
from services.profiler.hub import dialler
from services.profiler.settings import ProfilerSettings
from tests.unit.graphs import fragments as make
from tests.unit.profiler import agent

TOKEN = "a-token-of-the-hub"
GOOD = make.conv(3, 4, 8).SerializeToString()


class Hub:
    """A device hub in a loop of its own thread."""

    def __init__(self, folder: Path, *, listen: str = "127.0.0.1:0") -> None:
        self.addresses: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        hub = DeviceHub(self._on_agent, self.addresses.pop, known=folder / "agents.json")
        gate = Gate(lambda: {digest_of(TOKEN): "agent"})
        self._server = Server([hub_endpoint(hub)], listen=listen, healthy=lambda: True, gate=gate)
        self.address = self._wait(self._server.start())

    def _on_agent(self, name: str, address: str) -> None:
        if name == "taken":
            raise AlreadyExists("the name taken belongs to a profiler known from the settings")
        self.addresses[name] = address

    def _wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def stop(self) -> None:
        self._wait(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)

    @contextmanager
    def remote(self, name: str) -> Iterator[Remote]:
        eventually(lambda: name in self.addresses)
        with open_channel(self.addresses[name]) as channel:
            yield Remote(profiler_pb2_grpc.ProfilerServiceStub, channel, deadline_s=10.0)


def eventually(holds, seconds: float = 30.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def answers(remote: Remote) -> bool:
    try:
        return bool(remote.ListDevices(pb.ListDevicesRequest(), deadline_s=2.0).devices)
    except DonnaError:
        return False


@pytest.fixture
def hub(tmp_path):
    made = Hub(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def told(tmp_path, hub):
    token = tmp_path / "token"
    token.write_text(TOKEN)
    return {"HUB": hub.address, "HUB_AGENT": "lab", "HUB_TOKEN_FILE": str(token)}


def test_measures_on_an_agent_that_dialled_in_and_comes_back(tmp_path, hub, told):
    folder = tmp_path / "agent"
    folder.mkdir()
    with agent.running(folder, **told), hub.remote("lab") as remote:
        eventually(lambda: answers(remote))
        big = make.conv(128, 256, 4, kernel=5).SerializeToString()
        assert agent.upload(remote, big)  # 3 MB through the stream
        network = agent.whole(agent.upload(remote, GOOD))
        first = agent.finished(remote, agent.create(remote, network, request_id="one"))
        assert first.job.state == common_pb2.JOB_STATE_SUCCEEDED
    with hub.remote("lab") as remote, pytest.raises(Unavailable):
        remote.ListDevices(pb.ListDevicesRequest())
    with agent.running(folder, **told), hub.remote("lab") as remote:
        eventually(lambda: answers(remote))
        # The same order again is answered by what was done, and not done twice.
        again = agent.create(remote, network, request_id="one")
        assert again.name == first.name
        assert again.result == first.result


def test_an_agent_outlives_its_hub(tmp_path, told, hub):
    folder = tmp_path / "agent"
    folder.mkdir()
    with agent.running(folder, **told):
        with hub.remote("lab") as remote:
            eventually(lambda: answers(remote))
            network = agent.whole(agent.upload(remote, GOOD))
            before = agent.create(remote, network, request_id="in flight")
        hub.stop()
        second = Hub(tmp_path, listen=hub.address)
        hub._wait, hub._loop = second._wait, second._loop  # the fixture stops the second one
        hub._server = second._server
        assert "lab" in second.addresses  # known before it is back
        with second.remote("lab") as remote:
            eventually(lambda: answers(remote))
            after = agent.create(remote, network, request_id="in flight")
            assert after.name == before.name
            assert agent.finished(remote, after).job.state == common_pb2.JOB_STATE_SUCCEEDED


def say(hub: Hub, *frames: hub_pb2.AttachRequest, token: str = TOKEN, hold: bool = False):
    """The hub's first answer to these frames."""
    closing = threading.Event()

    def requests():
        yield from frames
        if hold:
            closing.wait(20)

    with open_channel(hub.address) as channel:
        metadata = (("authorization", f"Bearer {token}"),)
        call = hub_pb2_grpc.DeviceHubServiceStub(channel).Attach(requests(), metadata=metadata, timeout=20)
        try:
            return next(call)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None
        finally:
            closing.set()


def hello(name: str, instance: str = "i" * 16) -> hub_pb2.AttachRequest:
    return hub_pb2.AttachRequest(hello=hub_pb2.AgentHello(agent=name, instance=instance))


def test_strangers_and_wrong_hellos_are_refused(tmp_path, hub, told):
    with pytest.raises(Unauthenticated):
        say(hub, hello("x"), token="wrong")
    with pytest.raises(InvalidArgument, match="must be the first frame, got data"):
        say(hub, hub_pb2.AttachRequest(data=hub_pb2.ConnectionData(connection=1, data=b"x")))
    with pytest.raises(InvalidArgument, match="must be the first frame"):
        say(hub)
    for name in ("../x", "", "a b", "x" * 40):
        with pytest.raises(InvalidArgument, match=r"hello\.agent"):
            say(hub, hello(name))
    with pytest.raises(InvalidArgument, match=r"hello\.instance"):
        say(hub, hello("x", instance="short"))
    with pytest.raises(AlreadyExists, match="known from the settings"):
        say(hub, hello("taken"))
    assert not hub.addresses
    assert say(hub, hello("fine"), hold=True).welcome.agent == "fine"
    folder = tmp_path / "agent"
    folder.mkdir()
    with agent.running(folder, **told), hub.remote("lab") as remote:
        eventually(lambda: answers(remote))
        with pytest.raises(AlreadyExists, match="the name lab belongs to another agent"):
            say(hub, hello("lab", instance="somebody else entirely"))
        assert answers(remote)


@pytest.mark.parametrize("field", ["TLS_CERTIFICATE", "TOKEN_FILE", "TOKENS"])
def test_an_agent_whose_answers_could_not_come_through_the_stream_does_not_start(tmp_path, field):
    settings = ProfilerSettings(state=tmp_path, hub="127.0.0.1:1", **{field.lower(): "some file"})
    with pytest.raises(InvalidArgument, match="an agent that dials a hub serves it in plain text") as refused:
        dialler(settings, Devices([]), Descriptions([]))
    assert [v.field for v in refused.value.violations] == [field.lower()]


def test_a_name_is_kept_for_its_agent_until_that_has_been_away_for_long(tmp_path, monkeypatch) -> None:
    (tmp_path / "agents.json").write_text(json.dumps({"lab": "its own instance"}))
    hub = Hub(tmp_path)
    try:
        with pytest.raises(AlreadyExists, match="the name lab belongs to another agent"):
            say(hub, hello("lab", instance="somebody else entirely"))
        assert say(hub, hello("lab", instance="its own instance"), hold=True).welcome.agent == "lab"
        monkeypatch.setattr("donna.rpc.hub.HOLD_S", 0.0)
        eventually(lambda: taken_over(hub))
        found = json.loads((tmp_path / "agents.json").read_text())
        assert found == {"lab": "somebody else entirely"}
    finally:
        hub.stop()


def test_a_full_hub_forgets_who_is_away_for_longest_and_nobody_who_is_here(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("donna.rpc.hub.MAX_AGENTS", 2)
    (tmp_path / "agents.json").write_text(json.dumps({"old": "i" * 16, "older": "i" * 16}))
    hub = Hub(tmp_path)
    try:
        with pytest.raises(ResourceExhausted, match="none has been away for 10 min") as refused:
            say(hub, hello("new"))
        assert refused.value.reason == "TOO_MANY_AGENTS"
        assert say(hub, hello("old"), hold=True).welcome.agent == "old"
        monkeypatch.setattr("donna.rpc.hub.HOLD_S", 0.0)
        assert say(hub, hello("new"), hold=True).welcome.agent == "new"
        assert set(hub.addresses) == {"old", "new"}
        assert set(json.loads((tmp_path / "agents.json").read_text())) == {"old", "new"}
    finally:
        hub.stop()


def taken_over(hub: Hub) -> bool:
    try:
        return say(hub, hello("lab", instance="somebody else entirely"), hold=True).welcome.agent == "lab"
    except AlreadyExists:  # the first one's stream is still there
        return False


def test_an_agent_comes_back_while_its_old_line_hangs(tmp_path, hub) -> None:
    """Half-open: the hub has not noticed that the old stream is dead, and what it has for it waits for ever."""
    closing = threading.Event()

    def frames():
        yield hello("lab")
        closing.wait(60)

    with open_channel(hub.address) as channel:
        metadata = (("authorization", f"Bearer {TOKEN}"),)
        old = hub_pb2_grpc.DeviceHubServiceStub(channel).Attach(frames(), metadata=metadata, timeout=60)
        assert next(old).welcome.agent == "lab"
        host, port = hub.addresses["lab"].split(":")
        crowd = [socket.create_connection((host, int(port))) for _ in range(20)]
        for each in crowd:  # more than the old stream, which nobody reads, takes
            each.setblocking(False)
        eventually(lambda: all(full(each) for each in crowd))
        started = time.monotonic()
        assert say(hub, hello("lab"), hold=True).welcome.agent == "lab"
        assert time.monotonic() - started < 15
        for each in crowd:
            each.close()
        closing.set()


def full(each: socket.socket) -> bool:
    """Whether the connection takes nothing more."""
    try:
        while True:
            each.send(b"x" * (1 << 20))
    except BlockingIOError:
        time.sleep(0.02)
        try:
            each.send(b"x")
        except BlockingIOError:
            return True
        return False


def test_searcher_and_command_show_agents_that_dialled_in(tmp_path):
    token = tmp_path / "token"
    token.write_text(TOKEN)
    searcher, folder = tmp_path / "searcher", tmp_path / "agent"
    folder.mkdir()
    with agent.service("searcher", searcher, TOKEN_FILE=str(token), RETRY_S="0.2") as address:
        with (
            agent.running(folder, HUB=address, HUB_AGENT="lab", HUB_TOKEN_FILE=str(token)),
            open_channel(address) as channel,
        ):
            remote = Remote(searcher_pb2_grpc.SearcherServiceStub, channel, token=TOKEN)

            def reachable():
                found = remote.ListSearchDevices(searcher_pb2.ListSearchDevicesRequest()).search_devices
                return [device.name for device in found if device.reachable] == ["lab"]

            eventually(reachable)
            words = ["devices", "--endpoint", f"searcher={address}"]
            told = {"DONNA_TOKEN_FILE": str(token), "COLUMNS": "200"}
            (device,) = json.loads(CliRunner().invoke(build(), [*words, "--json"], env=told).stdout)
            assert (device["profiler"], device["backend"], device["reachable"]) == (
                "lab",
                "onnxruntime",
                True,
            )
            assert device["kind"] in CliRunner().invoke(build(), words, env=told).stdout
