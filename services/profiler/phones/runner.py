"""Programs on the phone that run a network: how each is called, and how its output is read. Pure.

Arguments are lists with placeholders from the agent's own configuration; of a request numbers get in, names of
providers that the runner offers, and the provider's options.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.profiler.failure import BAD_OUTPUT, UNMEASURABLE, failure
from services.profiler.measurement import MeasurementSettings

_LEVELS = {"all": "99", "extended": "2", "basic": "1", "none": "0"}
_UNITS_MS = {"s": 1000.0, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
MAX_SAMPLE_MS = 3_600_000.0


@dataclass(frozen=True, kw_only=True)
class Output:
    """What a runner says: latencies in the order taken; peak memory 0 when it does not tell."""

    samples_ms: tuple[float, ...]
    peak_memory_bytes: int = 0


class Runner(Protocol):
    """One program on the phone."""

    @property
    def providers(self) -> tuple[str, ...]:
        """Execution providers that it can be told to use, the default first."""

    def arguments(self, settings: MeasurementSettings, *, model: str, result: str, runs: int) -> list[str]:
        """Arguments for `runs` timed runs of the file `model`; figures may go to the file `result`.

        Raises FailedPrecondition (UNMEASURABLE) for settings that the program does not know.
        """

    def read(self, printed: str, result: str) -> Output:
        """The figures from what was printed and from the content of the result file.

        Raises FailedPrecondition (BAD_OUTPUT) when they make no sense.
        """


@dataclass(frozen=True, kw_only=True)
class PerfTest:
    """onnxruntime_perf_test, built for Android by the user (services/profiler/README.md says how).

    The result file has one line `model,seconds,peak bytes,cpu %,run` for each run.
    """

    providers: tuple[str, ...] = (
        "CPUExecutionProvider",
        "XnnpackExecutionProvider",
        "NnapiExecutionProvider",
    )

    def arguments(self, settings: MeasurementSettings, *, model: str, result: str, runs: int) -> list[str]:
        _refuse(settings, ["affinity", "per_layer"], provider=self.providers[0])
        name = settings.provider.removesuffix("ExecutionProvider").lower()
        told = ["-I", "-m", "times", "-r", str(runs), "-e", name, "-x", str(settings.threads)]
        told += ["-o", _LEVELS[settings.graph_optimization]]
        if settings.provider_options:
            told += [
                "-i",
                " ".join(f"{key}|{value}" for key, value in sorted(settings.provider_options.items())),
            ]
        return [*told, model, result]

    def read(self, printed: str, result: str) -> Output:
        samples, peak = [], 0
        for line in result.splitlines():
            fields = line.rsplit(",", 4)
            if len(fields) != 5:
                continue
            try:
                samples.append(float(fields[1]) * 1000)
                peak = max(peak, int(fields[2]))
            except ValueError:
                raise senseless(line) from None
        return checked(Output(samples_ms=tuple(samples), peak_memory_bytes=peak), printed or result)


@dataclass(frozen=True, kw_only=True)
class Template:
    """Any other program: `template` are its arguments with {model}, {result}, {runs}, {threads}, {batch_size} and
    {provider}; `sample` is a regular expression whose first group is one latency in `unit` ("s", "ms", "us", "ns"),
    found again and again in what it prints."""

    template: tuple[str, ...]
    sample: str
    unit: str
    providers: tuple[str, ...] = ("CPUExecutionProvider",)

    def arguments(self, settings: MeasurementSettings, *, model: str, result: str, runs: int) -> list[str]:
        unknown = ["affinity", "provider_options", "per_layer", "graph_optimization"]
        unknown += [name for name in ("threads", "provider") if f"{{{name}}}" not in " ".join(self.template)]
        _refuse(settings, unknown, provider=self.providers[0])
        values = {
            "model": model,
            "result": result,
            "runs": str(runs),
            "threads": str(settings.threads),
            "batch_size": str(settings.batch_size),
            "provider": settings.provider,
        }
        return [_fill(argument, values) for argument in self.template]

    def read(self, printed: str, result: str) -> Output:
        found = re.findall(self.sample, f"{printed}\n{result}")
        try:
            samples = tuple(float(text) * _UNITS_MS[self.unit] for text in found)
        except (TypeError, ValueError):
            raise senseless(str(found[0])) from None
        return checked(Output(samples_ms=samples), printed or result)


def _refuse(settings: MeasurementSettings, unknown: Sequence[str], *, provider: str) -> None:
    """Raises FailedPrecondition (UNMEASURABLE) for the first of the `unknown` settings that is not what it is by
    default: left out in silence, the figure would be on record as taken with it."""
    default = MeasurementSettings(provider=provider)
    for name in unknown:
        value = getattr(settings, name)
        if value != getattr(default, name):
            raise failure(UNMEASURABLE, f"settings.{name} {value!r} is not known to this phone's runner")


def _fill(argument: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        argument = argument.replace(f"{{{name}}}", value)
    return argument


def checked(output: Output, printed: str) -> Output:
    """`output`, if it can be latencies of a network. Raises FailedPrecondition (BAD_OUTPUT)."""
    if not output.samples_ms:
        raise senseless(printed)
    for sample in output.samples_ms:
        if not 0 < sample < MAX_SAMPLE_MS:  # catches NaN too
            raise failure(BAD_OUTPUT, f"the runner reports a latency of {sample} ms")
    return output


def senseless(printed: str) -> Exception:
    """The error for output that holds no latencies; tells how it begins."""
    begins = " ".join(printed.split())[:120]
    return failure(BAD_OUTPUT, f"the runner's output makes no sense: {begins!r}")
