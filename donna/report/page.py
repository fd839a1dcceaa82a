"""One self-contained HTML file: the page's parts in this folder, and the data of one run inside it."""

from __future__ import annotations

import html
import json
from importlib import resources
from typing import Any

from donna.report.data import page_data

STYLES = ("style.css", "charts.css")
# In the order in which they need each other; together they are one script.
SCRIPTS = (
    "elements.js",
    "format.js",
    "state.js",
    "chart.js",
    "accuracy.js",
    "front.js",
    "tabs.js",
    "blocks.js",
    "picture.js",
    "prediction.js",
    "progress.js",
    "heatmap.js",
    "tables.js",
    "ledger.js",
    "main.js",
)


def report_html(result: dict[str, Any], evaluations: str = "") -> str:
    """The page of a run, from its `result.json` and, where there is one, its `evaluations.csv`."""
    script = "\n".join(_part(name) for name in SCRIPTS)
    values = {
        "TITLE": html.escape(f"{result['name']}: Pareto-optimal networks"),
        "STYLE": "\n".join(_part(name) for name in STYLES),
        "DATA": _embedded(page_data(result, evaluations)),
        "SCRIPT": f'(() => {{\n"use strict";\n{script}\n}})();',
    }
    page = _part("page.html")
    # Only the markers of the template itself are filled, never one that stands in a value.
    pieces = page.split("%%")
    pieces[1::2] = [values[name] for name in pieces[1::2]]
    return "".join(pieces)


def _part(name: str) -> str:
    return resources.files(__package__).joinpath("parts", name).read_text(encoding="utf-8")


def _embedded(values: dict[str, Any]) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
