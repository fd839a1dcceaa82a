"""Who may import whom, as a table, and what breaks it. Works on source text; imports nothing that it judges."""

import ast
import fnmatch
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORDS = ("donna.space", "donna.errors", "donna.onnx_format")

# Longest prefix wins: what a module may import of ours, beside its own package.
OURS: dict[str, tuple[str, ...]] = {
    "donna": ("donna.client",),  # lazily: the SDK by a short name
    "donna.errors": (),
    "donna.allocator": (),
    "donna.durable": (),
    "donna.trouble": (),
    "donna.onnx_format": (),
    "donna.space": ("donna.errors",),
    "donna.registry": ("donna.errors",),
    "donna.allowed": ("donna.errors",),
    "donna.nets": (*WORDS, "donna.registry"),
    "donna.data": (*WORDS, "donna.registry"),
    "donna.graphs": WORDS,
    "donna.artifacts": ("donna.errors", "donna.durable"),
    "donna.object_artifacts": ("donna.errors", "donna.artifacts"),
    "donna.variables": ("donna.errors",),
    "donna.settings": ("donna.errors", "donna.variables"),
    "donna.jobs": ("donna.errors", "donna.trouble"),
    "donna.jobs.record": ("donna.errors",),
    "donna.rpc": (
        *(*WORDS, "donna.v1", "donna.artifacts", "donna.durable", "donna.trouble"),
        *("donna.jobs.record", "donna.jobs.store"),
    ),
    "donna.telemetry": ("donna.errors", "donna.jobs", "donna.rpc.channel", "donna.v1"),
    "donna.service": (
        *("donna.errors", "donna.artifacts", "donna.object_artifacts", "donna.settings"),
        *("donna.allocator", "donna.durable", "donna.health", "donna.jobs", "donna.rpc"),
        "donna.telemetry",
    ),
    "donna.health": ("donna.errors", "donna.artifacts", "donna.durable", "donna.jobs"),
    "donna.placement": ("donna.errors", "donna.cluster_api", "donna.settings", "donna.jobs"),
    "donna.cluster_api": ("donna.errors",),
    "donna.cluster_secret": ("donna.errors", "donna.cluster_api", "donna.rpc.secret"),
    "donna.checkpoints": ("donna.errors", "donna.artifacts", "donna.jobs"),
    "donna.remembered": ("donna.artifacts", "donna.jobs"),
    "donna.worker": (
        *("donna.errors", "donna.artifacts", "donna.settings", "donna.jobs", "donna.service"),
        "donna.telemetry",
    ),
    "donna.client": (*WORDS, "donna.v1", "donna.rpc"),
    "donna.running": ("donna.client", "donna.durable"),
    "donna.local": (*WORDS, "donna.client", "donna.jobs.lifeline", "donna.running"),
    "donna.notebook": (*WORDS, "donna.client", "donna.pipeline", "donna.report", "donna.v1"),
    "donna.report": (*WORDS, "donna.pipeline"),
    "donna.report.live": (*WORDS, "donna.pipeline", "donna.report", "donna.v1"),
    "donna.pipeline": (*WORDS, "donna.v1", "donna.rpc", "donna.client", "donna.durable", "donna.report"),
    "donna.cli": (
        *(*WORDS, "donna.client", "donna.local", "donna.running", "donna.pipeline", "donna.report"),
        *("donna.durable", "donna.v1", "donna.rpc", "donna.variables"),
    ),
}
# Modules whose own package is no excuse: the state machine knows no store.
ALONE = ("donna.jobs.record",)

# The outer modules of each service, which know the wire, the store, the machine or the clock. What is not
# here is mathematics.
EVERY = ("__main__", "settings", "servicer", "telemetry", "work", "worker", "wire", "messages")
OUTER: dict[str, tuple[str, ...]] = {
    "distiller": (
        "admission",
        "catalogue",
        "group",
        "inspection",
        "materials",
        "probe",
        "shelf",
    ),
    "predictor": ("shelf",),
    "searcher": (
        *(
            "bench",
            "conduct",
            "discovery",
            "dispatch",
            "evolution_proposals",
            "exact_proposals",
            "fleet",
            "gateway",
            "glance",
            "lane",
            "live",
            "latencies",
            "libraries",
            "measurement",
            "patience",
        ),
        *("points", "predictors", "profilers", "refinement", "search", "standing", "weightless"),
    ),
    "profiler": (
        *(
            "canary",
            "child",
            "description",
            "devices",
            "host",
            "host_lock",
            "layers",
            "limits",
            "local_device",
            "models",
        ),
        *("hub", "network", "nursery", "phones*", "process", "session", "turns"),
    ),
    "finetuner": (
        *("admission", "materials", "trainer", "workshop"),
        *("probe", "quantize", "reference_check", "replica", "replicas"),
    ),
}
MATHEMATICS: dict[str, tuple[str, ...]] = {
    "distiller": (*WORDS, "donna.allocator", "donna.allowed", "donna.nets", "donna.data"),
    "predictor": WORDS,
    "searcher": WORDS,
    "profiler": WORDS,
    "finetuner": (*WORDS, "donna.allowed", "donna.nets", "donna.data", "donna.graphs"),
}
WORLD = ("os", "time", "datetime", "socket", "subprocess", "threading", "asyncio", "signal", "tempfile")

# Third-party packages that have a home.
HOMES: dict[str, tuple[str, ...]] = {
    "torch": ("donna.nets", "donna.data", "services.distiller", "services.finetuner"),
    "torchvision": ("donna.nets", "donna.data"),
    "timm": ("donna.nets",),
    "sklearn": ("donna.data", "services.predictor"),
    "pymoo": ("services.searcher",),
    "onnxruntime": ("donna.nets.parity", "services.profiler", "services.finetuner"),
    "onnx": ("donna.graphs", "donna.nets", "services.profiler", "services.finetuner"),
    "sqlalchemy": ("donna.jobs",),
    "alembic": ("donna.jobs",),
    "obstore": ("donna.object_artifacts",),
    "grpc": ("donna.rpc", "donna.v1", "donna.client", "services.*"),
    "kubernetes": ("donna.jobs", "donna.placement"),
    "adbutils": ("services.profiler.phones",),
    "psutil": ("services.profiler",),
    "prometheus_client": ("donna.telemetry.metrics", "services.*.telemetry"),
    "mlflow": ("donna.pipeline.tracking",),
    "opentelemetry": ("donna.telemetry.tracing",),
    "pydantic_settings": ("donna.settings", "services.*.settings"),
    "typer": ("donna.cli",),
    "pickle": (),
}


@dataclass(frozen=True, kw_only=True)
class Import:
    """`module` imports `name` in line `line`."""

    module: str
    name: str
    line: int


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Every module of ours that people wrote, by dotted name."""
    found = {}
    for top in ("donna", "services"):
        for path in sorted((root / top).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if parts[:2] != ("donna", "v1"):
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(module: str, source: str, known: Collection[str]) -> Iterator[Import]:
    """What a module imports, wherever in it: `from donna import errors` is donna.errors."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module=module, name=alias.name, line=node.lineno)
        elif isinstance(node, ast.ImportFrom):
            stem = "." * node.level + (node.module or "")
            for alias in node.names:
                whole = f"{stem}.{alias.name}"
                deeper = whole in known or stem == "donna"
                yield Import(module=module, name=whole if deeper else stem, line=node.lineno)


def violations(found: Import) -> Iterator[str]:
    """The rules that one import breaks, each as a sentence."""
    says = f"{found.module}:{found.line} imports {found.name}"
    if found.name.startswith("."):
        yield f"{says}: write it in full"
    top = found.name.partition(".")[0]
    if top in ("donna", "services"):
        if not _may(found.module, found.name):
            yield f"{says}, which is not below it"
    elif top in HOMES and not _within(found.module, HOMES[top]):
        yield f"{says}, whose home is {', '.join(HOMES[top]) or 'nowhere'}"
    elif top in WORLD and top in sys.stdlib_module_names and _is_mathematics(found.module):
        yield f"{says}, but it is mathematics"


def _may(module: str, name: str) -> bool:
    if name == "donna":  # holds the version and nothing else
        return not _is_mathematics(module)
    if module.startswith("services."):
        service = module.split(".")[1]
        own = f"services.{service}"
        if _is_mathematics(module):
            return (_within(name, (own,)) and _is_mathematics(name)) or _within(name, MATHEMATICS[service])
        return _within(name, (own, "donna"))
    rule = max((prefix for prefix in OURS if _within(module, (prefix,))), key=len)
    return (rule not in ALONE and rule != "donna" and _within(name, (rule,))) or _within(name, OURS[rule])


def _is_mathematics(module: str) -> bool:
    parts = module.split(".")
    if parts[0] != "services" or len(parts) < 3:
        return False
    return not any(fnmatch.fnmatch(parts[2], outer) for outer in (*EVERY, *OUTER[parts[1]]))


def _within(name: str, prefixes: Collection[str]) -> bool:
    return any(fnmatch.fnmatch(name, prefix) or fnmatch.fnmatch(name, f"{prefix}.*") for prefix in prefixes)
