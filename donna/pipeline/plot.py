"""The picture of a run: accuracy against the latency of the first device."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

Cost = Callable[[dict[str, Any]], float]


def front_png(result: dict[str, Any]) -> bytes:
    """The front as predicted, the winners and the reference as they came out, as a PNG.

    Latencies of the front are the search's, those of winners and reference were measured again: a thin line leads from
    what the search knew of a network to what became of it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    device = next(iter(result["reference"]["latency_ms"]), None)
    if not all(device in point["latency_ms"] for point in result["front"]):
        device = None
    cost: Cost = (lambda p: p["latency_ms"][device]) if device else (lambda p: p["macs"])
    coverage = result["predictor"].get("interval_coverage", 0.9)
    _draw_front(axes, result["front"], cost, f"{100 * coverage:g} % interval of the prediction")
    for index, model in enumerate(result["models"]):
        where = cost(model), 100 * model["accuracy"]
        if searched := _searched_ms(model, device):
            _draw_change(axes, model["predicted_accuracy"], searched, where)
        label = "winners, finetuned (test)" if index == 0 else None
        axes.plot(*where, "D", color="tab:orange", markersize=8, label=label)
        axes.annotate(model["name"], where, (6, 6), textcoords="offset points", fontsize=8)
    reference = result["reference"]
    where = cost(reference), 100 * reference["accuracy"]
    if searched := _searched_ms(reference, device):
        _draw_change(axes, reference["accuracy"], searched, where)
        axes.plot(searched, where[1], "*", color="tab:red", fillstyle="none", markersize=12)
    axes.plot(*where, "*", color="tab:red", markersize=14, label="reference (test)")
    axes.set_xlabel(f"latency on {device}, ms" if device else "multiply-adds")
    axes.set_ylabel("top-1 accuracy, %")
    axes.set_title(f"{result['name']}: Pareto-optimal networks")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize=8)
    data = io.BytesIO()
    figure.savefig(data, format="png")
    return data.getvalue()


def _draw_front(axes: Any, points: list[dict[str, Any]], cost: Cost, interval: str) -> None:
    front = sorted(points, key=cost)
    x, y = [cost(p) for p in front], [100 * p["predicted_accuracy"] for p in front]
    low, high = ([100 * p["accuracy_interval"][end] for p in front] for end in (0, 1))
    axes.fill_between(x, low, high, alpha=0.15, color="tab:blue", linewidth=0, label=interval)
    told = "front, as the search knew it (accuracy predicted)"
    axes.plot(x, y, "o-", color="tab:blue", fillstyle="none", markersize=5, linewidth=1, label=told)


def _draw_change(axes: Any, known_accuracy: float, searched_ms: float, where: tuple[float, float]) -> None:
    axes.plot((searched_ms, where[0]), (100 * known_accuracy, where[1]), "-", color="grey", linewidth=0.8)


def _searched_ms(model: dict[str, Any], device: str | None) -> float | None:
    """The latency that the search knew; None where it knew none, and of a result of an older version."""
    return model.get("searched_latency_ms", {}).get(device)
