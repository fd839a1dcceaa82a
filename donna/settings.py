"""What all five services can be told by their environment. Each service adds its own settings and its prefix."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

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
    s3_endpoint: str = Field(
        default="", description="URL of the S3 service that has the artifacts; empty: the cloud's."
    )
    s3_region: str = Field(default="", description="Region of the artifacts' bucket.")
    s3_access_key_file: str = Field(
        default="", description="File with the access key for the bucket; empty: the identity of the machine."
    )
    s3_secret_key_file: str = Field(default="", description="File with the secret key for the bucket.")
    token_file: str = Field(default="", description="File with the bearer token that callers must present.")
    tls_certificate: str = Field(default="", description="PEM file of the server's certificate.")
    tls_key: str = Field(default="", description="PEM file of the server's key.")
    tls_client_ca: str = Field(
        default="", description="PEM file of the authority that signs clients' certificates."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="What is logged."
    )

    def database_url(self, service: str) -> str:
        """The database to open."""
        return self.database or f"sqlite:///{(self.state / f'{service}.db').absolute()}"

    def artifact_location(self) -> str:
        """Where artifacts are kept: a folder, or the url of a bucket."""
        if "://" in self.artifacts:
            return self.artifacts
        return str((Path(self.artifacts) if self.artifacts else self.state / "artifacts").absolute())


T = TypeVar("T", bound=ServiceSettings)


def read_settings(settings: type[T]) -> T:
    """The settings from the environment. Raises InvalidArgument naming every wrong variable."""
    try:
        return settings()
    except ValidationError as error:
        prefix = settings.model_config.get("env_prefix", "")
        raise InvalidArgument.all_of(
            Violation(
                field=f"{prefix}{'_'.join(map(str, problem['loc']))}".upper(),
                description=problem["msg"].lower(),
            )
            for problem in error.errors()
        ) from None
