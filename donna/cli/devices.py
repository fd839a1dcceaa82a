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

    With a searcher's address those that it reaches, also what has dialled in at its hub.

    Example: `donna devices --endpoint searcher=lab-host:50051`
    """
    from donna.cli.connect import connect
    from donna.cli.output import print_json, print_table

    with connect(endpoint, state, ("profiler",)) as client:
        found = client.devices.list()
    if json:
        print_json(found)
        return
    print_table(
        ("device", "kind", "backend", "state", "queue", "canary, ms", "taken", "drift", "description"),
        [_row(device) for device in found],
        left=("kind", "backend", "state", "description"),
    )


def _row(device: Any) -> tuple[Any, ...]:
    taken = device.HasField("canary_time")
    return (
        device.name,
        device.kind,
        device.backend,
        "ready" if device.reachable else device.description,
        device.queue_length,
        device.canary_ms or "",
        _ago(device.canary_time.ToNanoseconds() / 1e9) if taken else "",
        f"{100 * (device.canary_drift - 1):+.1f} %" if device.canary_drift else "",
        device.description if device.reachable else "",
    )


def _ago(stamp_s: float) -> str:
    """`5 min ago` for seconds since the epoch."""
    minutes = max(0.0, time.time() - stamp_s) / 60
    if minutes < 120:
        return f"{minutes:.0f} min ago"
    return f"{minutes / 60:.0f} h ago" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days ago"
