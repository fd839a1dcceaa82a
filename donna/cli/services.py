"""`donna up`, `down`, `status`: the five services on this machine, left running for several commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from donna.cli import options

if TYPE_CHECKING:
    from donna.client import Endpoints


def up(
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay; the services end with this command.")
    ] = False,
    state: options.State = options.STATE,
    json: options.Json = False,
) -> None:
    """Starts the five services on this machine and leaves them running.

    Example: `donna up`
    """
    from donna.cli.local_services import hold, start
    from donna.cli.output import print_json, say, waiting

    if foreground:
        hold(state)
        return
    with waiting("Starting the services"):
        found = start(state)
    if json:
        print_json({"pid": found.pid, "endpoints": _addresses(found.endpoints)})
    else:
        say(f"The services run as process {found.pid}; other commands find them. End them with: donna down")


def down(state: options.State = options.STATE, json: options.Json = False) -> None:
    """Stops the services that `donna up` has started.

    Example: `donna down`
    """
    from donna.cli.local_services import stop
    from donna.cli.output import print_json, say

    stopped = stop(state)
    if json:
        print_json({"stopped": stopped})
    else:
        say("The services have stopped." if stopped else f"No services run on {state}.")


def status(
    endpoint: options.Endpoint = None, state: options.State = options.STATE, json: options.Json = False
) -> None:
    """Says where the services are and whether they answer; ends with 3 unless all of them do.

    Example: `donna status`
    """
    from donna.cli import JOB_FAILED
    from donna.cli.config import read_connection
    from donna.cli.connect import health
    from donna.cli.output import print_json, print_table, say
    from donna.running import running

    given = read_connection(endpoint or ())
    addresses = {**given.services, **{f"device.{name}": a for name, a in given.devices.items()}}
    found = running(state.absolute())
    if found is not None:
        addresses = _addresses(found.endpoints) | addresses
    rows = [{"service": name, "address": a, "health": health(a, given)} for name, a in addresses.items()]
    if json:
        print_json(rows)
    elif rows:
        print_table(
            ("service", "address", "health"), [tuple(r.values()) for r in rows], left=("address", "health")
        )
    else:
        say(f"No services run on {state}; start them with: donna up")
    if not rows or any(row["health"] != "SERVING" for row in rows):
        raise typer.Exit(JOB_FAILED)


def _addresses(endpoints: Endpoints) -> dict[str, str]:
    from dataclasses import asdict

    found = asdict(endpoints)
    devices = found.pop("profilers")
    return {**found, **{f"device.{name}": address for name, address in devices.items()}}
