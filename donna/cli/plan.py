"""`donna plan`: what a run will do, and what of it is known already, before it starts."""

from __future__ import annotations

import typer

from donna.cli import options


def plan(
    spec: options.SpecFile,
    set_: options.Set = None,
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    json: options.Json = False,
) -> None:
    """Checks a spec and prints what its run will cost: blocks, networks, epochs, measurements.

    Example: `donna plan examples/digits.yaml`
    """
    from donna.cli.connect import connect
    from donna.cli.output import print_json, print_table
    from donna.pipeline import messages
    from donna.pipeline.spec import read_spec

    parsed = read_spec(spec, set_ or ())
    with connect(endpoint, state, ("distiller",)) as client:
        library = client.create(messages.block_library(parsed, None), validate_only=True)
    rows = plan_of(parsed, library)
    if json:
        print_json(rows)
        return
    print_table(
        ("what", "how much"), [(words(name), value) for name, value in rows.items()], title=parsed.name
    )
    typer.echo("Blocks and networks that are known from earlier runs are not done again.")


def plan_of(spec: object, library: object) -> dict[str, object]:
    """The work of a run by its spec and the distiller's plan; epochs are passes over the training part."""
    from donna.pipeline.spec import Spec
    from donna.v1 import distiller_pb2

    assert isinstance(spec, Spec)  # noqa: S101 - for the reader
    assert isinstance(library, distiller_pb2.BlockLibrary)  # noqa: S101
    work, search = library.plan, spec.search
    samples = spec.predictor.samples + spec.predictor.holdout
    evaluations = search.population * search.generations if search.algorithm == "nsga2" else 0
    measured = evaluations if search.latency == "measured" else search.population
    limit = search.max_measurements or measured
    rows: dict[str, object] = {
        "networks_to_choose_from": int(library.num_architectures),
        "reference_epochs": spec.reference.train.epochs if spec.reference.train else 0,
        "blocks_to_train": work.blocks_to_train,
        "blocks_known_already": work.blocks_to_reuse,
        "block_epochs": work.blocks_to_train * spec.distillation.epochs,
        "networks_finetuned_for_the_predictor": samples,
        "epochs_for_the_predictor": samples * spec.predictor.finetune.epochs,
        "measurements_at_most": min(measured, limit) if _measures(spec) else 0,
        "winners": spec.finetune.winners,
        "epochs_of_the_winners": spec.finetune.winners * spec.finetune.epochs,
        "memory_of_a_group_mb": round(work.estimated_memory_bytes / 2**20, 1),
    }
    if work.estimated_s:
        rows["distillation_s_on_one_worker"] = round(work.estimated_s, 1)
    return rows


def _measures(spec: object) -> bool:
    search = spec.search  # type: ignore[attr-defined]
    return any(item.metric == "latency_ms" for item in (*search.objectives, *search.bounds))


def words(name: str) -> str:
    """A key as a person reads it."""
    return name.replace("_mb", ", MB").replace("_", " ")
