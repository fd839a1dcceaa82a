"""The spec of a run as the specs of its phases' jobs."""

from __future__ import annotations

from collections.abc import Sequence

from donna.errors import InvalidArgument
from donna.pipeline.sections import Bound, FinetuneRecipe, Objective
from donna.pipeline.spec import Spec
from donna.rpc.messages import dict_to_struct
from donna.space import Architecture
from donna.v1 import common_pb2, distiller_pb2, finetuner_pb2, predictor_pb2, searcher_pb2


def reference_message(spec: Spec, weights: common_pb2.Artifact | None) -> common_pb2.Reference:
    """The reference with its trained weights, if there are any yet."""
    return common_pb2.Reference(
        provider=spec.reference.provider,
        arguments=dict_to_struct(spec.reference.arguments, "reference.arguments"),
        weights=weights,
        provenance=spec.reference.provenance,
    )


def dataset_message(spec: Spec) -> common_pb2.Dataset:
    """The data and its split."""
    data = spec.dataset
    normalise = data.normalise
    return common_pb2.Dataset(
        provider=data.provider,
        arguments=dict_to_struct(data.arguments, "dataset.arguments"),
        split=common_pb2.DatasetSplit(**data.split.model_dump()),
        augmentations=[
            common_pb2.Augmentation(
                name=step.name, arguments=dict_to_struct(step.arguments, f"dataset.augment[{i}].arguments")
            )
            for i, step in enumerate(data.augment)
        ],
        normalisation=common_pb2.Normalisation(**normalise.model_dump()) if normalise else None,
    )


def recipe_message(recipe: FinetuneRecipe, seed: int) -> finetuner_pb2.FinetuneRecipe:
    """A finetuning recipe with its seed."""
    return finetuner_pb2.FinetuneRecipe(
        **recipe.model_dump(include=set(FinetuneRecipe.model_fields)),
        seed=seed,
        initialization=finetuner_pb2.INITIALIZATION_PRETRAINED,
    )


def reference_alone(
    spec: Spec, weights: common_pb2.Artifact | None, recipe: FinetuneRecipe | None = None
) -> finetuner_pb2.FinetuneSpec:
    """The reference before there is a library: trained if the spec says so, with these weights or the provider's own
    if not; its accuracy on the validation part, and its ONNX model. `recipe` replaces that of the spec."""
    trained = recipe or spec.reference.train or FinetuneRecipe(epochs=0)
    return finetuner_pb2.FinetuneSpec(
        reference=reference_message(spec, weights),
        dataset=dataset_message(spec),
        networks=[finetuner_pb2.Network(reference=True)],
        recipe=recipe_message(trained, spec.seed),
        evaluate_on=finetuner_pb2.EVALUATION_PART_VALIDATION,
        export=export_message(spec),
    )


def block_library(spec: Spec, weights: common_pb2.Artifact | None) -> distiller_pb2.BlockLibrarySpec:
    """The block library on the trained reference."""
    return distiller_pb2.BlockLibrarySpec(
        reference=reference_message(spec, weights),
        dataset=dataset_message(spec),
        blocks=[
            distiller_pb2.BlockSpace(name=name, options=options) for name, options in spec.space.expand()
        ],
        recipe=distiller_pb2.DistillationRecipe(**spec.distillation.model_dump(), seed=spec.seed),
    )


def export_message(spec: Spec, *, int8: bool = False) -> finetuner_pb2.ExportSpec:
    """How networks of a run are exported."""
    return finetuner_pb2.ExportSpec(
        opset=spec.finetune.opset,
        include_normalization=spec.finetune.include_normalization,
        batch_size=spec.finetune.fixed_batch,
        int8=int8,
    )


def samples(
    spec: Spec, library: common_pb2.Artifact, architectures: Sequence[Architecture]
) -> finetuner_pb2.FinetuneSpec:
    """Finetunes sampled architectures shortly, for the predictor."""
    return finetuner_pb2.FinetuneSpec(
        library=library,
        networks=networks(architectures),
        recipe=recipe_message(spec.predictor.finetune, spec.seed),
        evaluate_on=finetuner_pb2.EVALUATION_PART_VALIDATION,
    )


def networks(architectures: Sequence[Architecture]) -> list[finetuner_pb2.Network]:
    """Architectures as networks of a finetune job."""
    return [
        finetuner_pb2.Network(architecture=common_pb2.Architecture(choices=architecture.choices))
        for architecture in architectures
    ]


def target(name: str) -> predictor_pb2.Target:
    """What a predictor is fitted to, by its name in a spec. Raises InvalidArgument."""
    known = {
        "auto": predictor_pb2.TARGET_UNSPECIFIED,
        "accuracy": predictor_pb2.TARGET_ACCURACY,
        "negative_log_error": predictor_pb2.TARGET_NEGATIVE_LOG_ERROR,
    }
    if name not in known:
        raise InvalidArgument.of("target", f"must be one of {', '.join(known)}, got {name!r}")
    return known[name]


def predictor(
    spec: Spec, library: common_pb2.Artifact, known: Sequence[predictor_pb2.AccuracySample]
) -> predictor_pb2.PredictorSpec:
    """The fit of the accuracy predictor."""
    return predictor_pb2.PredictorSpec(
        library=library,
        samples=known,
        order=spec.predictor.order,
        target=target(spec.predictor.target),
        ridge_strengths=spec.predictor.ridge_strengths,
        qualities=spec.predictor.qualities,
        interval_coverage=spec.predictor.interval_coverage,
        seed=spec.seed,
    )


def search(
    spec: Spec, library: common_pb2.Artifact | None, predictor_name: str = ""
) -> searcher_pb2.SearchSpec:
    """The search of a spec whose devices are all named."""
    settings = spec.search

    def metric(item: Objective | Bound) -> str:
        return f"METRIC_{item.metric.upper()}"

    return searcher_pb2.SearchSpec(
        library=library,
        predictor=predictor_name,
        objectives=[searcher_pb2.Objective(metric=metric(o), device=o.device) for o in settings.objectives],
        bounds=[
            searcher_pb2.Bound(metric=metric(b), device=b.device, min=b.min, max=b.max)
            for b in settings.bounds
        ],
        algorithm=f"SEARCH_ALGORITHM_{settings.algorithm.upper()}",
        latency_mode=f"LATENCY_MODE_{settings.latency.upper()}",
        population=settings.population,
        generations=settings.generations,
        max_measurements=settings.max_measurements,
        seed=spec.search_seed,
        measurement=measurement(spec),
    )


def measurement(spec: Spec) -> common_pb2.MeasurementSettings:
    """How networks are measured."""
    return common_pb2.MeasurementSettings(**spec.search.measurement.model_dump())


def winners(
    spec: Spec, library: common_pb2.Artifact, architectures: Sequence[Architecture]
) -> finetuner_pb2.FinetuneSpec:
    """Finetunes and exports the winners; their figures are the final ones, on the test part."""
    return finetuner_pb2.FinetuneSpec(
        library=library,
        networks=networks(architectures),
        recipe=recipe_message(spec.finetune, spec.seed),
        evaluate_on=finetuner_pb2.EVALUATION_PART_TEST,
        export=export_message(spec, int8=spec.finetune.int8),
    )


def reference_export(spec: Spec, library: common_pb2.Artifact) -> finetuner_pb2.FinetuneSpec:
    """Evaluates and exports the reference as it is, beside the winners."""
    return finetuner_pb2.FinetuneSpec(
        library=library,
        networks=[finetuner_pb2.Network(reference=True)],
        recipe=recipe_message(FinetuneRecipe(epochs=0), spec.seed),
        evaluate_on=finetuner_pb2.EVALUATION_PART_TEST,
        export=export_message(spec),
    )
