"""What the loop of improvement brings: search, finetune networks of the front, fit again, search again. Prints JSON.

For each seed a whole run up to the search, then the loop, then every network of every front is finetuned as the
samples were: that is its true accuracy. Kendall tau and error of a predictor are taken on the networks of the fronts
that it has not been fitted to; hypervolumes are of true accuracy and latency, in one box for all fronts of a seed.
With --control, two controls: `whole_space` spends the same number of networks on the whole space, chosen by the design;
`searched_again` spends none, and only searches as often from its own front, with the predictor of before.

    python -m bench.improve --spec examples/digits.yaml --rounds 2 --networks 4 --seeds 0 1 2 --control
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from donna.client import Client
from donna.local import services
from donna.pipeline.display import Silence
from donna.pipeline.folder import RunFolder
from donna.pipeline.outcome import Found
from donna.pipeline.run import Run, begin
from donna.pipeline.sampling import D_OPTIMAL, Samples, draw, finetune_samples, finetuned
from donna.pipeline.spec import Spec, read_spec
from donna.space import Architecture
from donna.v1 import common_pb2, predictor_pb2, searcher_pb2
from services.searcher.pareto import hypervolume

Choices = tuple[int, ...]


def compare(client: Client, spec: Spec, folder: Path, *, with_control: bool) -> dict[str, Any]:
    """The figures of one seed."""
    work = begin(client, spec, RunFolder(folder, spec), Silence())
    run, (device,) = Run(work), work.devices
    built = run.build_library(run.prepare_reference().weights)
    library = built.manifest
    samples, judges = finetune_samples(work, built)
    begun = run.fit_predictor(library, samples, judges)
    outcome = Found(fitted=begun, search=run.search(library, begun.predictor))
    outcome = run.improve(library, outcome, samples, judges)
    first, spent = outcome.rounds[0], [s for r in outcome.rounds for s in r.judged.samples]
    found = {
        "before": (first.predictor, first.search),
        "after": (outcome.fitted.predictor, outcome.search),
    }
    if with_control:
        found["searched_again"] = searched_again(
            run, library, first.predictor, first.search, len(outcome.rounds)
        )
        found["whole_space"] = whole_space(run, library, samples, judges, len(spent))
    fitted = {choices(s) for predictor, _ in found.values() for s in predictor.samples}
    fronts = {name: [choices(point) for point in search.front] for name, (_, search) in found.items()}
    every = list(dict.fromkeys(c for front in fronts.values() for c in front))
    truth = {choices(s): s for s in trained(run, library, "bench-fronts", every)}
    unseen = [truth[c] for c in every if c not in fitted | {choices(s) for s in judges}]
    points = {
        choices(p): (1 - truth[choices(p)].accuracy, p.latency_ms[device])
        for _, search in found.values()
        for p in search.front
    }
    return {
        "seed": spec.seed,
        "networks_spent": len(spent),
        "kendall_tau_on_networks_of_the_front": [
            r.judged.agreement.kendall_tau.value for r in outcome.rounds
        ],
        "networks_unseen": len(unseen),
        **{
            name: agreement(client, predictor, unseen)
            | {"hypervolume": volume([points[c] for c in fronts[name]], list(points.values()))}
            | {"front_size": len(fronts[name])}
            for name, (predictor, _) in found.items()
        },
    }


def searched_again(
    run: Run,
    library: common_pb2.Artifact,
    predictor: predictor_pb2.Predictor,
    front: searcher_pb2.Search,
    rounds: int,
) -> tuple[predictor_pb2.Predictor, searcher_pb2.Search]:
    """The same predictor, and its front after as many further searches as the loop has made."""
    for number in range(1, rounds + 1):
        initial = [point.architecture for point in front.front]
        front = run.search(library, predictor, f"bench-again-{number}", initial)
    return predictor, front


def whole_space(
    run: Run, library: common_pb2.Artifact, samples: Samples, judges: Samples, count: int
) -> tuple[predictor_pb2.Predictor, searcher_pb2.Search]:
    """A predictor with as many more samples of the whole space, and its front."""
    known = [Architecture(choices=choices(s)) for s in (*samples, *judges)]
    chosen = draw(run.work, library, count, D_OPTIMAL, exclude=known)
    more = trained(run, library, "bench-control-samples", [a.choices for a in chosen])
    predictor = run.fit_predictor(library, [*samples, *more], judges, "bench-control-predictor").predictor
    return predictor, run.search(library, predictor, "bench-control-search")


def trained(run: Run, library: common_pb2.Artifact, name: str, networks: list[Choices]) -> Samples:
    """Networks with their accuracy after the finetuning of the samples."""
    with Silence().phase(name) as bar:
        return finetuned(run.work, name, library, [Architecture(choices=c) for c in networks], bar)


def choices(message: Any) -> Choices:
    """The choices of whatever has an architecture."""
    return tuple(message.architecture.choices)


def agreement(client: Client, predictor: predictor_pb2.Predictor, unseen: Samples) -> dict[str, float]:
    """Tau and mean absolute error on networks that no predictor was fitted to; nothing where there are too few."""
    if len(unseen) < 2:
        return {}
    request = predictor_pb2.EvaluatePredictorRequest(predictor=predictor.name, samples=unseen)
    judged = client.predictor.EvaluatePredictor(request)
    return {
        "kendall_tau": judged.agreement.kendall_tau.value,
        "mean_abs_error": statistics.fmean(abs(s.accuracy - s.predicted_accuracy) for s in judged.samples),
    }


def volume(front: list[tuple[float, float]], every: list[tuple[float, float]]) -> float:
    """Hypervolume of true errors and latencies as a share of the box around those of all fronts."""
    F = np.array(every)
    return hypervolume(np.array(front), F.max(axis=0), F.min(axis=0))


def spread(values: list[float]) -> dict[str, float]:
    """Mean, least and most over the seeds."""
    return {"mean": statistics.fmean(values), "min": min(values), "max": max(values)}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spec", type=Path, default=Path("examples/digits.yaml"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--networks", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--control", action="store_true", help="also the two controls")
    parser.add_argument("--state", type=Path, help="keeps what is trained; default: a temporary folder")
    parser.add_argument("--set", action="append", default=[], help="section.key=value of the spec")
    given = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as name:
        state = given.state or Path(name)
        loop = [f"improve.rounds={given.rounds}", f"improve.networks={given.networks}"]
        for seed in given.seeds:
            spec = read_spec(given.spec, [*loop, f"seed={seed}", *given.set])
            with services(state) as client:
                folder = state / f"bench-improve-{spec.digest()[:8]}"
                found.append(compare(client, spec, folder, with_control=given.control))
    summary = {
        name: {
            key: spread([seed[name][key] for seed in found if key in seed[name]])
            for key in dict.fromkeys(key for seed in found for key in seed[name])
        }
        for name in ("before", "after", "searched_again", "whole_space")
        if name in found[0]
    }
    gains = {
        name: spread([seed[name]["hypervolume"] - seed["before"]["hypervolume"] for seed in found])
        for name in summary
        if name != "before"
    }
    machine = {
        "cpus": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
    }
    settings = {"spec": str(given.spec), "rounds": given.rounds, "networks": given.networks}
    told = {"seeds": found, "summary": summary, "gains_in_hypervolume": gains, "machine": machine}
    print(json.dumps({**settings, **told}, indent=2))


if __name__ == "__main__":
    main()
