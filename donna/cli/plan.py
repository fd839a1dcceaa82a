"""`donna plan`: what a run will do and cost before it starts, and how far off earlier plans were."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from donna.cli import options

if TYPE_CHECKING:
    from donna.pipeline.plan import Plan


def plan(
    spec: options.SpecFile,
    workers: Annotated[int, typer.Option(help="Plan for so many workers, e.g. GPUs.", min=1)] = 1,
    speed: Annotated[
        float,
        typer.Option(help="Each so many times as fast as a worker here (see make bench-distill).", min=1e-6),
    ] = 1.0,
    runs: Annotated[Path, typer.Option(help="Folder of earlier runs, to compare plans with.")] = Path("runs"),
    set_: options.Set = None,
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    json: options.Json = False,
) -> None:
    """Checks a spec and prints what its run will cost: work, time by phase, memory, disk.

    Example: `donna plan examples/digits.yaml`
    """
    from donna.cli.connect import connect
    from donna.cli.output import print_json, waiting
    from donna.pipeline import messages
    from donna.pipeline.plan import earlier, make_plan, measurement_s, recipes
    from donna.pipeline.spec import read_spec

    parsed = read_spec(spec, set_ or ())
    with (
        connect(endpoint, state, ("distiller", "finetuner", "profiler")) as client,
        waiting("Measuring a few steps"),
    ):
        library = client.create(messages.block_library(parsed, None), validate_only=True)
        trained = {phase: client.create(request, validate_only=True) for phase, request in recipes(parsed)}
        device = next(
            (o.device for o in parsed.search.objectives if o.device), next(iter(client.profilers), "")
        )
        found = make_plan(parsed, library, trained, measurement_s(client, device))
    seconds = found.scaled(workers, speed)
    known = earlier(runs)
    if json:
        print_json(as_json(found, seconds, known))
    else:
        print_plan(parsed.name, found, seconds, known, elsewhere=workers != 1 or speed != 1.0)


def as_json(found: Plan, seconds: dict[str, float | None], known: list[dict[str, Any]]) -> dict[str, Any]:
    """A plan as plain values; seconds null where nothing was measured."""
    return {
        "num_architectures": found.num_architectures,
        "phases": {p.name: {**p.work, "seconds": seconds[p.name], "from": p.source} for p in found.phases},
        "seconds": sum(s for s in seconds.values() if s is not None),
        "memory_bytes": found.memory_bytes,
        "disk_bytes": found.disk_bytes,
        "earlier": known,
    }


def print_plan(
    name: str, found: Plan, seconds: dict[str, float | None], known: list[dict[str, Any]], *, elsewhere: bool
) -> None:
    """A line for each phase, their sum, and what the estimates are worth."""
    from donna.cli.output import print_table, say

    rows = [
        (
            p.name,
            ", ".join(counted(key, value) for key, value in p.work.items()),
            duration(seconds[p.name]),
        )
        for p in found.phases
    ]
    total = sum(s for s in seconds.values() if s is not None)
    unknown = [phase for phase, s in seconds.items() if s is None]
    rows.append(("together", "", ("more than " if unknown else "") + duration(total)))
    where = "there" if elsewhere else "on one worker here"
    title = f"{name}: {found.num_architectures:,} networks to choose from"
    print_table(("phase", "work", f"time {where}"), rows, title=title, left=("work",))
    say(
        f"Training one group of blocks takes about {found.memory_bytes / 2**20:,.0f} MB of memory, "
        f"the library about {found.disk_bytes / 2**20:,.1f} MB of disk."
    )
    if unknown:
        say(f"Nothing was measured for {', '.join(unknown)} yet: that time is not known.")
    say(
        "What is known from earlier runs is not done again; the search stops earlier when it meets known networks."
    )
    for run in known[:3]:
        planned, actual = sum(run["planned_s"].values()), sum(run["actual_s"].values())
        phases = ", ".join(
            f"{phase} {duration(s)} for {duration(run['actual_s'][phase])}"
            for phase, s in run["planned_s"].items()
        )
        say(f"{run['run']} was planned with {duration(planned)} and took {duration(actual)}: {phases}.")


def duration(seconds: float | None) -> str:
    """A time as a person says it: 12 s, 3 min, 5 h 20 min."""
    if seconds is None:
        return "?"
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def counted(name: str, value: float) -> str:
    """A key and its value as a person reads them: 3 network epochs, 1 network."""
    text = name.replace("_", " ")
    return f"{value:,.10g} {text.removesuffix('s') if value == 1 else text}"
