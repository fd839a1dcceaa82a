"""The manifests as kubectl would apply them."""

import functools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
K8S = ROOT / "deploy" / "k8s"
Object = dict[str, Any]


def program() -> list[str] | None:
    """kubectl or kustomize, None when neither is installed."""
    if shutil.which("kubectl"):
        return ["kubectl", "kustomize"]
    return ["kustomize", "build"] if shutil.which("kustomize") else None


def images_env() -> dict[str, str]:
    """Registry, version and further images: the one place that manifests, compose and make read."""
    lines = (ROOT / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def components() -> list[str]:
    return sorted(path.parent.name for path in K8S.glob("components/*/kustomization.yaml"))


@functools.cache
def render(folder: Path) -> tuple[Object, ...]:
    """All objects of a kustomization. Raises CalledProcessError with kustomize's own words."""
    command = program()
    assert command is not None
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(found for found in yaml.safe_load_all(done.stdout) if found)


def with_components(folder: Path, *names: str) -> tuple[Object, ...]:
    """The base with some components, in a copy of the manifests below `folder`."""
    copy = folder / "k8s"
    if not copy.exists():
        shutil.copytree(K8S, copy)
    made = copy / "overlays" / "-".join(("with", *names))
    made.mkdir(exist_ok=True)
    (made / "kustomization.yaml").write_text(
        yaml.safe_dump({"resources": ["../../base"], "components": [f"../../components/{n}" for n in names]})
    )
    return render(made)


def pod_specs(objects: tuple[Object, ...]) -> Iterator[tuple[str, Object, Object]]:
    """(name, pod template, pod spec) of everything that makes pods."""
    for found in objects:
        template = (
            found.get("template") if found["kind"] == "PodTemplate" else found.get("spec", {}).get("template")
        )
        if template:
            yield f"{found['kind']}/{found['metadata']['name']}", template, template["spec"]


def named(objects: tuple[Object, ...], kind: str) -> dict[str, Object]:
    return {found["metadata"]["name"]: found for found in objects if found["kind"] == kind}
