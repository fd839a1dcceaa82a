"""The five images are alike, carry what their service imports and nothing heavy beside, and have one set of names."""

import ast
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import donna
from tests.deploy.rendered import images_env

ROOT = Path(__file__).parents[2]
SERVICES = ("distiller", "finetuner", "predictor", "searcher", "profiler")
TRAINING = ("distiller", "finetuner")
PORT, HEALTH_PORT = 50051, 50052
dependencies = runpy.run_path(str(ROOT / "deploy" / "dependencies.py"))["dependencies"]
# The name to import -> the package that brings it, where they differ.
PACKAGES = {
    "google": "googleapis-common-protos", "grpc": "grpcio", "grpc_health": "grpcio-health-checking",
    "grpc_reflection": "grpcio-reflection", "grpc_status": "grpcio-status", "yaml": "pyyaml",
    "pydantic_settings": "pydantic-settings", "urllib3": "kubernetes", "sklearn": "scikit-learn",
    "prometheus_client": "prometheus-client",
}  # fmt: skip


def dockerfile(service: str) -> str:
    return (ROOT / "services" / service / "Dockerfile").read_text()


def instructions(service: str) -> list[str]:
    """The instructions of a Dockerfile, one a line, without comments."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile(service), flags=re.MULTILINE)
    return re.sub(r"\\\n\s*", "", text).strip().splitlines()


def extras(service: str) -> list[str]:
    found = re.search(r"dependencies\.py ([\w ]+) >", dockerfile(service))
    assert found is not None
    return found[1].split()


def imported(service: str) -> set[str]:
    """Packages that a service imports at its start or later, through ours, as a parser sees them."""
    todo = [f"services.{service}.{p.stem}" for p in (ROOT / "services" / service).glob("*.py")]
    seen: set[str] = set()
    foreign: set[str] = set()
    while todo:
        module = todo.pop()
        path = ROOT / Path(*module.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if module in seen or not path.exists():
            continue
        seen.add(module)
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            todo += [name for name in names if name.startswith(("donna.", "services."))]
            foreign |= {name.partition(".")[0] for name in names}
    return foreign - set(sys.stdlib_module_names) - {"donna", "services", "__future__"}


@pytest.mark.parametrize("service", SERVICES)
def test_each_image_differs_from_the_predictors_only_where_it_must(service: str) -> None:
    def shape(name: str) -> list[str]:
        lines = [line for line in instructions(name) if "torch" not in line and "TORCH" not in line]
        text = "\n".join(lines).replace(name, "SERVICE").replace(name.upper(), "SERVICE")
        text = re.sub(r"dependencies\.py [\w ]+ >", "dependencies.py EXTRAS >", text)
        text = re.sub(r" && pip [^&]+ uninstall [^&]+(?= &&)", "", text)
        return re.sub(r'description="[^"]+"', "description", text).splitlines()

    assert shape(service) == shape("predictor")


@pytest.mark.parametrize("service", SERVICES)
def test_each_image_is_safe_to_run_and_tells_what_it_is(service: str) -> None:
    lines = instructions(service)
    assert [line for line in lines if line.startswith("FROM ")] == ["FROM python:3.11-slim"]
    assert "USER 10001:10001" in lines
    assert f"EXPOSE {PORT} {HEALTH_PORT}" in lines
    assert any(line.startswith("HEALTHCHECK") and f"127.0.0.1:{HEALTH_PORT}" in line for line in lines)
    assert lines[-1] == f'CMD ["python", "-m", "services.{service}"]'
    assert f"DONNA_{service.upper()}_LISTEN=0.0.0.0:{PORT}" in dockerfile(service)
    assert f"DONNA_{service.upper()}_HEALTH_LISTEN=0.0.0.0:{HEALTH_PORT}" in dockerfile(service)
    assert not re.search(r"--mount|<<|# syntax|COPY .*--(chmod|link)", dockerfile(service)), "BuildKit only"
    assert "apt-get" not in dockerfile(service) and "--only-binary :all:" in dockerfile(service)
    text = "\n".join(lines)
    assert text.index("pip ") < text.index("COPY donna donna"), "dependencies come before the code"
    for label in ("title", "description", "version", "licenses"):
        assert f"org.opencontainers.image.{label}=" in text


@pytest.mark.parametrize("service", SERVICES)
def test_each_image_installs_what_its_service_imports(service: str) -> None:
    asked_for = {"adbutils", "opentelemetry"}  # by people with phones, with a collector of traces
    wanted = {PACKAGES.get(name, name) for name in imported(service) - asked_for}
    optional = {"obstore", "psycopg"}
    installed = {
        re.split(r"[<>=\[;]", line)[0].lower()
        for line in dependencies(ROOT / "pyproject.toml", extras(service))
    }
    assert wanted <= installed
    assert optional <= installed, "state and artifacts of a cluster"
    assert ("torch" in installed) == (service in TRAINING)


def test_distiller_and_finetuner_share_everything_down_to_the_code() -> None:
    def leading(service: str) -> list[str]:
        lines = instructions(service)
        return lines[: next(n for n, line in enumerate(lines) if f"services/{service}" in line)]

    assert leading("distiller") == leading("finetuner")
    assert any("torch" in line for line in leading("distiller"))


def test_registry_and_version_are_set_in_one_place() -> None:
    environment = images_env()
    assert set(environment) == {"DONNA_REGISTRY", "DONNA_VERSION", "DONNA_POSTGRES_IMAGE"}
    assert environment["DONNA_VERSION"] == donna.__version__
    compose = (ROOT / "docker-compose.yaml").read_text()
    for service in SERVICES:
        assert (
            f"image: ${{DONNA_REGISTRY:-{environment['DONNA_REGISTRY']}}}/donna/{service}:"
            f"${{DONNA_VERSION:-{environment['DONNA_VERSION']}}}"
        ) in compose
    assert f"image: ${{DONNA_POSTGRES_IMAGE:-{environment['DONNA_POSTGRES_IMAGE']}}}" in compose
    makefile = (ROOT / "Makefile").read_text()
    assert f"include {(ROOT / '.env').readlink()}\n" in makefile


def compose_services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]
    return found


def test_compose_gives_each_container_only_the_secrets_that_it_needs() -> None:
    """The token that opens everything is in none that serves, and no password is where foreign models run."""
    made = {line.split(":")[0] for line in compose_services()["secrets"]["volumes"]}
    given = {
        name: {line.split(":")[0] for line in service.get("volumes", ()) if ":ro" in line}
        for name, service in compose_services().items()
        if name != "secrets"
    }
    assert made == {"callers", *(volume for volumes in given.values() for volume in volumes)}
    common = {"admitted", "database-password"}
    assert given == {
        "postgres": {"database-password"}, "profiler": {"admitted"}, "searcher": common | {"searcher-token"},
        "distiller": common, "finetuner": common, "predictor": common,
    }  # fmt: skip
    for name, service in compose_services().items():
        if name != "postgres":
            assert service["build"]["dockerfile"], f"{name} would be pulled, from whoever has the name"
            assert service["image"].startswith("${DONNA_REGISTRY:-docker.io}/")


def test_compose_sets_only_what_is_a_setting() -> None:
    from tests.deploy.settings import known_variables

    services = compose_services()
    assert set(services) == {*SERVICES, "secrets", "postgres"}
    for service in SERVICES:
        assert set(services[service]["environment"]) <= known_variables(service)
        assert services[service]["build"]["dockerfile"] == f"services/{service}/Dockerfile"
        (port,) = services[service]["ports"]
        assert port.startswith("127.0.0.1:") and port.endswith(f":{PORT}")


def test_the_context_has_no_more_than_the_images_need() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for service in SERVICES
        for line in instructions(service)
        if line.startswith("COPY ")
        for source in line.split()[1:-1]
    }
    assert kept == {source for source in copied if not source.startswith("services/")} | {"services"}


def test_dependencies_prints_each_requirement_once() -> None:
    command = [sys.executable, "deploy/dependencies.py", "searcher", "phones", "cluster"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(said) == len(set(said)) and any(line.startswith("pymoo") for line in said)
    assert not any(line.startswith("donna") for line in said), "extras of ours are written out"
    assert any(line.startswith("sqlalchemy") for line in said)
    assert not any(line.startswith(("typer", "rich")) for line in said), "services have no command line"
