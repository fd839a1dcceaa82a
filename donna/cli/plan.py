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
    workers: Annotated[
        int, typer.Option(help="Plan for so many workers, e.g. GPUs; 0: those that there are.", min=0)
    ] = 0,
    speed: Annotated[
        float,
        typer.Option(help="Each so many times as fast as a worker here (see make bench-distill).", min=1e-6),
    ] = 1.0,
    runs: Annotated[Path, typer.Option(help="Folder of earlier runs, to compare plans with.")] = Path("runs"),
    set_: options.Set = None,
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Checks a spec and prints what its run will cost: work, time by phase, memory, disk.

    Example: `donna plan examples/digits.yaml`
    """
    from donna.cli.connect import connect
    from donna.cli.display import Terminal
    from donna.cli.output import open_console, print_json, say
    from donna.pipeline.ask import ask, place
    from donna.pipeline.earlier import earlier
    from donna.pipeline.spec import read_spec

    parsed = read_spec(spec, set_ or ())
    with connect(endpoint, state) as client, Terminal(open_console(stderr=True), quiet) as terminal:
        found = place(client, parsed)
        with terminal.phase("Measuring a few steps") as bar:
            made = ask(client, found, bar)
    seconds, known = made.seconds(workers, speed), earlier(runs)
    if json:
        print_json(as_json(made, seconds, known) | {"away": list(found.away)})
    else:
        print_plan(parsed.name, made, seconds, known, elsewhere=bool(workers) or speed != 1.0)
        for sentence in found.away:
            say(sentence)


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
    from donna.pipeline.duration import duration

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
    where = "there" if elsewhere else "here"
    title = f"{name}: {found.num_architectures:,} networks to choose from"
    print_table(("phase", "work", f"time {where}"), rows, title=title, left=("work",))
    for source in dict.fromkeys(p.source for p in found.phases if p.source):
        say(f"{', '.join(p.name for p in found.phases if p.source == source)}: {source}.")
    say(
        f"Training one group of blocks takes about {found.memory_bytes / 2**20:,.0f} MB of memory; blocks and networks "
        f"take about {found.disk_bytes / 2**20:,.1f} MB of disk."
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


def counted(name: str, value: float) -> str:
    """A key and its value as a person reads them: 3 network epochs, 1 network."""
    text = name.replace("_", " ")
    return f"{value:,.10g} {text.removesuffix('s') if value == 1 else text}"
