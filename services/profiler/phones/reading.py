"""What a phone says of itself, read from the text of its own commands. Pure; what is not told is left out."""

from __future__ import annotations

import re

PROPERTIES = {
    "manufacturer": "ro.product.manufacturer",
    "model": "ro.product.model",
    "soc": "ro.soc.model",
    "platform": "ro.board.platform",
    "abi": "ro.product.cpu.abi",
    "android": "ro.build.version.release",
    "build": "ro.build.fingerprint",
}


def properties(getprop: str) -> dict[str, str]:
    """The properties that may change a latency, from `getprop`."""
    told = dict(re.findall(r"^\[([^\]]+)\]: \[([^\]]*)\]\s*$", getprop, re.MULTILINE))
    return {name: told[key] for name, key in PROPERTIES.items() if told.get(key)}


def battery(dumpsys: str) -> dict[str, str]:
    """Level, charging and temperature, from `dumpsys battery` (temperature in tenths of a degree)."""
    told = {
        name.strip(): value.strip() for name, value in re.findall(r"^\s*([\w ]+): (\S+)\s*$", dumpsys, re.M)
    }
    found = {}
    if told.get("level", "").isdigit():
        found["battery_percent"] = told["level"]
    if re.fullmatch(r"-?\d+", told.get("temperature", "")):
        found["battery_c"] = f"{int(told['temperature']) / 10:.1f}"
    plugs = [told.get(f"{plug} powered") for plug in ("AC", "USB", "Wireless")]
    if any(plugs):
        found["charging"] = str("true" in plugs).lower()
    return found


def thermal_status(dumpsys: str) -> dict[str, str]:
    """Android's thermal status (0 none, 1 light, 2 moderate, 3 severe, ...), from `dumpsys thermalservice`."""
    found = re.search(r"Thermal Status: (\d+)", dumpsys)
    return {"thermal_status": found.group(1)} if found else {}


def clocks(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """(governors for the fingerprint, clocks for the state) from lines `<path>:<value>` of cpufreq files."""
    governors, mhz = set(), []
    for path, value in re.findall(r"^(\S+scaling_\w+):(\S+)\s*$", text, re.MULTILINE):
        if path.endswith("scaling_governor"):
            governors.add(value)
        elif path.endswith("scaling_cur_freq") and value.isdigit():
            mhz.append(int(value) // 1000)
    return (
        {"governor": ",".join(sorted(governors))} if governors else {},
        {"clock_mhz": ",".join(map(str, mhz))} if mhz else {},
    )


def free_bytes(df: str) -> int | None:
    """Space left, from the last line of `df -k <folder>`; None when it cannot be read."""
    lines = df.strip().splitlines()
    fields = lines[-1].split() if len(lines) > 1 else []
    # Long device names break onto a line of their own: count from the right.
    return int(fields[-3]) * 1024 if len(fields) >= 4 and fields[-3].isdigit() else None


def too_hot(state: dict[str, str], limit_c: float) -> bool:
    """Whether a phone should cool down before it is measured: it throttles, or its battery is warm."""
    throttles = state.get("thermal_status", "0") != "0"
    return throttles or float(state.get("battery_c", "0")) > limit_c
