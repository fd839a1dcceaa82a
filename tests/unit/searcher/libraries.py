"""Libraries for service tests: real manifests over small fragments, which a real profiler can run."""

from __future__ import annotations

import hashlib

import numpy as np
from onnx import ModelProto

from donna.artifacts import ArtifactStore
from donna.space import Block, Entry, Library, Part
from donna.space.accuracy_tables import AccuracyTables
from tests.unit.graphs import fragments as make


def build_library(num_options: tuple[int, ...], artifacts: ArtifactStore, seed: int = 0) -> Library:
    """Options that cost more tend to lose less; fragments are stored, entry costs are round numbers."""
    g = np.random.default_rng(seed)

    def fragment(name: str, model: ModelProto) -> str:
        model.graph.name = name
        model.graph.doc_string = f"library {seed}"
        return artifacts.put_bytes(model.SerializeToString()).sha256

    def part(name: str, model: ModelProto) -> Part:
        return Part(
            parameters=10,
            macs=100,
            weight_bytes=40,
            activation_bytes=64,
            weights=hashlib.sha256(name.encode()).hexdigest(),
            fragment=fragment(name, model),
        )

    def entry(n: int, m: int) -> Entry:
        parameters = int(g.integers(5, 100))
        return Entry(
            option=f"conv(kernel={2 * m + 1})",
            key=f"{n}-{m}",
            quality=float(g.uniform(0.5, 1.5) / np.sqrt(parameters)),
            parameters=parameters,
            macs=int(parameters * g.integers(5, 20)),
            weight_bytes=4 * parameters,
            activation_bytes=int(g.integers(50, 500)),
            weights=hashlib.sha256(f"{n} {m}".encode()).hexdigest(),
            fragment=fragment(f"block {n} option {m}", make.conv(4, 4, 8, kernel=2 * m + 1, seed=seed + n)),
        )

    blocks = tuple(
        Block(
            name=f"block{n}",
            input_shape=(4, 8, 8),
            output_shape=(4, 8, 8),
            entries=tuple(entry(n, m) for m in range(count)),
        )
        for n, count in enumerate(num_options)
    )
    library = Library(
        reference={"provider": "none"},
        dataset={},
        recipe={},
        provenance={},
        input_shape=(1, 8, 8),
        num_classes=10,
        stem=part("stem", make.conv(1, 4, 8, seed=seed)),
        blocks=blocks,
        head=part("head", make.head(4, 8, 10, seed=seed)),
    )
    artifacts.put_bytes(library.to_json())
    return library


def true_accuracy(library: Library, X: np.ndarray, *, second_order: bool = True) -> np.ndarray:
    """What the fake predictor predicts."""
    q = library.qualities(X)
    pairs = (q.sum(axis=1) ** 2 - (q**2).sum(axis=1)) / 2
    return 0.95 - 0.1 * q.sum(axis=1) - 0.02 * second_order * pairs


def true_tables(library: Library, *, second_order: bool = True) -> AccuracyTables:
    """The same as tables, with intervals of +-0.01."""
    q = [np.array([entry.quality for entry in block.entries]) for block in library.blocks]
    return AccuracyTables(
        constant=0.95,
        unary=tuple(-0.1 * q_M for q_M in q),
        inputs=tuple(q_M[:, None] for q_M in q) if second_order else (),
        cross_DD=np.triu(np.full((len(q), len(q)), -0.02), k=1),
        unseen=tuple(np.zeros(len(q_M), dtype=bool) for q_M in q),
        target="accuracy",
        half_width=0.01,
    )


def true_latency_ms(library: Library, X: np.ndarray) -> np.ndarray:
    """What a fake device takes, without noise: not quite additive."""
    macs = library.costs(X, "macs")
    return 0.5 + macs / 1000 + 0.0002 * (X.sum(axis=1) % 7)
