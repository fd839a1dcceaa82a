"""What all five services can be told by their environment. Each service adds its own settings and its prefix."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from donna import variables
from donna.errors import InvalidArgument, Violation


class ServiceSettings(BaseSettings):
    """Read from `DONNA_<SERVICE>_<NAME>`; nothing else in a service reads the environment."""

    model_config = SettingsConfigDict(extra="forbid")

    listen: str = Field(
        default="127.0.0.1:0", description="Address to serve on, host:port; port 0 takes a free one."
    )
    health_listen: str = Field(default="", description="Address of a plain-text health endpoint for probes.")
    address_file: str = Field(default="", description="File to write the chosen address to, once serving.")
    state: Path = Field(default=Path(".donna"), description="Folder of the service's own state.")
    database: str = Field(default="", description="Database URL; empty means SQLite in the state folder.")
    database_password_file: str = Field(
        default="", description="File with the database's password, when the URL has none."
    )
    artifacts: str = Field(
        default="",
        description="Artifact store shared by the services: a folder or s3://bucket/prefix; empty: in the state.",
    )
    free_bytes: int = Field(
        default=256 << 20,
        ge=0,
        description="Bytes of the artifacts' disk that are left free; an artifact that takes more is DISK_FULL.",
    )
    s3_endpoint: str = Field(
        default="", description="URL of the S3 service that has the artifacts; empty: the cloud's."
    )
    s3_region: str = Field(default="", description="Region of the artifacts' bucket.")
    s3_access_key_file: str = Field(
        default="", description="File with the access key for the bucket; empty: the identity of the machine."
    )
    s3_secret_key_file: str = Field(default="", description="File with the secret key for the bucket.")
    token_file: str = Field(
        default="", description="File with the bearer token that callers must present; it may do everything."
    )
    tokens: str = Field(
        default="",
        description="Folder with a file of tokens for each role: admin, client, reader, searcher, agent.",
    )
    tls_certificate: str = Field(default="", description="PEM file of the server's certificate.")
    tls_key: str = Field(default="", description="PEM file of the server's key.")
    tls_client_ca: str = Field(
        default="",
        description="PEM file of the authority that signs clients' certificates; set, clients must have one.",
    )
    max_active_jobs: int = Field(
        default=1000, ge=1, description="Jobs that may wait or run at once; one more is RESOURCE_EXHAUSTED."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="What is logged."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="One line of text, or one JSON object, for each record of the log."
    )
    metrics_listen: str = Field(
        default="",
        description="Address of /metrics for Prometheus, HTTP without authentication; empty: no metrics.",
    )
    traces_endpoint: str = Field(
        default="",
        description="OpenTelemetry collector that traces go to (OTLP over gRPC), http://host:4317; empty: no traces.",
    )

    def database_url(self, service: str) -> str:
        """The database to open."""
        return self.database or f"sqlite:///{(self.state / f'{service}.db').absolute()}"

    def artifact_location(self) -> str:
        """Where artifacts are kept: a folder, or the url of a bucket."""
        if "://" in self.artifacts:
            return self.artifacts
        return str((Path(self.artifacts) if self.artifacts else self.state / "artifacts").absolute())


class TrainingSettings(ServiceSettings):
    """Of services whose tasks are placed in processes of their own: on this machine, or on a cluster."""

    placement: Literal["local", "kubernetes"] = Field(
        default="local",
        description="Where tasks run: in processes beside the service, or in Kubernetes Jobs.",
    )
    worker_idle_s: float = Field(
        default=5.0,
        ge=0,
        description="How long a worker process stays when nothing is to do: a start costs seconds, a stay memory.",
    )
    job_template: str = Field(
        default="",
        description="PodTemplate that the pods of Kubernetes Jobs are made from; empty: <service>-worker.",
    )
    job_namespace: str = Field(
        default="", description="Namespace of the Jobs; empty means the service's own."
    )
    job_parallelism: int = Field(
        default=8,
        ge=1,
        description="Pods of one Job that run at once; block libraries are split for so many.",
    )
    job_queue: str = Field(default="", description="Kueue queue that the Jobs wait in; empty means none.")
    job_retries: int = Field(
        default=3, ge=0, description="Times that one task's pod may fail before its job does."
    )
    job_deadline_s: int = Field(
        default=7 * 24 * 3600, ge=0, description="A Job that takes longer fails, in seconds; 0: no deadline."
    )
    job_keep_s: int = Field(
        default=3600, ge=0, description="How long a Job that has ended can be looked at, in seconds."
    )


T = TypeVar("T", bound=ServiceSettings)


def known_variables(settings: type[ServiceSettings]) -> set[str]:
    """The names of all variables that set something."""
    prefix = settings.model_config.get("env_prefix", "")
    found = {f"{prefix}{name}".upper() for name in settings.model_fields}
    for field in settings.model_fields.values():
        if isinstance(field.validation_alias, AliasChoices):
            found |= {choice for choice in field.validation_alias.choices if isinstance(choice, str)}
    return found


def read_settings(settings: type[T]) -> T:
    """The settings from the environment. Raises InvalidArgument naming every variable that is wrong or unknown."""
    prefix = settings.model_config.get("env_prefix", "")
    if strangers := list(variables.unknown(os.environ, prefix, known_variables(settings))):
        raise InvalidArgument.all_of(strangers)
    try:
        return settings()
    except ValidationError as error:
        raise InvalidArgument.all_of(
            Violation(
                field=f"{prefix}{'_'.join(map(str, problem['loc']))}".upper(),
                description=problem["msg"].lower(),
            )
            for problem in error.errors()
        ) from None
