"""The output folder of a run: which run it holds, how long its phases took, and its results.

Every file appears whole or not at all, so a run that is killed leaves nothing half-written.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import yaml

from donna import durable
from donna.errors import FailedPrecondition, InvalidArgument, NotFound
from donna.pipeline.spec import Spec

WRITTEN = ("result.json", "front.csv", "front.png", "evaluations.csv", "report.html")


class RunFolder:
    """`run_id` is the same when the same spec is run into the same folder again: the run goes on.

    A run takes the folder with `keep_plan`: a spec that is refused before leaves everything as it was. Raises
    InvalidArgument when the folder cannot be written, FailedPrecondition when it holds a run of another spec and
    `overwrite` is not set.
    """

    def __init__(self, path: Path, spec: Spec, *, overwrite: bool = False) -> None:
        self.path = path
        self._spec, self._spec_digest = spec, spec.digest()
        try:
            (path / "models").mkdir(parents=True, exist_ok=True)
            known = self._read("run.json")
            if known is not None and not {"run_id", "spec_sha256", "timings_s"} <= known.keys():
                raise InvalidArgument.of("--output", f"{path / 'run.json'} is not a file of a run")
            if known and known["spec_sha256"] != self._spec_digest:
                if not overwrite:
                    raise FailedPrecondition(
                        f"{path} holds a run of another spec; choose another --output or add --overwrite"
                    )
                known = None
            durable.probe(path)
        except OSError as error:
            raise InvalidArgument.of("--output", f"{path} cannot be written: {error.strerror}") from None
        self._begun = known is not None
        new = {"run_id": secrets.token_hex(8), "spec_sha256": self._spec_digest, "timings_s": {}}
        self._run: dict[str, Any] = known or new

    @property
    def run_id(self) -> str:
        """Names this run's requests, so that a second start finds the jobs of the first."""
        return self._run["run_id"]

    @property
    def timings_s(self) -> dict[str, float]:
        """Time spent in each phase, over all starts of this run."""
        return self._run["timings_s"]

    @property
    def checked(self) -> bool:
        """Whether an earlier start of this run has checked everything and planned it."""
        return "planned_s" in self._run

    @property
    def planned_s(self) -> dict[str, float]:
        """What the plan before the first start said of each phase, in seconds; none where nothing was measured."""
        return self._run.get("planned_s", {})

    @property
    def default_device(self) -> str | None:
        """What a latency without a device meant at the first start; None before it."""
        return self._run.get("default_device")

    def keep_plan(self, planned_s: dict[str, float], default_device: str) -> None:
        """Keeps the plan of the first start; later ones have less to do. The folder is this run's from here on."""
        self._run["planned_s"] = {phase: round(seconds, 3) for phase, seconds in planned_s.items()}
        self._run["default_device"] = default_device
        if not self._begun:
            self._clear()
            self.write("spec.yaml", yaml.safe_dump(self._spec.resolved(), sort_keys=False).encode())
            self._begun = True
        self._keep()

    def add_timing(self, phase: str, seconds: float) -> None:
        """Adds time to a phase."""
        self.timings_s[phase] = round(self.timings_s.get(phase, 0.0) + seconds, 3)
        if self._begun:
            self._keep()

    def result(self) -> dict[str, Any] | None:
        """The result, if this run is complete."""
        return self._read("result.json") if self._begun else None

    def write_result(self, result: dict[str, Any]) -> None:
        """The last file that a run writes: when it is there, everything is."""
        self._write_json("result.json", result)

    def write(self, name: str, data: bytes) -> None:
        """Writes a file of the run."""
        durable.write(self.path / name, data, sync=False)

    def _clear(self) -> None:
        """Removes what another run has left: its models would pass for those of this one."""
        for file in (*(self.path / name for name in WRITTEN), *(self.path / "models").glob("*.onnx")):
            file.unlink(missing_ok=True)

    def _keep(self) -> None:
        self._write_json("run.json", self._run)

    def _write_json(self, name: str, values: dict[str, Any]) -> None:
        self.write(name, json.dumps(values, indent=2).encode())

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            read = json.loads((self.path / name).read_text())
        except FileNotFoundError:
            return None
        except ValueError:
            read = None
        if not isinstance(read, dict):
            raise InvalidArgument.of("--output", f"{self.path / name} is not a file of a run")
        return read


def read_result(folder: Path) -> dict[str, Any]:
    """The result of a complete run. Raises NotFound, or InvalidArgument when it is no result."""
    path = folder / "result.json"
    try:
        read = json.loads(path.read_text())
    except OSError:
        raise NotFound(f"{path} does not exist: {folder} is no folder of a complete run") from None
    except ValueError:
        raise InvalidArgument.of(str(path), "is not JSON") from None
    if not isinstance(read, dict):
        raise InvalidArgument.of(str(path), "is not the result of a run")
    return read
