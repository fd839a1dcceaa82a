"""Where the services are: the command line before the environment before the configuration file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from donna import variables
from donna.errors import InvalidArgument

SERVICES = ("distiller", "finetuner", "predictor", "searcher", "profiler")
VARIABLES = (
    *("DONNA_ENDPOINTS", "DONNA_TOKEN_FILE", "DONNA_CONFIG"),
    *("DONNA_TLS_CA", "DONNA_TLS_CERTIFICATE", "DONNA_TLS_KEY"),
)
DEFAULT_FILE = Path("~/.config/donna/config.yaml")


class ConfigFile(BaseModel):
    """`endpoints` by name, as on the command line; a token, the authority of the servers' certificates, and the own
    certificate with its key for servers that ask for one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoints: dict[str, str] = {}
    token_file: str = ""
    tls_ca: str = ""
    tls_certificate: str = ""
    tls_key: str = ""


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Addresses of services and of further devices, host:port each, and how to prove who one is."""

    services: dict[str, str] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)
    token_file: str = ""
    tls_ca: str = ""
    tls_certificate: str = ""
    tls_key: str = ""


def read_connection(options: Sequence[str]) -> Connection:
    """What `--endpoint`, DONNA_ENDPOINTS, DONNA_TOKEN_FILE, DONNA_TLS_CA, DONNA_TLS_CERTIFICATE, DONNA_TLS_KEY and the
    configuration file say."""
    if wrong := list(variables.misspelt((n for n in os.environ if n.startswith("DONNA_")), VARIABLES)):
        raise InvalidArgument.all_of(wrong)
    config = _read_file()
    variable = [text.strip() for text in os.environ.get("DONNA_ENDPOINTS", "").split(",") if text.strip()]
    services: dict[str, str] = {}
    devices: dict[str, str] = {}
    for source, texts in (
        ("endpoints", [f"{name}={address}" for name, address in config.endpoints.items()]),
        ("DONNA_ENDPOINTS", variable),
        ("--endpoint", options),
    ):
        found_services, found_devices = read_endpoints(texts, source)
        services |= found_services
        devices |= found_devices
    return Connection(
        services=services,
        devices=devices,
        token_file=os.environ.get("DONNA_TOKEN_FILE", config.token_file),
        tls_ca=os.environ.get("DONNA_TLS_CA", config.tls_ca),
        tls_certificate=os.environ.get("DONNA_TLS_CERTIFICATE", config.tls_certificate),
        tls_key=os.environ.get("DONNA_TLS_KEY", config.tls_key),
    )


def read_endpoints(texts: Sequence[str], source: str = "--endpoint") -> tuple[dict[str, str], dict[str, str]]:
    """Services and further devices from `name=host:port`. Raises InvalidArgument naming the source."""
    services: dict[str, str] = {}
    devices: dict[str, str] = {}
    for text in texts:
        name, equals, address = text.partition("=")
        host, colon, port = address.rpartition(":")
        if not equals or not colon or not host or not port.isdigit():
            raise InvalidArgument.of(source, f"must read like distiller=host:port, got {text!r}")
        if name.startswith("device."):
            devices[name.removeprefix("device.")] = address
        elif name in SERVICES:
            services[name] = address
        else:
            raise InvalidArgument.of(
                source, f"{name!r} is no service; known are {', '.join(SERVICES)} and device.<name>"
            )
    return services, devices


def _read_file() -> ConfigFile:
    named = os.environ.get("DONNA_CONFIG", "")
    path = Path(named) if named else DEFAULT_FILE.expanduser()
    try:
        raw = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        if not named:
            return ConfigFile()
        raise InvalidArgument.of("DONNA_CONFIG", f"{path} does not exist") from None
    except (OSError, ValueError, yaml.YAMLError):
        raise InvalidArgument.of(str(path), "cannot be read as YAML") from None
    try:
        return ConfigFile.model_validate(raw or {})
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"])) or "the file"
        raise InvalidArgument.of(str(path), f"{place}: {problem['msg'].lower()}") from None
