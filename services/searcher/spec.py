"""What a search is asked to do, as a record and as JSON (the form in which a job keeps it)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from services.searcher.metric import ACCURACY, Bound, Metric, devices_of, metrics_of

NSGA2, EXACT = "NSGA2", "EXACT"
MEASURED, TABLE, TABLE_REFINED = "MEASURED", "TABLE", "TABLE_REFINED"


@dataclass(frozen=True, kw_only=True)
class SearchSpec:
    """`library` is the hash of a manifest, `predictor` a resource name or "", `measurement` the settings of
    donna.v1.MeasurementSettings by field name, `max_measurements` 0 means no limit."""

    library: str
    predictor: str
    objectives: tuple[Metric, ...]
    bounds: tuple[Bound, ...] = ()
    algorithm: str = NSGA2
    population: int = 100
    generations: int = 50
    seed: int = 0
    latency_mode: str = MEASURED
    measurement: dict[str, Any] = field(default_factory=dict)
    max_measurements: int = 0
    initial: tuple[tuple[int, ...], ...] = ()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Every metric that is an objective or bounded, each once."""
        return metrics_of(self.objectives, self.bounds)

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices whose latency matters."""
        return devices_of(self.metrics)

    @property
    def needs_predictor(self) -> bool:
        """Whether accuracy plays a part."""
        return any(metric.name == ACCURACY for metric in self.metrics)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "library": self.library,
            "predictor": self.predictor,
            "objectives": [str(metric) for metric in self.objectives],
            "bounds": [{"metric": str(b.metric), "min": b.minimum, "max": b.maximum} for b in self.bounds],
            "algorithm": self.algorithm,
            "population": self.population,
            "generations": self.generations,
            "seed": self.seed,
            "latency_mode": self.latency_mode,
            "measurement": self.measurement,
            "max_measurements": self.max_measurements,
            "initial": [list(choices) for choices in self.initial],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SearchSpec:
        """The inverse of `to_dict`."""
        return cls(
            **{
                **values,
                "objectives": tuple(Metric.parse(text) for text in values["objectives"]),
                "bounds": tuple(
                    Bound(metric=Metric.parse(b["metric"]), minimum=b["min"], maximum=b["max"])
                    for b in values["bounds"]
                ),
                "initial": tuple(tuple(choices) for choices in values["initial"]),
            }
        )
