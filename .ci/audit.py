"""Asks for known vulnerabilities of the pinned dependencies, with pip-audit: `make audit`.

Exit code 1 when there are any. Where nobody answers, as behind an index that has no advisories, it says NOT AUDITED in
so many words and ends with 0: a network that is away is no vulnerability.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PINS = Path(__file__).parents[1] / "constraints.txt"
COMMAND = (
    *("-m", "pip_audit", "--requirement", str(PINS), "--no-deps", "--disable-pip"),
    *("--format", "json", "--progress-spinner", "off"),
)
DEADLINE_S = 900


def answer() -> tuple[list[dict[str, Any]], str]:
    """What is said of each package, or nothing and why."""
    try:
        asked = subprocess.run(  # noqa: S603 - this interpreter and words of this file
            [sys.executable, *COMMAND], capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )
        return json.loads(asked.stdout)["dependencies"], ""
    except subprocess.TimeoutExpired:
        return [], f"no answer within {DEADLINE_S} s"
    except (ValueError, KeyError):
        return [], (asked.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]


def main() -> int:
    """Prints what was found."""
    packages, reason = answer()
    audited = [package for package in packages if "vulns" in package]
    skipped = [package["name"] for package in packages if "vulns" not in package]
    if not audited:
        reason = reason or f"the index has no advisories of any of the {len(skipped)} packages"
        sys.stdout.write(f"NOT AUDITED: {reason}\n")
        return 0
    found = 0
    for package in audited:
        for vulnerability in package["vulns"]:
            found += 1
            mended = ", ".join(vulnerability.get("fix_versions", ())) or "no version"
            sys.stdout.write(
                f"{package['name']} {package['version']}: {vulnerability['id']}, mended in {mended}\n"
            )
    if skipped:
        sys.stdout.write(f"not audited, since the index does not know them: {', '.join(skipped)}\n")
    sys.stdout.write(f"{len(audited)} packages audited, {found} known vulnerabilities\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
