"""`donna predictor`: which networks to finetune, and the fit to what they reached."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from donna.cli import options

app = typer.Typer(help="Fits accuracy predictors, and asks them.", no_args_is_help=True)


@app.command()
def sample(
    library: options.LibraryName,
    count: Annotated[int, typer.Option(help="How many architectures.", min=1, max=options.LARGEST)] = 24,
    uniform: Annotated[bool, typer.Option("--uniform", help="At random instead of D-optimal.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the choice.", min=0, max=options.LARGEST)] = 0,
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    json: options.Json = False,
) -> None:
    """Proposes architectures of a library to finetune for a predictor, one on each line.

    Example: `donna predictor sample --library library.json --count 30`
    """
    from donna.cli.connect import connect
    from donna.cli.library import needs, open_library
    from donna.cli.output import print_json
    from donna.space import Architecture
    from donna.v1 import predictor_pb2

    with connect(endpoint, state, needs(library, "predictor")) as client:
        manifest, _ = open_library(client, library)
        request = predictor_pb2.SampleArchitecturesRequest(
            library=manifest,
            num_architectures=count,
            design=predictor_pb2.SAMPLING_DESIGN_UNIFORM
            if uniform
            else predictor_pb2.SAMPLING_DESIGN_D_OPTIMAL,
            seed=seed,
        )
        found = client.predictor.SampleArchitectures(request).architectures
    texts = [str(Architecture(choices=tuple(a.choices))) for a in found]
    if json:
        print_json(texts)
    else:
        typer.echo("\n".join(texts))


@app.command()
def fit(
    library: options.LibraryName,
    samples: Annotated[Path, typer.Option(help="CSV file with the columns architecture and accuracy.")],
    order: Annotated[int, typer.Option(help="1 or 2; 0 chooses by cross-validation.", min=0, max=2)] = 0,
    target: Annotated[
        str, typer.Option(help="accuracy or negative_log_error; auto chooses by cross-validation.")
    ] = "auto",
    quality: Annotated[
        list[str] | None,
        typer.Option(help="A quality of the library; if left out, cross-validation chooses."),
    ] = None,
    strength: Annotated[
        list[float] | None, typer.Option(help="A ridge strength to choose from; several may be given.")
    ] = None,
    coverage: Annotated[float, typer.Option(help="Share of truths inside the intervals.", max=0.999)] = 0.9,
    seed: Annotated[int, typer.Option(help="Seed of folds and bootstrap.", min=0, max=options.LARGEST)] = 0,
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Fits an accuracy predictor to accuracies that you bring.

    Example: `donna predictor fit --library library.json --samples samples.csv`
    """
    from donna.cli.connect import connect
    from donna.cli.follow import follow
    from donna.cli.library import needs, open_library
    from donna.cli.samples import read_samples
    from donna.pipeline import messages
    from donna.v1 import common_pb2, predictor_pb2

    with connect(endpoint, state, needs(library, "predictor")) as client:
        manifest, opened = open_library(client, library)
        spec = predictor_pb2.PredictorSpec(
            library=manifest,
            samples=[
                predictor_pb2.AccuracySample(
                    architecture=common_pb2.Architecture(choices=architecture.choices), accuracy=accuracy
                )
                for architecture, accuracy in read_samples(samples, opened)
            ],
            order=order,
            target=messages.target(target),
            qualities=quality or (),
            ridge_strengths=strength or (),
            interval_coverage=coverage,
            seed=seed,
        )
        fitted = follow(client, spec, "Fitting the accuracy predictor", quiet=quiet)
    print_predictor(fitted, json=json)


@app.command()
def predict(
    name: Annotated[str, typer.Argument(help="predictors/…")],
    architectures: Annotated[list[str], typer.Argument(help="Architectures, e.g. 3-0-11-7.")],
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    json: options.Json = False,
) -> None:
    """Predicts the accuracy of architectures, with intervals.

    Example: `donna predictor predict predictors/1f2e 3-0-11-7 0-0-0-0`
    """
    import numpy as np

    from donna.cli.connect import connect
    from donna.cli.output import print_json, print_table
    from donna.errors import InvalidArgument
    from donna.rpc.messages import pack_architectures
    from donna.space import Architecture
    from donna.v1 import predictor_pb2

    parsed = [Architecture.parse(text) for text in architectures]
    if len({len(a.choices) for a in parsed}) != 1:
        raise InvalidArgument.of("architectures", "must all have the same number of blocks")
    request = predictor_pb2.PredictRequest(
        predictor=name,
        architectures=pack_architectures(np.array([a.choices for a in parsed], dtype=np.int64)),
        include_intervals=True,
    )
    with connect(endpoint, state, ("predictor",)) as client:
        found = client.predictor.Predict(request)
    columns = [np.frombuffer(data, "<f4").tolist() for data in (found.accuracies, found.lows, found.highs)]
    rows = [
        {"architecture": text, "accuracy": a, "low": low, "high": high, "extrapolated": bool(outside)}
        for text, a, low, high, outside in zip(architectures, *columns, found.extrapolated, strict=True)
    ]
    if json:
        print_json(rows)
    else:
        print_table(tuple(rows[0]), [tuple(row.values()) for row in rows])


def print_predictor(found: Any, *, json: bool) -> None:
    """A predictor: what was chosen, and leave-one-out agreement with 90 % intervals."""
    from donna.cli.output import print_json, print_table, say
    from donna.v1 import predictor_pb2

    if json:
        print_json(found)
        return
    loo = found.leave_one_out
    figures = [
        ("Kendall tau", loo.kendall_tau),
        ("Spearman", loo.spearman),
        ("R2", loo.r2),
        ("mean squared error", loo.mse),
    ]
    print_table(
        ("leave-one-out", "value", "low", "high"),
        [(name, estimate.value, estimate.low, estimate.high) for name, estimate in figures],
        title=f"{found.name}: {loo.num_samples} samples",
    )
    target = predictor_pb2.Target.Name(found.target).removeprefix("TARGET_").lower().replace("_", " ")
    say(
        f"Order {found.order}, target {target}, ridge strength {found.ridge_strength:g}, "
        f"qualities {', '.join(found.qualities)}."
    )
