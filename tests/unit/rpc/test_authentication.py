"""Who may call what: roles by token and by certificate, secrets that change, and secrets that stay secret."""

from __future__ import annotations

import errno
import logging
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import grpc
import pytest

from donna.errors import DonnaError, InvalidArgument, PermissionDenied, Unauthenticated
from donna.rpc import roles
from donna.rpc.authentication import Gate, digest_of, read_tokens
from donna.rpc.channel import Remote, open_channel
from donna.rpc.reloaded import Reloaded
from donna.rpc.tls import channel_credentials, server_credentials
from donna.v1 import profiler_pb2 as pb
from donna.v1.profiler_pb2_grpc import ProfilerServiceStub
from tests.trust.everything import RPCS
from tests.unit.jobs.clock import eventually
from tests.unit.rpc.serving import Small, endpoint, serving


def may(role: roles.Role, method: str) -> bool:
    try:
        roles.check_role(role, method)
    except PermissionDenied:
        return False
    return True


def test_the_table_has_every_method_of_the_contract_and_no_other() -> None:
    assert {f"/{service}/{name}" for service, methods in roles.MAY.items() for name in methods} == set(RPCS)
    assert not any(may(role, "/donna.v1.DistillerService/Unheard") for role in roles.ROLES)
    assert not any(may(role, "nonsense") for role in roles.ROLES)


def test_what_each_role_may() -> None:
    allowed = {role: {rpc for rpc in RPCS if may(role, rpc)} for role in roles.ROLES}
    assert allowed["admin"] == set(RPCS)
    assert allowed["agent"] == {"/donna.v1.DeviceHubService/Attach"}
    assert allowed["client"] == set(RPCS) - allowed["agent"]
    assert not any(
        verb in rpc for rpc in allowed["reader"] for verb in ("Create", "Delete", "Cancel", "Upload")
    )
    assert {rpc.split("/")[1] for rpc in allowed["searcher"]} == {
        "donna.v1.PredictorService", "donna.v1.ProfilerService"
    }  # fmt: skip


def ask(address: str, token: str = "", credentials: grpc.ChannelCredentials | None = None) -> str:
    with open_channel(address, credentials) as channel:
        remote = Remote(ProfilerServiceStub, channel, token=token, deadline_s=20)
        return str(remote.GetDevice(pb.GetDeviceRequest(name="devices/1")).device.name)


def test_a_token_opens_what_its_role_may_and_nothing_else() -> None:
    gate = Gate(lambda: {digest_of("for-agents"): "agent", digest_of("for-readers"): "reader"})
    with serving(endpoint(Small()), gate=gate) as address:
        assert ask(address, "for-readers") == "devices/1"
        with pytest.raises(PermissionDenied, match="the role agent may not call GetDevice") as caught:
            ask(address, "for-agents")
        assert caught.value.metadata["role"] == "agent"
        with pytest.raises(Unauthenticated):
            ask(address, digest_of("for-readers"))  # the digest is no token


def test_tokens_are_read_from_a_file_for_each_role(tmp_path: Path) -> None:
    (tmp_path / "admin-token").write_text("one\n")
    folder = tmp_path / "tokens"
    folder.mkdir()
    (folder / "agent").write_text(f"two\n\nsha256:{digest_of('three')}\n")
    (folder / "README").write_text("no role")
    found = read_tokens(str(tmp_path / "admin-token"), str(folder))
    assert found == {digest_of("one"): "admin", digest_of("two"): "agent", digest_of("three"): "agent"}
    (folder / "reader").write_text("two")
    with pytest.raises(InvalidArgument, match="is that of another role too") as caught:
        read_tokens("", str(folder))
    assert "two" not in caught.value.message
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InvalidArgument, match="has none of the files admin, client"):
        read_tokens("", str(empty))


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InvalidArgument, match=r"^tokens: .* cannot be listed: Permission denied"):
        Reloaded(lambda: read_tokens("", str(tmp_path)), str(tmp_path))


def test_a_token_changes_while_the_service_runs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "token"
    file.write_text("old-token")
    tokens = Reloaded(lambda: read_tokens(str(file), ""), str(file), look_s=0.0)
    with serving(endpoint(Small()), gate=Gate(tokens)) as address:
        assert ask(address, "old-token") == "devices/1"
        file.write_text("old-token\nnew-token")
        assert ask(address, "new-token") == ask(address, "old-token") == "devices/1"
        with caplog.at_level(logging.WARNING):
            file.write_text("")  # as a writer leaves it for a moment
            assert ask(address, "new-token") == "devices/1"
        assert "the former content stays" in caplog.text
        file.write_text("new-token")
        with pytest.raises(Unauthenticated):
            ask(address, "old-token")
    assert "new-token" not in caplog.text


class Authority:
    """Certificates by an authority of the test's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._openssl(
            "req", "-x509", *self._new_key(), "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test"
        )

    def _new_key(self) -> tuple[str, ...]:
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True)

    def issue(self, name: str, alternative: str = "IP:127.0.0.1") -> tuple[str, str]:
        """Files of a certificate and its key."""
        self._openssl(
            "req", "-x509", *self._new_key(), "-CA", "ca.pem", "-CAkey", "ca.key",
            "-addext", f"subjectAltName={alternative}",
            "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}",
        )  # fmt: skip
        return self.pem(name), str(self._folder / f"{name}.key")

    def pem(self, name: str = "ca") -> str:
        return str(self._folder / f"{name}.pem")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    return Authority(tmp_path_factory.mktemp("certificates"))


def test_with_client_certificates_their_role_counts(authority: Authority) -> None:
    credentials = server_credentials(*authority.issue("server"), authority.pem())
    ca = authority.pem()
    with serving(endpoint(Small()), credentials=credentials, gate=Gate(certificates=True)) as address:
        client = channel_credentials(ca, *authority.issue("client", "URI:donna:client"))
        assert ask(address, credentials=client) == "devices/1"
        agent = channel_credentials(ca, *authority.issue("agent", "URI:donna:agent"))
        with pytest.raises(PermissionDenied, match="the role agent may not"):
            ask(address, credentials=agent)
        for name, alternative in (("none", "IP:127.0.0.1"), ("two", "URI:donna:client,URI:donna:agent")):
            unclear = channel_credentials(ca, *authority.issue(name, alternative))
            with pytest.raises(PermissionDenied, match="must name one role"):
                ask(address, credentials=unclear)
        for stranger in (None, channel_credentials(ca)):
            with pytest.raises(DonnaError):
                ask(address, credentials=stranger)


def test_a_certificate_is_renewed_while_the_service_runs(authority: Authority, tmp_path: Path) -> None:
    """By another authority, so that each client tells which certificate it was shown."""
    folder = tmp_path / "other"
    folder.mkdir()
    other = Authority(folder)
    pair = tmp_path / "tls.pem", tmp_path / "tls.key"

    def install(issued: tuple[str, str]) -> None:
        for source, target in zip(issued, pair, strict=True):
            shutil.copy(source, target)

    install(authority.issue("before"))
    credentials = server_credentials(*map(str, pair), look_s=0.0)

    def accepted(ca: str) -> bool:
        try:
            return ask(address, credentials=channel_credentials(ca)) == "devices/1"
        except DonnaError:
            return False

    with serving(endpoint(Small()), credentials=credentials) as address:
        with open_channel(address, channel_credentials(authority.pem())) as channel:
            remote = Remote(ProfilerServiceStub, channel, deadline_s=20)
            remote.GetDevice(pb.GetDeviceRequest(name="devices/1"))
            shutil.copy(other.issue("after")[0], pair[0])  # its key is not there yet
            assert accepted(authority.pem())
            install(other.issue("after"))
            eventually(lambda: accepted(other.pem()))
            assert not accepted(authority.pem())
            remote.GetDevice(pb.GetDeviceRequest(name="devices/1"))  # on the connection from before


def test_a_certificate_and_a_key_that_do_not_fit(authority: Authority) -> None:
    with pytest.raises(InvalidArgument, match="are no certificate and its key"):
        server_credentials(authority.issue("one")[0], authority.issue("other")[1])


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (("", "", "x"), "tls_certificate"),
        (("", "x", ""), "tls_certificate"),
        (("x", "", ""), "tls_key"),
        (("x", "", "x"), "tls_key"),
    ],
)
def test_a_server_with_half_of_tls_is_refused(given: tuple[str, str, str], missing: str) -> None:
    """Not served in plain text: whoever set one of the files asked for the opposite."""
    with pytest.raises(InvalidArgument) as caught:
        server_credentials(*given)
    assert [violation.field for violation in caught.value.violations] == [missing]
    assert server_credentials("", "", "") is None


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (("", "x", "x"), "hub_tls_ca"),
        (("x", "x", ""), "hub_tls_key"),
        (("x", "", "x"), "hub_tls_certificate"),
    ],
)
def test_a_client_with_half_of_tls_is_refused(given: tuple[str, str, str], missing: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        channel_credentials(*given, settings="hub_tls")
    assert [violation.field for violation in caught.value.violations] == [missing]
    assert channel_credentials("", "", "") is None


def test_secrets_that_cannot_be_read_name_their_setting(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    for path, words in ((tmp_path / "none", "cannot be read"), (tmp_path / "empty", "is empty")):
        with pytest.raises(InvalidArgument, match=words) as caught:
            server_credentials(str(path), str(path))
        assert [violation.field for violation in caught.value.violations] == ["tls_key"]
