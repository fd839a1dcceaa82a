"""Synthetic libraries for the predictor's tests: real manifests, invented figures."""

from __future__ import annotations

import numpy as np

from donna.space import Block, Entry, Library, Option, Part

SHA = "0" * 64


def entry(m: int, quality: float, **qualities: float) -> Entry:
    return Entry(
        option=str(Option.of("conv", {"index": m})),
        key=f"{m:064x}",
        quality=float(quality),
        parameters=100 + m,
        macs=1000 + 7 * m,
        weight_bytes=400 + 4 * m,
        activation_bytes=64,
        weights=SHA,
        fragment=SHA,
        qualities={name: float(value) for name, value in qualities.items()},
    )


def library(tables: list[np.ndarray], extra: list[np.ndarray] | None = None, **changed: object) -> Library:
    """A library whose block n has the qualities tables[n]; `extra` gives a second quality, "kl"."""
    part = Part(parameters=10, macs=10, weight_bytes=40, activation_bytes=64, weights=SHA, fragment=SHA)
    blocks = tuple(
        Block(
            name=f"block{n}",
            input_shape=(8, 8, 8),
            output_shape=(8, 8, 8),
            entries=tuple(
                entry(m, q, **({} if extra is None else {"kl": extra[n][m]})) for m, q in enumerate(table)
            ),
        )
        for n, table in enumerate(tables)
    )
    fields: dict = {
        "reference": {"provider": "small_cnn"},
        "dataset": {"provider": "digits"},
        "recipe": {"epochs": 1.0},
        "provenance": {},
        "input_shape": (1, 8, 8),
        "num_classes": 10,
        "stem": part,
        "blocks": blocks,
        "head": part,
    }
    return Library(**fields | changed)


def random_tables(num_blocks: int, num_options: int, seed: int) -> list[np.ndarray]:
    """NSR-like qualities: positive, skewed, most of them below 1."""
    rng = np.random.default_rng(seed)
    return [rng.gamma(2.0, 0.15, size=num_options) for _ in range(num_blocks)]


def draw(num_options: tuple[int, ...], count: int, seed: int) -> np.ndarray:
    """(count, N) choices, uniform; distinct unless the space is small."""
    return np.random.default_rng(seed).integers(0, num_options, size=(count, len(num_options)))
