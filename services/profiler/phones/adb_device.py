"""A phone as a device: push by hash, run, read, clean up; cool before, calm while, as it was after."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

import numpy as np
from onnx import ModelProto

from donna.errors import DonnaError, InvalidArgument, Unavailable
from donna.graphs import fix_batch
from services.profiler.device import Identity, kind_of
from services.profiler.failure import (
    BAD_OUTPUT,
    CRASHED,
    DEVICE_TOO_WARM,
    OUT_OF_MEMORY,
    TIMEOUT,
    UNMEASURABLE,
    failure,
)
from services.profiler.measurement import Measured, MeasurementSettings
from services.profiler.phones import reading
from services.profiler.phones.allowance import Allowance
from services.profiler.phones.configuration import Phone
from services.profiler.phones.connection import Connection
from services.profiler.phones.runner import Output
from services.profiler.stopping import next_series, stable

COOL_LOOK_S = 2.0
_CPUFREQ = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_"


class AdbDevice:
    """A Device. Figures come from the phone's own clock: the cable's time is not in them."""

    def __init__(self, phone: Phone, connection: Connection) -> None:
        self._phone = phone
        self._connection = connection
        self._runner = phone.runner.runner()
        self._runner_sha256 = phone.runner.sha256
        self._described: dict[str, str] = {}
        self._too_warm = ""

    @property
    def identity(self) -> Identity:
        told = self._described
        return Identity(
            id=self._phone.device_id,
            kind=kind_of(told.get("manufacturer", ""), told.get("model", "phone")),
            backend="adb",
            description=f"{told.get('manufacturer', '')} {told.get('model', 'phone')} {self._phone.serial}".strip(),
            providers=self._runner.providers,
            longest_rest_s=self._phone.cool_down_s,
        )

    def unavailable_reason(self) -> str:
        away = self._connection.unavailable_reason()
        if away:
            self._described = {}  # whoever comes back may have another system
            return away
        if self._too_warm:
            self._too_warm = self._warmth()
        return self._too_warm

    def fingerprint(self) -> dict[str, str]:
        away = self._connection.unavailable_reason()
        if away:
            self._described = {}
            raise Unavailable(away, reason="DEVICE_AWAY")
        try:
            return self._fingerprint()
        except DonnaError as error:  # it left between two questions
            raise Unavailable(error.message, reason="DEVICE_AWAY") from error

    def _fingerprint(self) -> dict[str, str]:
        if not self._described:
            told = reading.properties(self._connection.text("getprop"))
            kernel, memory = (
                self._connection.text("uname", "-r"),
                self._connection.text("cat", "/proc/meminfo"),
            )
            # The serial number too: two phones of one model age and are cooled differently.
            self._described = told | {
                "kernel": kernel.strip(),
                "memory": memory.partition("\n")[0].strip(),
                "serial": self._phone.serial,
            }
        governor, _ = reading.clocks(self._clock_files("governor"))
        return self._described | governor | {"runner_sha256": self._runner_sha256}

    def state(self) -> dict[str, str]:
        _, clocks = reading.clocks(self._clock_files("cur_freq"))
        battery = reading.battery(self._connection.text("dumpsys", "battery"))
        return battery | reading.thermal_status(self._connection.text("dumpsys", "thermalservice")) | clocks

    def _clock_files(self, which: str) -> str:
        # `grep` with a name prints `path:value` for every file; the shell expands the pattern on the phone.
        return self._connection.text("sh", "-c", f"grep -H . {_CPUFREQ}{which} 2>/dev/null")

    def turn(self, check: Callable[[], None]) -> AbstractContextManager[None]:
        return nullcontext()  # a phone has one agent

    def measure(self, model: bytes, settings: MeasurementSettings, check: Callable[[], None]) -> Measured:
        folder = self._phone.folder
        model = _fixed(model, settings.batch_size)
        name = hashlib.sha256(model).hexdigest()
        self._clear()
        program = self._install()
        try:
            self._connection.push(model, f"{folder}/{name}.onnx")
            with self._calm():
                return self._measured(program, f"{folder}/{name}", settings, check)
        finally:
            self._forget(f"{folder}/{name}.onnx", f"{folder}/{name}.csv")

    @property
    def _home(self) -> str:
        """The runner's folder on the phone."""
        return f"{self._phone.folder}/{self._runner_sha256[:16]}"

    def _clear(self) -> None:
        """Ends and removes what a measurement left behind whose cable was pulled or whose agent died."""
        self._stop()
        folder = self._phone.folder
        self._connection.text("sh", "-c", f"rm -f {folder}/*.onnx {folder}/*.csv")

    def _stop(self) -> None:
        # Whole command lines are searched: the brackets keep the pattern from matching the one that it stands in.
        self._connection.text("pkill", "-KILL", "-f", f"{self._home}[/]")

    def _install(self) -> str:
        """The runner's path on the phone; pushed once, by its hash."""
        folder = self._home
        program = f"{folder}/{self._phone.runner.file.name}"
        if not self._connection.text("ls", f"{folder}/complete"):
            self._connection.text("mkdir", "-p", folder)
            for path in (self._phone.runner.file, *self._phone.runner.libraries):
                self._connection.push(path, f"{folder}/{path.name}", mode=0o755)
            self._connection.push(b"1", f"{folder}/complete")
        return program

    @contextmanager
    def _calm(self) -> Iterator[None]:
        """Screen and doze in a defined state; put back as they are by default. Phones may refuse: then it is
        as it is, and the device state tells."""
        before, after = [["dumpsys", "deviceidle", "disable"]], [["dumpsys", "deviceidle", "enable"]]
        if self._phone.screen == "on":
            before += [["input", "keyevent", "KEYCODE_WAKEUP"], ["svc", "power", "stayon", "true"]]
            after += [["svc", "power", "stayon", "false"]]
        elif self._phone.screen == "off":
            before += [["input", "keyevent", "KEYCODE_SLEEP"]]
        try:
            for command in before:
                self._connection.text(*command)
            yield
        finally:
            for command in after:
                with suppress(DonnaError):  # a phone that is gone is not put back
                    self._connection.text(*command)

    def _warmth(self) -> str:
        """Why the phone is too warm to be measured on; "" when it is not."""
        state = self.state()
        if not reading.too_hot(state, self._phone.cool_below_c):
            return ""
        told = (
            f"battery at {state.get('battery_c', '?')} C, thermal status {state.get('thermal_status', '?')}"
        )
        limit = f"it is measured on up to {self._phone.cool_below_c:g} C and status 0"
        return f"phone {self._phone.serial} is too warm ({told}; {limit})"

    def _cooled(self, allowance: Allowance, check: Callable[[], None]) -> bool:
        """Waits until the phone is cool; False when that takes longer than the measurement may rest."""
        with allowance.resting():
            while warmth := self._warmth():
                self._too_warm = warmth
                if allowance.rest_left_s <= 0:
                    return False
                check()
                time.sleep(min(COOL_LOOK_S, max(0.0, allowance.rest_left_s)))
            self._too_warm = ""
            return True

    def _measured(
        self, program: str, path: str, settings: MeasurementSettings, check: Callable[[], None]
    ) -> Measured:
        rule = settings.stop_rule
        allowance = Allowance(settings.deadline_ms / 1000, self._phone.cool_down_s)
        if not self._cooled(allowance, check):
            # What a phone that throttles takes says nothing of the network.
            raise failure(DEVICE_TOO_WARM, self._too_warm)
        attempts, runs, best = 0, rule.min_runs, None
        while True:
            started = time.monotonic()
            output = self._series(program, path, settings, runs, allowance, check)
            samples = np.asarray(output.samples_ms[settings.warmup_runs :])
            more = next_series(samples, rule)
            # A shaky figure is worth more than none; where no series is calm the first one is told.
            taken_s = time.monotonic() - started
            if more > runs and taken_s * more / runs * 1.2 < allowance.left_s:
                runs = more
                continue
            attempts += 1
            calm = stable(samples, rule.relative_ci_width)
            best = samples if best is None or calm else best
            if calm or attempts > settings.max_repeats or taken_s * 1.2 > allowance.left_s:
                break
            if not self._cooled(allowance, check):
                break
        return Measured(
            samples_ms=tuple(float(sample) for sample in best),
            attempts=attempts,
            unstable=not calm,
            load_ms=0.0,
            peak_memory_bytes=output.peak_memory_bytes,
            network_memory_bytes=0,
            nodes_by_provider={},
        )

    def _series(
        self,
        program: str,
        path: str,
        settings: MeasurementSettings,
        runs: int,
        allowance: Allowance,
        check: Callable[[], None],
    ) -> Output:
        wanted = settings.warmup_runs + runs
        left_s = allowance.left_s
        if left_s < 1:
            late = f"the measurement did not end within {settings.deadline_ms:g} ms and was stopped"
            raise failure(TIMEOUT, late)
        result = f"{path}.csv"
        arguments = self._runner.arguments(settings, model=f"{path}.onnx", result=result, runs=wanted)
        self._connection.text("rm", "-f", result)
        command = ["env", f"LD_LIBRARY_PATH={self._home}", program, *arguments]
        try:
            status, printed = self._connection.run(command, timeout_s=left_s, check=check)
        except BaseException:
            # Our end of the line is closed, and the phone goes on: it would run beside the next network.
            with suppress(DonnaError):
                self._stop()
            raise
        if status:
            raise _failed(status, printed, late=allowance.left_s < 1)
        output = self._runner.read(printed, self._connection.text("cat", result))
        if len(output.samples_ms) != wanted:
            said = f"the runner was to run {wanted} times, its output tells of {len(output.samples_ms)}"
            raise failure(BAD_OUTPUT, said)
        return output

    def _forget(self, *paths: str) -> None:
        with suppress(DonnaError):  # the phone is gone: they are removed before its next measurement
            self._connection.text("rm", "-f", *paths)

    def close(self) -> None:
        pass


def _fixed(model: bytes, batch_size: int) -> bytes:
    try:
        return fix_batch(ModelProto.FromString(model), batch_size).SerializeToString()
    except InvalidArgument as error:
        raise failure(UNMEASURABLE, error.message) from None


def _failed(status: int, printed: str, *, late: bool) -> DonnaError:
    last = printed.strip().rpartition("\n")[2][:200]
    if status == 137:
        # Both the phone's `timeout` and its memory killer end programs with this signal.
        if late:
            return failure(TIMEOUT, "the measurement did not end within its deadline and was stopped")
        return failure(OUT_OF_MEMORY, "the phone killed the runner, most likely for want of memory")
    return failure(CRASHED, f"the runner ended with status {status}" + (f": {last}" if last else ""))
