"""Dependencies point one way, and programs stay light."""

import ast
import subprocess
import sys

import pytest

from tests.contract.import_rules import HOMES, OUTER, ROOT, imports, modules, violations

MODULES = modules()


def broken(module: str, source: str) -> list[str]:
    return [broken for found in imports(module, source, MODULES) for broken in violations(found)]


def test_every_module_imports_only_what_is_below_it() -> None:
    found = [said for module, path in MODULES.items() for said in broken(module, path.read_text())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("donna.space.option", "import donna.nets"),
        ("donna.space.option", "from donna import jobs"),
        ("donna.errors", "from donna.space import Option"),
        ("donna.jobs.record", "from donna.jobs.store import JobStore"),
        ("donna.jobs.store", "from donna.v1 import common_pb2"),
        ("donna.nets.cut", "from donna.data import registry"),
        ("donna.graphs.stitch", "import torch"),
        ("donna.rpc.server", "from donna.jobs.engine import Engine"),
        ("donna.rpc.server", "def f():\n    from services.searcher import servicer"),
        ("donna.client", "import torch.nn"),
        ("donna.pipeline.run", "from services.searcher.spec import SearchSpec"),
        ("donna.local", "from donna.jobs.engine import Engine"),
        ("services.searcher.work", "from services.predictor.model import Model"),
        ("services.searcher.pareto", "import time"),
        ("services.searcher.pareto", "from os import path"),
        ("services.searcher.pareto", "from donna.v1 import searcher_pb2"),
        ("services.searcher.pareto", "from services.searcher import servicer"),
        ("services.searcher.pareto", "from services.searcher.wire import read"),
        ("services.searcher.pareto", "from .wire import read"),
        ("services.searcher.a_new_one", "import threading"),
        ("services.predictor.fit", "from donna.nets import cut"),
        ("services.predictor.servicer", "import torch"),
        ("services.profiler.timing", "import pymoo.core"),
        ("services.distiller.distill", "import sqlalchemy"),
        ("services.distiller.distill", "import sklearn.linear_model"),
        ("services.finetuner.checkpoint", "import pickle"),
        ("services.finetuner.work", "import kubernetes"),
        ("donna.client", "import kubernetes"),
        ("services.finetuner.work", "import adbutils"),
    ],
)
def test_the_checker_catches_it(module: str, source: str) -> None:
    assert len(broken(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("donna.space.option", "from donna.errors import InvalidArgument\nimport json, numpy"),
        ("donna.rpc.messages", "from donna.jobs.record import Job\nfrom donna.space import Architecture"),
        ("services.searcher.pareto", "from services.searcher.metric import Metric\nimport pymoo.core"),
        ("services.distiller.distill", "import torch\nfrom donna.nets.cut import cut"),
        ("services.profiler.process", "import os, subprocess"),
    ],
)
def test_the_checker_lets_pass_what_is_right(module: str, source: str) -> None:
    assert broken(module, source) == []


def test_the_table_names_nothing_that_is_gone() -> None:
    for service, names in OUTER.items():
        for name in names:
            stem = f"services.{service}.{name.removesuffix('*')}"
            assert any(module == stem or module.startswith(stem) for module in MODULES), stem
    for homes in HOMES.values():
        for home in homes:
            assert "*" in home or any(
                m == home or m.startswith(f"{home}.") for m in (*MODULES, "donna.v1.")
            ), home


def test_nothing_happens_at_import() -> None:
    """No statement at the top of a module is a bare call: it would do something to the world."""
    calls = [
        f"{module}:{node.lineno}"
        for module, path in MODULES.items()
        if module != "donna.jobs.migrations.env"  # alembic runs this file, nobody imports it
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ]
    assert calls == []


HEAVY = (
    "torch",
    "torchvision",
    "timm",
    "sklearn",
    "scipy",
    "onnx",
    "onnxruntime",
    "pymoo",
    "matplotlib",
    "kubernetes",
)
SERVING = ("sqlalchemy", "alembic", "pydantic_settings", "prometheus_client")
"""What only services need."""
LIGHT: dict[str, tuple[str, ...]] = {
    "donna.client": (*HEAVY, *SERVING),
    "donna.local": (*HEAVY, *SERVING),
    "donna.pipeline.run": (*HEAVY, *SERVING),
    "donna.notebook": (*HEAVY, *SERVING),
    "donna.cli": (*HEAVY, *SERVING),
    "donna.jobs": (*HEAVY, "grpc", "numpy"),
    "services.predictor.__main__": ("torch", "onnx", "onnxruntime", "pymoo"),
    "services.searcher.__main__": ("torch", "sklearn", "onnx", "onnxruntime"),
    "services.profiler.__main__": ("torch", "sklearn", "pymoo"),
}


@pytest.mark.parametrize("module", LIGHT)
def test_a_program_loads_only_what_it_needs(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({set(LIGHT[module])!r} & set(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True, timeout=120
    )
    assert answer.stdout.split() == []
