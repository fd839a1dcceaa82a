"""The audit of dependencies tells what was found from what nobody answered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

AUDIT = Path(__file__).parents[2] / ".ci" / "audit.py"
SOUND = {"name": "numpy", "version": "2.0", "vulns": []}
BROKEN = {
    "name": "pillow",
    "version": "9.0",
    "vulns": [{"id": "CVE-2023-1", "fix_versions": ["9.3", "10.0"]}],
}
UNKNOWN = {"name": "private", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([SOUND], 0, "1 packages audited, 0 known vulnerabilities"),
        ([SOUND, UNKNOWN], 0, "not audited, since the index does not know them: private"),
        ([SOUND, BROKEN], 1, "pillow 9.0: CVE-2023-1, mended in 9.3, 10.0"),
        ([UNKNOWN, UNKNOWN], 0, "NOT AUDITED: the index has no advisories of any of the 2 packages"),
        (None, 0, "NOT AUDITED: no route to host"),
    ],
)
def test_what_is_said(tmp_path: Path, packages: list[dict[str, Any]] | None, code: int, said: str) -> None:
    answer = "" if packages is None else json.dumps({"dependencies": packages})
    (tmp_path / "pip_audit.py").write_text(
        f"import sys\nprint({answer!r})\nsys.exit({'no route to host'!r} if {packages is None} else {code})\n"
    )
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    ended = subprocess.run([sys.executable, str(AUDIT)], env=env, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, said in ended.stdout) == (code, True), ended.stdout + ended.stderr
