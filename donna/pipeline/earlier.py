"""How far off the plans of earlier runs were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from donna.errors import DonnaError
from donna.pipeline.folder import read_result


def earlier(folder: Path) -> list[dict[str, Any]]:
    """Planned and actual seconds of each phase of the runs in a folder that were planned, the latest first."""
    files = sorted(folder.glob("*/result.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    found = []
    for path in files:
        try:
            result = read_result(path.parent)
            planned = result.get("planned_s") or {}
            actual = {phase: result["timings_s"][phase] for phase in planned if phase in result["timings_s"]}
        except (DonnaError, KeyError, TypeError, AttributeError):
            continue  # of another version, or no run at all
        if actual:
            planned = {phase: planned[phase] for phase in actual}
            found.append({"run": str(path.parent), "planned_s": planned, "actual_s": actual})
    return found
