"""The networks that the accuracy predictor is fitted to and judged by: chosen, finetuned shortly, and replaced where
training fails."""

from __future__ import annotations

from collections.abc import Sequence

from donna.client import JobFailed
from donna.pipeline import messages
from donna.pipeline.display import Bar
from donna.pipeline.work import Work
from donna.space import Architecture
from donna.v1 import common_pb2, distiller_pb2, predictor_pb2

Samples = list[predictor_pb2.AccuracySample]
"""Architectures with their accuracy after a short finetuning."""

D_OPTIMAL, UNIFORM = "SAMPLING_DESIGN_D_OPTIMAL", "SAMPLING_DESIGN_UNIFORM"
REPLACEMENTS = 2
"""How often networks that failed are replaced; what fails then has a reason that others share."""
ENOUGH = 0.5
"""The share of the samples asked for that a predictor is fitted to at least."""


def draw(
    work: Work,
    library: common_pb2.Artifact,
    count: int,
    design: str,
    *,
    exclude: Sequence[Architecture] = (),
    candidates: Sequence[Architecture] = (),
) -> list[Architecture]:
    """Architectures worth finetuning: none of `exclude`, and only of `candidates` if there are any."""
    if not count:
        return []
    request = predictor_pb2.SampleArchitecturesRequest(
        library=library,
        num_architectures=count,
        design=design,
        seed=work.spec.seed,
        exclude=[common_pb2.Architecture(choices=known.choices) for known in exclude],
        candidates=[common_pb2.Architecture(choices=candidate.choices) for candidate in candidates],
    )
    found = work.client.predictor.SampleArchitectures(request).architectures
    return [Architecture(choices=tuple(architecture.choices)) for architecture in found]


def finetune_samples(work: Work, library: distiller_pb2.BlockLibrary) -> tuple[Samples, Samples]:
    """The samples, and those that judge them. Raises JobFailed when too many could not be trained."""
    spec, manifest = work.spec.predictor, library.manifest
    chosen = draw(work, manifest, spec.samples, f"SAMPLING_DESIGN_{spec.design.upper()}")
    judging = draw(work, manifest, spec.holdout, UNIFORM, exclude=chosen)
    tried = [*chosen, *judging]
    with work.phase("samples", f"Finetuning {len(tried)} sampled networks") as bar:
        found = finetuned(work, "samples", manifest, tried, bar)
        samples = [sample for sample in found if architecture_of(sample) in chosen]
        judges = [sample for sample in found if architecture_of(sample) in judging]
        for number in range(1, REPLACEMENTS + 1):
            missing = spec.samples - len(samples)
            left = int(library.num_architectures) - len(tried)
            count = min(left, missing + spec.holdout - len(judges))
            if not count:
                break
            fresh = draw(work, manifest, count, UNIFORM, exclude=tried)
            tried += fresh
            found = finetuned(work, f"samples-replaced-{number}", manifest, fresh, bar)
            samples += found[:missing]
            judges += found[missing:]
    if len(samples) < max(3, ENOUGH * spec.samples):
        raise JobFailed(
            f"{len(samples)} of {spec.samples} sampled networks could be trained, too few for a predictor",
            reason="SAMPLES_FAILED",
        )
    return samples, judges if len(judges) > 1 else []


def finetuned(
    work: Work, name: str, library: common_pb2.Artifact, architectures: Sequence[Architecture], bar: Bar
) -> Samples:
    """Those that could be trained, with the accuracy that they reach after a short finetuning."""
    job = work.job(name, messages.samples(work.spec, library, architectures), bar)
    failed = [network for network in job.networks if network.error.reason]
    if failed:
        first = Architecture(choices=tuple(failed[0].network.architecture.choices))
        work.display.say(
            f"{len(failed)} of {len(job.networks)} networks could not be trained; {first}: {failed[0].error.message}"
        )
    return [
        predictor_pb2.AccuracySample(architecture=n.network.architecture, accuracy=n.accuracy)
        for n in job.networks
        if not n.error.reason
    ]


def architecture_of(sample: predictor_pb2.AccuracySample) -> Architecture:
    """The architecture of a sample."""
    return Architecture(choices=tuple(sample.architecture.choices))
