"""`donna finetune` and `donna export`: chosen networks, trained end to end, as ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from donna.cli import options

Folder = Annotated[Path, typer.Option("--output", help="Folder for the ONNX files.")]


def finetune(
    spec: options.SpecFile,
    architectures: Annotated[list[str], typer.Argument(help="Architectures of the library, e.g. 3-0-11-7.")],
    library: options.LibraryName,
    output: Folder = Path("models"),
    set_: options.Set = None,
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Finetunes architectures by the `finetune` section of a spec and exports them to ONNX.

    Example: `donna finetune examples/digits.yaml 3-0-11-7 --library library.json --output models`
    """
    from donna.cli.connect import connect
    from donna.cli.follow import follow
    from donna.cli.library import needs, open_library
    from donna.cli.output import make_folder
    from donna.errors import InvalidArgument
    from donna.pipeline import messages
    from donna.pipeline.blame import blame, recipe
    from donna.pipeline.spec import read_spec
    from donna.space import Architecture

    parsed = read_spec(spec, set_ or ())
    chosen = [Architecture.parse(text) for text in architectures]
    make_folder(output)
    with connect(endpoint, state, needs(library, "finetuner")) as client:
        manifest, opened = open_library(client, library)
        for architecture in chosen:
            try:
                architecture.check(opened.num_options)
            except InvalidArgument as error:
                why = error.message.removeprefix("architecture: ")
                raise InvalidArgument.of("architectures", f"{architecture}: {why}") from None
        message = messages.winners(parsed, manifest, chosen)
        with blame(recipe("finetune")):
            job = follow(client, message, f"Finetuning {len(chosen)} networks", quiet=quiet)
        write_models(client, job, output, json=json)


def export(
    name: Annotated[str, typer.Argument(help="finetuneJobs/… that has exported its networks.")],
    output: Folder = Path("models"),
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    json: options.Json = False,
) -> None:
    """Writes the ONNX files of a finetune job.

    Example: `donna export finetuneJobs/1f2e --output models`
    """
    from donna.cli.connect import connect
    from donna.cli.output import make_folder

    make_folder(output)
    with connect(endpoint, state, ("finetuner",)) as client:
        write_models(client, client.get(name), output, json=json)


def write_models(client: Any, job: Any, output: Path, *, json: bool) -> None:
    """Downloads, checks and writes every exported network of a job. Raises FailedPrecondition if there is none."""
    from donna import durable
    from donna.cli.output import print_json, print_table
    from donna.errors import FailedPrecondition
    from donna.pipeline.result import int8_name

    exported = [n for n in job.networks if n.model.onnx.sha256]
    if not exported:
        raise FailedPrecondition(f"{job.name} has exported no network")
    rows = []
    files = [(_name(n), n, n.accuracy, n.model) for n in exported]
    files += [(int8_name(_name(n)), n, n.int8_model.accuracy, n.int8_model) for n in exported]
    for name, network, accuracy, model in files:
        if not model.onnx.sha256:
            continue
        path = output / f"{name}.onnx"
        durable.write(path, client.download(model.onnx), sync=False)
        rows.append(
            {
                "network": name,
                "accuracy": accuracy,
                "num_samples": network.num_samples,
                "parameters": network.parameters,
                "macs": network.macs,
                "size_bytes": model.onnx.size_bytes,
                "onnx_top1_agreement": model.top1_agreement,
                "file": str(path),
            }
        )
    if json:
        print_json({"name": job.name, "models": rows})
    else:
        titles = (
            "network",
            "accuracy",
            "samples",
            "parameters",
            "multiply-adds",
            "bytes",
            "same top-1",
            "file",
        )
        print_table(titles, [tuple(row.values()) for row in rows], title=job.name, left=("file",))


def _name(network: Any) -> str:
    from donna.space import Architecture

    return (
        "reference"
        if network.network.reference
        else str(Architecture(choices=tuple(network.network.architecture.choices)))
    )
