"""A fitted predictor: all that is needed to predict, and the JSON that it is stored as.

The JSON stands on its own: scales, coefficients by column name, leave-one-out scores. It is bound to the
lineage of its library, not to the library: entries added later are predicted from their qualities.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from donna.errors import DataLoss, FailedPrecondition
from donna.space import Library
from donna.space.accuracy_tables import AccuracyTables
from donna.space.target import Target
from services.predictor.conformal import half_width
from services.predictor.features import Order, column_names
from services.predictor.quality import Scale
from services.predictor.tables import tables_of

FORMAT = "donna.predictor/1"


@dataclass(frozen=True, kw_only=True)
class Model:
    """A fitted predictor. `scores` are the sorted leave-one-out |residuals| in target units; `coverage`
    is the level of its intervals."""

    lineage: str
    library: str
    blocks: tuple[str, ...]
    scales: tuple[Scale, ...]
    order: Order
    target: Target
    strength: float
    intercept: float
    coefficients: tuple[float, ...]
    scores: tuple[float, ...]
    coverage: float

    def bind(self, library: Library) -> AccuracyTables:
        """The model on a library, ready to predict.

        Raises FailedPrecondition for a library of another lineage, or with an entry that lacks a quality.
        """
        if library.lineage != self.lineage:
            raise FailedPrecondition(
                f"the predictor was fitted on lineage {self.lineage}, the library is of lineage "
                f"{library.lineage}: its reference, dataset, recipe or blocks differ",
                reason="LIBRARY_LINEAGE",
                metadata={"predictor_lineage": self.lineage, "library_lineage": library.lineage},
            )
        return tables_of(
            library,
            self.scales,
            self.order,
            intercept=self.intercept,
            w_P=np.array(self.coefficients),
            target=self.target,
            half_width=half_width(np.array(self.scores), self.coverage),
        )

    def to_json(self) -> bytes:
        """Canonical bytes; coefficients are written by column name."""
        raw = {"format": FORMAT, **asdict(self)}
        raw["coefficients"] = dict(zip(self._columns(), self.coefficients, strict=True))
        return json.dumps(raw, separators=(",", ":"), allow_nan=False).encode()

    @classmethod
    def from_json(cls, data: bytes | str) -> Model:
        """The inverse of `to_json`. Raises DataLoss when the bytes are no predictor of this format."""
        try:
            raw: dict[str, Any] = json.loads(data)
            if raw.pop("format") != FORMAT:
                raise ValueError("format")
            raw["scales"] = tuple(
                Scale(name=scale.pop("name"), **{key: tuple(value) for key, value in scale.items()})
                for scale in raw["scales"]
            )
            raw["coefficients"] = tuple(raw["coefficients"].values())
            return cls(**raw | {key: tuple(raw[key]) for key in ("blocks", "scores")})
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise DataLoss(f"the stored predictor is not of format {FORMAT!r}") from error

    def _columns(self) -> list[str]:
        return column_names(
            [f"{scale.name}({block})" for scale in self.scales for block in self.blocks], self.order
        )
