"""A PostgreSQL server of our own, on a free port, for as long as a `with` lasts."""

import getpass
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def programs() -> Path | None:
    """The folder of initdb and postgres, None when PostgreSQL is not installed."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return Path(found).parent if found else debian[-1].parent if debian else None


def _user() -> str:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return getpass.getuser()
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _port_to_keep() -> int:
    """A free port of 127.0.0.1 that is still free while its server is stopped: none of those that connections of other
    processes are given."""
    found = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first_given = int(found.read_text().split()[0]) if found.exists() else 49_152
    for _ in range(100):
        port = first_given // 2 + secrets.randbelow(first_given // 2)
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"no port below {first_given} is free")


class Server:
    """A running server that can be stopped, as in a crash, and started again with its data and on its port."""

    def __init__(self, folder: Path) -> None:
        bin_, user = programs(), _user()
        assert bin_ is not None
        who = {"user": user, "group": pwd.getpwnam(user).pw_gid} if os.geteuid() == 0 else {}
        data = folder / "data"
        if who:
            shutil.chown(folder, user)
        self._run = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder, **who}
        subprocess.run(
            [bin_ / "initdb", "-D", data, "-U", "donna", "--auth=trust", "--no-sync", "-E", "UTF8"],
            **self._run,
        )
        self._port = _port_to_keep()
        self._log = folder / "log"
        settings = {
            "port": self._port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off",
            "max_connections": 200,
        }  # fmt: skip
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        self._control = [bin_ / "pg_ctl", "-D", data, "-w", "-s"]
        self._start = [*self._control, "-o", options, "-l", self._log, "start"]

    @property
    def url(self) -> str:
        """Its database."""
        return f"postgresql+psycopg://donna@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Returns when it answers; fails with the last lines of its log."""
        started = subprocess.run(self._start, **{**self._run, "check": False}).returncode == 0
        log = self._log.read_text(errors="replace") if self._log.exists() else "there is no log"
        assert started, f"PostgreSQL does not start on port {self._port}:\n{log[-4000:]}"

    def stop(self) -> None:
        """At once, with every connection."""
        subprocess.run([*self._control, "-m", "immediate", "stop"], **self._run)


@contextmanager
def restartable() -> Iterator[Server]:
    """A server that the test may stop and start."""
    with tempfile.TemporaryDirectory(prefix="donna-postgres-") as folder:
        found = Server(Path(folder))
        found.start()
        try:
            yield found
        finally:
            found.stop()


@contextmanager
def server() -> Iterator[str]:
    """The URL of its database, to which `?options=-csearch_path%3D<schema>` may be added."""
    with restartable() as found:
        yield found.url
