"""What the predictor can be told by its environment: `DONNA_PREDICTOR_<NAME>`."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from donna.settings import ServiceSettings


class PredictorSettings(ServiceSettings):
    """The common settings, and two of the predictor's own."""

    model_config = SettingsConfigDict(env_prefix="DONNA_PREDICTOR_", extra="forbid")

    fit_threads: int = Field(default=1, ge=1, le=64, description="Predictors fitted at once.")
    cached_models: int = Field(
        default=16, ge=1, le=1024, description="Libraries and predictors kept ready in memory."
    )
