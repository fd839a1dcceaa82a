"""The picture of a run: accuracy against the latency of the first device."""

from __future__ import annotations

import io
from typing import Any


def front_png(result: dict[str, Any]) -> bytes:
    """The front as predicted, the winners and the reference as they came out, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    device = next(iter(result["reference"]["latency_ms"]), None)
    label, cost = (
        (f"latency on {device}, ms", lambda p: p["latency_ms"][device])
        if device and all(device in p["latency_ms"] for p in result["front"])
        else ("multiply-adds", lambda p: p["macs"])
    )
    front = sorted(result["front"], key=cost)
    x, y = [cost(p) for p in front], [100 * p["predicted_accuracy"] for p in front]
    low = [100 * p["accuracy_interval"][0] for p in front]
    high = [100 * p["accuracy_interval"][1] for p in front]
    axes.fill_between(
        x, low, high, alpha=0.15, color="tab:blue", linewidth=0, label="90 % interval of the prediction"
    )
    axes.plot(
        x,
        y,
        "o-",
        color="tab:blue",
        markersize=4,
        linewidth=1,
        label="front, accuracy predicted (validation)",
    )
    for index, model in enumerate(result["models"]):
        label_once = "winners, finetuned (test)" if index == 0 else None
        axes.plot(
            cost(model), 100 * model["accuracy"], "D", color="tab:orange", markersize=8, label=label_once
        )
        axes.annotate(
            model["name"],
            (cost(model), 100 * model["accuracy"]),
            (6, 6),
            textcoords="offset points",
            fontsize=8,
        )
    reference = result["reference"]
    axes.plot(
        cost(reference),
        100 * reference["accuracy"],
        "*",
        color="tab:red",
        markersize=14,
        label="reference (test)",
    )
    axes.set_xlabel(label)
    axes.set_ylabel("top-1 accuracy, %")
    axes.set_title(f"{result['name']}: Pareto-optimal networks")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize=8)
    data = io.BytesIO()
    figure.savefig(data, format="png")
    return data.getvalue()
