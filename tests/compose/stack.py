"""The five services in containers, started from docker-compose.yaml under a name of their own, and removed again."""

import json
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SERVICES = ("distiller", "finetuner", "predictor", "searcher", "profiler")
HEALTHY_WITHIN_S = 600.0


def compose_command() -> list[str] | None:
    """`docker-compose` or `docker compose`; None when there is none."""
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if shutil.which("docker") and _says(["docker", "compose", "version"]) is not None:
        return ["docker", "compose"]
    return None


STARTER = "DONNA_CONTAINER_ENGINE"
"""Names a command that starts a container engine where none answers; it may take its time, and has to succeed."""


def why_not() -> str:
    """Why containers cannot be run here, "" when they can: an engine answers, or could be started."""
    command = shlex.split(os.environ.get(STARTER, ""))
    if command and not _answers():
        subprocess.run(command, check=True, cwd=ROOT)
    if shutil.which("docker") is None:
        return f"there is no docker command, and {STARTER} names none that brings it"
    if not _answers():
        return (
            f"no container engine answers (docker info fails), and {STARTER} names no command that starts one"
        )
    return "" if compose_command() else "there is neither docker-compose nor docker compose"


def _answers() -> bool:
    return _says(["docker", "info", "--format", "{{.ServerVersion}}"]) is not None


def _says(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


class Stack:
    """One start of docker-compose.yaml on free ports."""

    def __init__(self) -> None:
        self.project = f"donnatest{secrets.token_hex(4)}"
        self.ports = {service: _free_port() for service in SERVICES}
        command = compose_command()
        assert command is not None
        self._compose = [
            *command,
            "--project-name",
            self.project,
            "--file",
            str(ROOT / "docker-compose.yaml"),
        ]
        self._environment = {
            "DOCKER_BUILDKIT": "0",  # the images need no more than any builder has
            **os.environ,
            **{f"DONNA_{service.upper()}_PORT": str(port) for service, port in self.ports.items()},
        }

    def compose(self, *arguments: str) -> str:
        """What docker-compose says. Fails with its own words."""
        done = subprocess.run(
            [*self._compose, *arguments],
            cwd=ROOT, env=self._environment, text=True, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"docker-compose {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def container(self, service: str) -> dict[str, Any]:
        name = self.compose("ps", "--quiet", service).split()[0]
        described = subprocess.run(["docker", "inspect", name], capture_output=True, text=True, check=True)
        return json.loads(described.stdout)[0]

    def wait_until_healthy(self) -> None:
        deadline = time.monotonic() + HEALTHY_WITHIN_S
        for service in SERVICES:
            while (state := self.container(service)["State"])["Health"]["Status"] != "healthy":
                assert time.monotonic() < deadline, f"{service}: {state}\n{self.logs()[-4000:]}"
                time.sleep(1)

    def lose(self, service: str) -> None:
        """The container is killed, and started again."""
        self.compose("kill", service)
        self.compose("start", service)

    def endpoints(self) -> str:
        return ",".join(f"{service}=127.0.0.1:{port}" for service, port in self.ports.items())

    def token(self) -> str:
        return self.compose("run", "--rm", "-T", "secrets", "cat", "/secrets/callers/token").strip()

    def query(self, schema: str, sql: str) -> list[list[str]]:
        """Rows of the database of a service."""
        said = self.compose(
            "exec", "-T", "postgres", "psql", "--username", "donna", "--dbname", "donna", "--tuples-only", "--no-align",
            "--command", f"SET search_path TO {schema}", "--command", sql,
        )  # fmt: skip
        return [line.split("|") for line in said.splitlines() if line and line != "SET"]

    def logs(self) -> str:
        return self.compose("logs", "--no-color")

    def remove(self) -> list[str]:
        """Stops and removes everything of this stack; what is left all the same."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "20")
        left: list[str] = []
        for kind in ("container", "volume", "network"):
            every = ["--all"] if kind == "container" else []
            label = f"label=com.docker.compose.project={self.project}"
            said = _says(["docker", kind, "ls", *every, "--quiet", "--filter", label])
            left += [f"{kind} {name}" for name in (said or "").split()]
        return left


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
