"""`donna devices`: what there is to measure on, wherever it is."""

from __future__ import annotations

import time
from typing import Any

from donna.cli import options


def devices(
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    json: options.Json = False,
) -> None:
    """Lists the devices that networks can be measured on: state, queue, last canary, drift.

    With a searcher's address also those that have dialled in at its hub.

    Example: `donna devices --endpoint searcher=lab-host:50051`
    """
    from donna.cli.config import read_connection
    from donna.cli.connect import connect
    from donna.cli.output import print_json, print_table

    searcher = "searcher" in read_connection(endpoint or ()).services
    with connect(endpoint, state, ("searcher",) if searcher else ("profiler",)) as client:
        found = [device for name, profiler in client.profilers.items() for device in _own(name, profiler)]
        if client.endpoints.searcher:
            found += _at_the_searcher(client)
    if json:
        print_json(found)
        return
    print_table(
        (
            "host",
            "device",
            "kind",
            "backend",
            "state",
            "queue",
            "canary, ms",
            "taken",
            "drift",
            "description",
        ),
        [_row(device) for device in found],
        left=("device", "kind", "backend", "state", "description"),
    )


def _own(host: str, profiler: Any) -> list[dict[str, Any]]:
    """The devices of a profiler whose address is known; a silent one is a row too."""
    from google.protobuf.json_format import MessageToDict

    from donna.errors import DonnaError
    from donna.v1 import profiler_pb2

    try:
        answer = profiler.ListDevices(profiler_pb2.ListDevicesRequest(page_size=1000), deadline_s=10.0)
    except DonnaError as error:
        return [{"host": host, "available": False, "unavailable_reason": error.message}]
    return [{"host": host, **MessageToDict(d, preserving_proto_field_name=True)} for d in answer.devices]


def _at_the_searcher(client: Any) -> list[dict[str, Any]]:
    """The devices that only the searcher reaches: discovered ones, and agents that have dialled in."""
    from google.protobuf.json_format import MessageToDict

    from donna.v1 import searcher_pb2

    answer = client.searcher.ListSearchDevices(searcher_pb2.ListSearchDevicesRequest())
    found = []
    for device in answer.search_devices:
        host, _, own = device.name.partition(".")
        if host in client.profilers:
            continue
        told = MessageToDict(device, preserving_proto_field_name=True)
        available = told.pop("reachable", False)
        why = {} if available else {"unavailable_reason": told.pop("description", "does not answer")}
        found.append(
            told | {"host": host, "name": f"devices/{own}" if own else "", "available": available} | why
        )
    return found


def _row(device: dict[str, Any]) -> tuple[Any, ...]:
    drift, canary_ms = device.get("canary_drift"), device.get("canary_ms")
    return (
        device["host"],
        device.get("name", "").removeprefix("devices/"),
        device.get("kind", ""),
        device.get("backend", ""),
        "ready" if device.get("available") else device.get("unavailable_reason", "does not answer"),
        device.get("queue_length", 0),
        canary_ms or "",
        _ago(device["canary_time"]) if canary_ms and "canary_time" in device else "",
        f"{100 * (drift - 1):+.1f} %" if drift else "",
        device.get("description", ""),
    )


def _ago(stamp: str) -> str:
    """`5 min ago` for a timestamp in the JSON form of protobuf."""
    from google.protobuf.timestamp_pb2 import Timestamp

    taken = Timestamp()
    taken.FromJsonString(stamp)
    minutes = max(0.0, time.time() - taken.ToNanoseconds() / 1e9) / 60
    if minutes < 120:
        return f"{minutes:.0f} min ago"
    return f"{minutes / 60:.0f} h ago" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days ago"
