"""`donna inspect`: what there is to work with, before any work."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from donna.cli import options

app = typer.Typer(help="Shows references, datasets, spaces, libraries and predictors.", no_args_is_help=True)

Argument = Annotated[
    list[str] | None, typer.Option("--argument", help="An argument of the provider, name=value (YAML).")
]


@app.command()
def reference(
    provider: Annotated[str, typer.Argument(help="A registered provider, e.g. torchvision.")],
    argument: Argument = None,
    input_shape: Annotated[str, typer.Option(help="Shape of one input, CxHxW.")] = "3x224x224",
    all_: Annotated[bool, typer.Option("--all", help="Also what lies inside the proposed blocks.")] = False,
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    json: options.Json = False,
) -> None:
    """Prints the submodules that a reference can be cut at, and proposes a cut.

    Example: `donna inspect reference torchvision --argument name=resnet50`
    """
    from donna.cli.connect import connect
    from donna.cli.output import print_json, print_table, say
    from donna.rpc.messages import dict_to_struct
    from donna.v1 import common_pb2, distiller_pb2

    request = distiller_pb2.InspectReferenceRequest(
        reference=common_pb2.Reference(
            provider=provider, arguments=dict_to_struct(read_arguments(argument), "--argument")
        ),
        input_shape=read_shape(input_shape),
    )
    with connect(endpoint, state, ("distiller",)) as client:
        found = client.distiller.InspectReference(request)
    if json:
        print_json(found)
        return
    proposed = set(found.proposed_blocks)
    print_table(
        ("submodule", "class", "input", "output", "parameters", "multiply-adds", "proposed"),
        [
            (
                s.name,
                s.type,
                _shape(s.input_shape),
                _shape(s.output_shape),
                s.parameters,
                s.macs,
                "block" if s.name in proposed else "",
            )
            for s in found.submodules
            if all_ or not any(s.name.startswith(f"{block}.") for block in proposed)
        ],
        title=f"{provider}: {found.parameters:,} parameters, {found.macs:,} multiply-adds",
        left=("class", "input", "output", "proposed"),
    )
    say(f"Proposed cut, for a spec: blocks: [{', '.join(found.proposed_blocks)}]")


@app.command()
def providers(
    kind: Annotated[
        str, typer.Argument(help="reference, family, dataset or augmentation; all if left out.")
    ] = "",
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    json: options.Json = False,
) -> None:
    """Lists what a spec can name: references, block families, datasets, augmentations.

    Example: `donna inspect providers family`
    """
    from donna.cli.connect import connect
    from donna.cli.output import print_json, print_table
    from donna.errors import InvalidArgument
    from donna.v1 import distiller_pb2

    with connect(endpoint, state, ("distiller",)) as client:
        known = client.distiller.ListProviders(distiller_pb2.ListProvidersRequest()).providers
    kinds = sorted({p.kind for p in known})
    if kind and kind not in kinds:
        raise InvalidArgument.of("kind", f"must be one of {', '.join(kinds)}, got {kind!r}")
    chosen = [p for p in known if p.kind == (kind or p.kind)]
    if json:
        print_json(chosen)
        return
    print_table(
        ("kind", "name", "what it is", "arguments"),
        [(p.kind, p.name, p.description, ", ".join(_arguments(p))) for p in chosen],
        left=("name", "what it is", "arguments"),
    )


def _arguments(provider: Any) -> list[str]:
    from donna.rpc.messages import struct_to_dict

    return list(struct_to_dict(provider.arguments_schema).get("properties", {}))


@app.command()
def dataset(
    spec: options.SpecFile,
    set_: options.Set = None,
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    json: options.Json = False,
) -> None:
    """Loads the dataset of a spec where training would read it: classes, shape, split, normalisation.

    Example: `donna inspect dataset examples/digits.yaml`
    """
    from donna.cli.connect import connect
    from donna.cli.output import print_json, print_table, say
    from donna.client.client import CREATE_DEADLINE_S
    from donna.pipeline import messages
    from donna.pipeline.spec import read_spec
    from donna.v1 import distiller_pb2

    request = distiller_pb2.InspectDatasetRequest(
        dataset=messages.dataset_message(read_spec(spec, set_ or ()))
    )
    with connect(endpoint, state, ("distiller",)) as client:
        found = client.distiller.InspectDataset(request, deadline_s=CREATE_DEADLINE_S)
    if json:
        print_json(found)
        return
    split, normalisation = found.dataset.split, found.dataset.normalisation
    rows = [(part, getattr(split, part)) for part in ("training", "quality", "validation", "test")]
    print_table(("part", "images"), rows, title=f"{found.dataset.provider}, seed {split.seed}")
    names = list(found.class_names)
    listed = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    say(f"{len(names)} classes of {_shape(found.input_shape)} images: {listed}.")
    means, stds = (
        ", ".join(f"{v:.4g}" for v in values) for values in (normalisation.mean, normalisation.std)
    )
    say(f"Pixels in [0, 1] are normalised with mean {means} and standard deviation {stds}.")


@app.command()
def space(
    spec: options.SpecFile,
    set_: options.Set = None,
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    json: options.Json = False,
) -> None:
    """Prints the search space of a spec: the options of each block, the networks, and what they cost.

    Example: `donna inspect space examples/digits.yaml`
    """
    from donna.cli.connect import connect
    from donna.cli.output import print_json, print_table, waiting
    from donna.pipeline import messages
    from donna.pipeline.ask import given_weights
    from donna.pipeline.blame import LIBRARY, blame
    from donna.pipeline.spec import read_spec
    from donna.v1 import common_pb2

    parsed = read_spec(spec, set_ or ())
    with connect(endpoint, state, ("distiller",)) as client, waiting("Looking at the reference"):
        message = messages.block_library(parsed, given_weights(client, parsed))
        with blame(LIBRARY):
            found = client.create(message, validate_only=True)
    costs = {
        common_pb2.Metric.Name(c.metric).removeprefix("METRIC_").lower(): (c.smallest, c.largest)
        for c in found.plan.costs
    }
    blocks = parsed.space.expand()
    if json:
        print_json(
            {
                "num_architectures": int(found.num_architectures),
                "blocks": [{"name": name, "options": options} for name, options in blocks],
                "costs": {name: {"smallest": low, "largest": high} for name, (low, high) in costs.items()},
            }
        )
        return
    sets = {tuple(options): [n for n, o in blocks if o == options] for _, options in blocks}
    for options_of, names in sets.items():
        rows = [(str(m), option) for m, option in enumerate(options_of)]
        print_table(("choice", "option"), rows, title=", ".join(names), left=("option",))
    print_table(
        ("cost of a network", "smallest", "largest"),
        [(name.replace("_", " "), *ends) for name, ends in costs.items()],
        title=f"{int(found.num_architectures):,} networks of {len(blocks)} blocks",
    )


@app.command()
def library(
    name: Annotated[str, typer.Argument(help="blockLibraries/… or a manifest file.")],
    block: Annotated[str, typer.Option(help="List every option of this block.")] = "",
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    json: options.Json = False,
) -> None:
    """Prints a block library: its blocks, how good and how large their options are.

    Example: `donna inspect library blockLibraries/1f2e --block stage1`
    """
    from donna.cli.connect import connect
    from donna.cli.library import needs, open_library, read_manifest
    from donna.cli.output import print_json, print_table
    from donna.errors import InvalidArgument

    if needs(name):
        with connect(endpoint, state, needs(name)) as client:
            _, found = open_library(client, name)
    else:
        found = read_manifest(name)
    if json:
        import json as codec

        print_json(codec.loads(found.to_json()))
        return
    if not block:
        print_table(
            ("block", "options", "best NSR", "worst NSR", "smallest", "largest"),
            [
                (
                    b.name,
                    len(b.entries),
                    min(e.quality for e in b.entries),
                    max(e.quality for e in b.entries),
                    min(e.macs for e in b.entries),
                    max(e.macs for e in b.entries),
                )
                for b in found.blocks
            ],
            title=f"{found.num_architectures:,} networks; sizes in multiply-adds",
        )
        return
    chosen = next((b for b in found.blocks if b.name == block), None)
    if chosen is None:
        raise InvalidArgument.of("--block", f"{block!r} is none of {', '.join(b.name for b in found.blocks)}")
    print_table(
        ("choice", "option", "NSR", "parameters", "multiply-adds"),
        [(str(m), e.option, e.quality, e.parameters, e.macs) for m, e in enumerate(chosen.entries)],
        left=("option",),
    )


@app.command()
def predictor(
    name: Annotated[str, typer.Argument(help="predictors/…")],
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    json: options.Json = False,
) -> None:
    """Prints a predictor: what was chosen and how well it agrees with the samples.

    Example: `donna inspect predictor predictors/1f2e`
    """
    from donna.cli.connect import connect
    from donna.cli.predictor import print_predictor

    with connect(endpoint, state, ("predictor",)) as client:
        print_predictor(client.get(name), json=json)


def read_arguments(texts: list[str] | None) -> dict[str, Any]:
    """Arguments of a provider from `name=value`; values are YAML. Raises InvalidArgument."""
    import yaml

    from donna.errors import InvalidArgument

    found: dict[str, Any] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        try:
            found[name] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, RecursionError):  # 2024-99-99 is a ValueError
            equals = ""
        if not equals or not name:
            raise InvalidArgument.of("--argument", f"must read like name=value, got {text!r}")
    return found


def read_shape(text: str) -> list[int]:
    """(C, H, W) from `3x224x224`. Raises InvalidArgument."""
    from donna.errors import InvalidArgument

    parts = text.lower().split("x")
    if len(parts) != 3 or not all(re.fullmatch(r"[1-9][0-9]{0,8}", part) for part in parts):
        raise InvalidArgument.of("--input-shape", f"must read like 3x224x224, got {text!r}")
    return [int(part) for part in parts]


def _shape(shape: Any) -> str:
    return " x ".join(map(str, shape))
