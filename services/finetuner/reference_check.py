"""Checks the description of a reference in a process of its own: `python -m services.finetuner.reference_check`.

Providers need torch, which would take half a gigabyte in a service that otherwise computes nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from donna.errors import FailedPrecondition, InvalidArgument, Unavailable, Violation

DEADLINE_S = 120


def check_reference(description: Mapping[str, Any]) -> None:
    """Raises InvalidArgument naming `reference.provider` or `reference.arguments.<name>`, and Unavailable when the
    process that checks it was killed or is too slow."""
    asked = {"provider": description["provider"], "arguments": description.get("arguments") or {}}
    problems = _ask(json.dumps(asked, sort_keys=True))
    if problems:
        raise InvalidArgument.all_of(Violation(field=f, description=d) for f, d in problems)


@lru_cache(maxsize=256)
def _ask(description: str) -> tuple[tuple[str, str], ...]:
    try:
        child = subprocess.run(
            [sys.executable, "-m", "services.finetuner.reference_check"],
            input=description,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _not_now(f"it took more than {DEADLINE_S} s") from None
    if child.returncode < 0:
        raise _not_now(f"its process was ended by signal {-child.returncode}")
    if child.returncode:
        raise FailedPrecondition(
            "reference: the providers of references cannot be loaded", reason="NO_PROVIDERS"
        )
    return tuple((field, said) for field, said in json.loads(child.stdout))


def _not_now(why: str) -> Unavailable:
    return Unavailable(f"reference: could not be checked, {why}", reason="CHECK_FAILED", retry_after_s=2.0)


def main() -> None:
    """Reads a description from standard input, writes [[field, what is wrong], ...]."""
    from donna.nets import references

    problems: list[list[str]] = []
    try:
        references.resolve(json.load(sys.stdin))
    except InvalidArgument as error:
        problems = [[v.field, v.description] for v in error.violations]
    json.dump(problems, sys.stdout)


if __name__ == "__main__":
    main()
