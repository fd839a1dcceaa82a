"""`donna distill`: the block library of a spec, alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from donna.cli import options

if TYPE_CHECKING:
    from donna.v1.distiller_pb2 import DistillationPlan


def distill(
    spec: options.SpecFile,
    check: Annotated[bool, typer.Option("--check", help="Only check, and print the plan.")] = False,
    output: Annotated[Path | None, typer.Option(help="File for the library's manifest.")] = None,
    set_: options.Set = None,
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Builds the block library of a spec; blocks that are trained already are not trained again.

    Example: `donna distill examples/digits.yaml --output library.json`
    """
    from donna import durable
    from donna.cli.connect import connect
    from donna.cli.follow import follow
    from donna.cli.output import check_file, print_json, print_table, say
    from donna.cli.reference import reference_weights
    from donna.pipeline import messages
    from donna.pipeline.ask import given_weights
    from donna.pipeline.blame import LIBRARY, blame
    from donna.pipeline.spec import read_spec

    parsed = read_spec(spec, set_ or ())
    if output is not None:
        check_file(output)
    with connect(endpoint, state, ("distiller",) if check else ("distiller", "finetuner")) as client:
        if check:
            message = messages.block_library(parsed, given_weights(client, parsed))
            with blame(LIBRARY):
                plan = client.create(message, validate_only=True).plan
            if json:
                print_json(plan)
            else:
                print_table(("plan", ""), plan_rows(plan))
            return
        weights = reference_weights(client, parsed, quiet=quiet)
        message = messages.block_library(parsed, weights)
        with blame(LIBRARY):
            library = follow(client, message, "Distilling the block library", quiet=quiet)
        if output is not None:
            durable.write(output, client.download(library.manifest), sync=False)
    if json:
        print_json(library)
        return
    cost = library.job.cost
    say(
        f"{library.name}: {int(library.num_architectures):,} networks of {library.num_blocks} blocks; "
        f"{cost.blocks_trained} blocks trained, {cost.blocks_reused} known already"
    )
    for settling in library.settling:
        if not settling.settled:
            say(
                f"{settling.block}: the ranking of its options has not settled (rank correlation "
                f"{settling.rank_correlation:.2f} between the last two points of the training); more "
                "distillation.epochs help"
            )


def plan_rows(plan: DistillationPlan) -> list[tuple[str, object]]:
    """A distillation plan as rows of a table."""
    from donna.v1 import common_pb2

    rows: list[tuple[str, object]] = [
        ("blocks to train", plan.blocks_to_train),
        ("blocks known already", plan.blocks_to_reuse),
        ("groups trained together", plan.groups),
        ("batches through the reference", plan.reference_passes),
        ("memory of one group, MB", plan.estimated_memory_bytes / 2**20),
    ]
    if plan.estimated_s:
        rows.append(("time on one worker, s", plan.estimated_s))
    rows.append(("the time is", plan.estimated_from))
    for cost in plan.costs:
        name = common_pb2.Metric.Name(cost.metric).removeprefix("METRIC_").lower().replace("_", " ")
        rows.append((f"{name} of a network", f"{cost.smallest:,.0f} to {cost.largest:,.0f}"))
    return rows
