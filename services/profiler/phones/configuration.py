"""The file that lists an agent's phones: the operator's, never a request's."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from donna.errors import InvalidArgument, Violation
from services.profiler.phones.runner import PerfTest, Runner, Template


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RunnerFile(_Section):
    """A program for the phone: `file` on this host, `libraries` beside it, and how to talk to it."""

    file: Path
    libraries: tuple[Path, ...] = ()
    kind: Literal["onnxruntime_perf_test", "template"] = "onnxruntime_perf_test"
    providers: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    sample: str = ""
    unit: Literal["s", "ms", "us", "ns"] = "ms"

    @field_validator("file", "libraries")
    @classmethod
    def _exists(cls, value: Path | tuple[Path, ...]) -> Path | tuple[Path, ...]:
        for path in (value,) if isinstance(value, Path) else value:
            if not path.is_file():
                raise ValueError(f"{path} is not a file")
        return value

    @field_validator("sample")
    @classmethod
    def _compiles(cls, value: str) -> str:
        if value and re.compile(value).groups != 1:
            raise ValueError("must be a regular expression with one group")
        return value

    def runner(self) -> Runner:
        """How it is called and read."""
        if self.kind == "template":
            chosen = {"providers": self.providers} if self.providers else {}
            return Template(template=self.arguments, sample=self.sample, unit=self.unit, **chosen)
        return PerfTest(providers=self.providers) if self.providers else PerfTest()

    @property
    def sha256(self) -> str:
        """The hash of program and libraries together: part of the fingerprint."""
        digest = hashlib.sha256()
        for path in (self.file, *self.libraries):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


class Phone(_Section):
    """One phone, chosen by its serial number. `cool_below_c` bounds the battery's temperature before runs."""

    serial: Annotated[str, Field(min_length=1, max_length=128)]
    id: Annotated[str, Field(pattern="^[A-Za-z0-9]{0,64}$")] = ""
    runner: RunnerFile
    folder: Annotated[str, Field(pattern="^/[A-Za-z0-9_./-]+$")] = "/data/local/tmp/donna"
    cool_below_c: float = 38.0
    cool_down_s: Annotated[float, Field(ge=0, le=3600)] = 120.0
    screen: Literal["on", "off", "leave"] = "on"

    @property
    def device_id(self) -> str:
        """Its id among the devices: the one given, or the serial's letters and digits."""
        return self.id or "".join(letter for letter in self.serial if letter.isalnum())


class Phones(_Section):
    """All phones of one agent, and the adb server that reaches them."""

    phones: tuple[Phone, ...]
    adb_host: str = "127.0.0.1"
    adb_port: Annotated[int, Field(ge=1, le=65535)] = 5037


def read_phones(path: Path) -> Phones:
    """The file's content. Raises InvalidArgument naming every wrong field."""
    try:
        return Phones.model_validate(json.loads(path.read_text()))
    except OSError as error:
        raise InvalidArgument.of("phones", f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise InvalidArgument.all_of(
            Violation(field=f"phones: {'.'.join(map(str, problem['loc']))}", description=problem["msg"])
            for problem in error.errors()
        ) from None
    except ValueError as error:
        raise InvalidArgument.of("phones", f"{path} is no JSON: {error}") from None
