"""The systemd unit of the profiler lets the agent write where it writes, and names settings that there are."""

import re
from pathlib import PurePosixPath

from tests.deploy.rendered import ROOT
from tests.deploy.settings import known_variables

UNIT = ROOT / "deploy" / "systemd" / "donna-profiler.service"


def service() -> dict[str, list[str]]:
    """The section of the service: every value of each of its settings."""
    found: dict[str, list[str]] = {}
    lines = UNIT.read_text().partition("[Service]\n")[2].partition("\n[")[0].splitlines()
    for name, _, value in (line.partition("=") for line in lines if line and not line.startswith("#")):
        found.setdefault(name, []).append(value)
    return found


def test_the_agent_can_write_where_it_writes() -> None:
    told = service()
    environment = dict(each.split("=", 1) for each in told["Environment"])
    writable = [PurePosixPath(each) for each in told["ReadWritePaths"]]
    writable += [PurePosixPath("/var/lib") / each for each in told["StateDirectory"]]
    assert told["ProtectSystem"] == ["strict"] and "PrivateTmp" not in told
    for needed in ("/tmp", environment["DONNA_PROFILER_STATE"], environment["HOME"]):  # noqa: S108
        assert any(PurePosixPath(needed).is_relative_to(each) for each in writable), needed


def test_every_setting_that_it_names_exists() -> None:
    named = set(re.findall(r"\b(DONNA_PROFILER_[A-Z_]+)=", UNIT.read_text()))
    assert {"DONNA_PROFILER_LISTEN", "DONNA_PROFILER_TOKEN_FILE"} <= named <= known_variables("profiler")
