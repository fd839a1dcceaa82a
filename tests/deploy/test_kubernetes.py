"""Every rendering of the manifests: valid, closed, restricted, and in step with the code."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import torch
import yaml

import donna
from donna.cluster_api import ClusterApi
from donna.cluster_secret import make_secret
from donna.jobs.kubernetes_job import CONTAINER, JobOptions, job_manifest
from donna.rpc.authentication import digest_of
from services.distiller.compute import stepping
from tests.deploy.rendered import (
    K8S,
    Object,
    components,
    images_env,
    named,
    pod_specs,
    program,
    render,
    with_components,
)
from tests.deploy.settings import known_variables, settings_class

VERSION = "1.36"
SERVICES = ("distiller", "finetuner", "predictor", "searcher", "profiler")
CUSTOM = {
    "LocalQueue",
    "PrometheusRule",
    "PodMonitor",
}  # of operators: no published schemas of Kubernetes itself
RENDERINGS = [
    ".", "base", "overlays/cpu", "overlays/lab", *(f"+{name}" for name in components()),
    "+gpu+s3+external-postgres+tls+network-policies+kueue+monitoring",
]  # fmt: skip

pytestmark = pytest.mark.skipif(program() is None, reason="neither kubectl nor kustomize is installed")


@pytest.fixture(scope="module", params=RENDERINGS)
def objects(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Object, ...]:
    if request.param.startswith("+"):
        return with_components(tmp_path_factory.mktemp("k8s"), *request.param[1:].split("+"))
    return render(K8S / request.param)


def service_of(container: Object) -> str:
    place = images_env()
    registry, version = re.escape(place["DONNA_REGISTRY"]), re.escape(place["DONNA_VERSION"])
    found = re.fullmatch(rf"{registry}/donna/(\w+):{version}", container["image"])
    assert found is not None, container["image"]
    return found[1]


def containers(objects: tuple[Object, ...]) -> Iterator[tuple[str, Object, Object]]:
    """(name, container, pod spec) of ours."""
    for name, _, spec in pod_specs(objects):
        for container in spec["containers"]:
            if container["image"] != images_env()["DONNA_POSTGRES_IMAGE"]:
                yield name, container, spec


def test_every_object_is_valid_and_in_the_namespace(objects: tuple[Object, ...]) -> None:
    for found in objects:
        if found["kind"] not in CUSTOM:
            kubernetes_validate.validate(found, VERSION, strict=True)
        if found["kind"] != "Namespace":
            assert found["metadata"].get("namespace") == "donna", found["metadata"]
        assert "\n" not in json.dumps(found.get("metadata"))
    names = [(found["kind"], found["metadata"]["name"]) for found in objects]
    assert len(names) == len(set(names))


def test_every_variable_is_a_setting_and_fits(objects: tuple[Object, ...], monkeypatch: Any) -> None:
    for name, container, _ in containers(objects):
        service = service_of(container)
        given = container.get("env", [])
        assert {variable["name"] for variable in given} <= known_variables(service), name
        assert len({variable["name"] for variable in given}) == len(given)
        with monkeypatch.context() as patch:
            for variable in given:
                if "value" in variable:
                    patch.setenv(variable["name"], variable["value"])
            settings_class(service)()


def test_ports_and_probes_are_those_of_the_images(objects: tuple[Object, ...]) -> None:
    services = named(objects, "Service")
    for kind in ("Deployment", "DaemonSet"):
        for name, found in named(objects, kind).items():
            (container,) = found["spec"]["template"]["spec"]["containers"]
            image = (K8S.parents[1] / "services" / service_of(container) / "Dockerfile").read_text()
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            assert f"EXPOSE {ports['grpc']} {ports['health']}\n" in image
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                assert container[probe]["grpc"] == {"port": ports["health"]}
            assert services[name]["spec"]["ports"][0]["port"] == ports["grpc"]
            assert (
                services[name]["spec"]["selector"].items()
                <= found["spec"]["template"]["metadata"]["labels"].items()
            )


def test_what_is_mounted_and_referred_to_is_there(objects: tuple[Object, ...]) -> None:
    asked_for = {"donna", "donna-s3", "donna-tls", "donna-database"}  # made by the Job, or by a person
    claims, maps = named(objects, "PersistentVolumeClaim"), named(objects, "ConfigMap")
    accounts = named(objects, "ServiceAccount")
    for name, template, spec in pod_specs(objects):
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        claimed = {
            c["metadata"]["name"]
            for f in objects
            if f["kind"] == "StatefulSet"
            for c in f["spec"]["volumeClaimTemplates"]
        }
        assert spec["serviceAccountName"] in accounts, name
        for container in spec["containers"]:
            mounts = {mount["name"] for mount in container.get("volumeMounts", [])}
            assert mounts <= set(volumes) | claimed and set(volumes) <= mounts, name
            mounted = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
            for variable in container.get("env", []):
                source = variable.get("valueFrom", {})
                assert source.get("secretKeyRef", {}).get("name", "donna") in asked_for
                assert source.get("configMapKeyRef", {}).get("name", "images") in maps
                if (
                    variable["name"].endswith(("_FILE", "_CERTIFICATE", "_KEY", "_CA", "_ARTIFACTS"))
                    and "value" in variable
                ):
                    assert any(variable["value"].startswith(path) for path in mounted), (name, variable)
        for volume in volumes.values():
            assert volume.get("secret", {}).get("secretName", "donna") in asked_for
            assert volume.get("persistentVolumeClaim", {}).get("claimName", "artifacts") in {
                *claims,
                "artifacts",
            }
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims, name
            assert volume.get("configMap", {}).get("name", "images") in maps
        assert template["metadata"]["labels"]["app.kubernetes.io/name"]


def test_pods_keep_to_the_restricted_standard(objects: tuple[Object, ...]) -> None:
    assert (
        named(objects, "Namespace")["donna"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        == "restricted"
    )
    for name, _, spec in pod_specs(objects):
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True and security["runAsUser"] >= 100, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        for forbidden in ("hostNetwork", "hostPID", "hostIPC"):
            assert not spec.get(forbidden)
        for volume in spec.get("volumes", []):
            kind = (set(volume) - {"name"}).pop()
            assert kind in {"emptyDir", "secret", "configMap", "persistentVolumeClaim"}
        for container in spec["containers"]:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False and own["readOnlyRootFilesystem"] is True
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


def test_only_distiller_and_finetuner_may_create_jobs(objects: tuple[Object, ...]) -> None:
    roles = named(objects, "Role")
    assert not named(objects, "ClusterRole") and not named(objects, "ClusterRoleBinding")
    may = {
        (name, group or "core", resource, verb)
        for name, role in roles.items()
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    jobs = {
        (s, "batch", "jobs", v)
        for s in ("distiller", "finetuner")
        for v in ("create", "delete", "list", "watch")
    }
    why = {(s, "core", what, "list") for s in ("distiller", "finetuner") for what in ("pods", "events")}
    assert may == jobs | why | {
        ("distiller", "core", "podtemplates", "get"), ("finetuner", "core", "podtemplates", "get"),
        ("searcher", "core", "pods", "list"), ("secrets", "core", "secrets", "create"),
    }  # fmt: skip
    for name, binding in named(objects, "RoleBinding").items():
        assert binding["roleRef"]["name"] == name == binding["subjects"][0]["name"]
    for name, _, spec in pod_specs(objects):
        assert spec["automountServiceAccountToken"] is (spec["serviceAccountName"] in roles), name


def test_the_templates_make_jobs_that_the_cluster_takes(objects: tuple[Object, ...]) -> None:
    templates = named(objects, "PodTemplate")
    for service in ("distiller", "finetuner"):
        (deployed,) = named(objects, "Deployment")[service]["spec"]["template"]["spec"]["containers"]
        template = f"{service}-worker"
        made = job_manifest("jobs/1f", 3, templates[template]["template"], JobOptions(template=template))
        kubernetes_validate.validate(made, VERSION, strict=True)
        (worker,) = made["spec"]["template"]["spec"]["containers"]
        assert worker["name"] == CONTAINER and worker["image"] == deployed["image"]
        assert worker["command"] == ["python", "-m", f"services.{service}.worker"]
        stores = ("DATABASE", "ARTIFACTS", "S3_ENDPOINT", "DATABASE_PASSWORD_FILE")
        ours = {v["name"]: v for v in worker["env"]}
        theirs = {v["name"]: v for v in deployed["env"]}
        for store in (f"DONNA_{service.upper()}_{name}" for name in stores):
            assert ours.get(store) == theirs.get(store), "workers see the service's own stores"


def test_a_drain_takes_one_pod_of_a_service_at_a_time(objects: tuple[Object, ...]) -> None:
    """It is never held up, and protects a service only when it has replicas."""
    budgets = named(objects, "PodDisruptionBudget")
    for name in named(objects, "Deployment"):
        assert budgets[name]["spec"] == {
            "maxUnavailable": 1, "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
        }  # fmt: skip


def gpus(objects: tuple[Object, ...]) -> dict[str, Any]:
    return {
        name: container["resources"].get("limits", {}).get("nvidia.com/gpu")
        for name, container, _ in containers(objects)
    }


def test_gpus_are_asked_for_by_training_pods_alone_and_nowhere_on_a_cpu_cluster() -> None:
    asked = {name for name, number in gpus(render(K8S)).items() if number == 1}
    assert asked == {"PodTemplate/distiller-worker", "PodTemplate/finetuner-worker"}
    cpu = render(K8S / "overlays" / "cpu")
    assert not any(gpus(cpu).values()) and "nvidia" not in json.dumps(cpu)
    assert "nodeSelector" not in named(cpu, "DaemonSet")["profiler"]["spec"]["template"]["spec"]


def test_a_library_for_gpus_is_planned_with_the_steps_that_one_takes_at_once() -> None:
    """The service has no GPU, and a node of theirs many processors."""
    (distiller,) = named(render(K8S), "Deployment")["distiller"]["spec"]["template"]["spec"]["containers"]
    threads = {v["name"]: v.get("value") for v in distiller["env"]}["DONNA_DISTILLER_THREADS"]
    assert int(threads) == stepping(torch.device("cuda"), 64)


def test_profilers_run_on_labelled_nodes_and_the_searcher_finds_their_pods() -> None:
    objects = render(K8S)
    pod = named(objects, "DaemonSet")["profiler"]["spec"]["template"]
    assert pod["spec"]["nodeSelector"] == {"donna.dev/profiler": "true"}
    (searcher,) = named(objects, "Deployment")["searcher"]["spec"]["template"]["spec"]["containers"]
    environment = {v["name"]: v.get("value") for v in searcher["env"]}
    key, _, value = environment["DONNA_SEARCHER_PROFILER_SELECTOR"].partition("=")
    assert pod["metadata"]["labels"][key] == value


def test_with_policies_everything_is_denied_and_then_only_known_parts_are_named() -> None:
    objects = render(K8S)
    policies = {n: p for n, p in named(objects, "NetworkPolicy").items() if not n.startswith("outside-")}
    assert policies["deny-all"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    labels = [template["metadata"]["labels"] for _, template, _ in pod_specs(objects)]

    def matches(selector: Object) -> bool:
        wanted = selector.get("matchLabels", {})
        either = {e["key"]: e["values"] for e in selector.get("matchExpressions", [])}
        return any(
            wanted.items() <= found.items() and all(found.get(k) in v for k, v in either.items())
            for found in labels
        )

    for name, policy in policies.items():
        assert matches(policy["spec"]["podSelector"]), name
        for peer in [p for r in policy["spec"].get("ingress", []) for p in r["from"]]:
            assert "namespaceSelector" in peer or matches(peer["podSelector"]), name


def test_nobody_reaches_outside_who_has_no_label_for_it(tmp_path: Path) -> None:
    """But the API of the cluster and its names. The labels come with what needs them."""

    def may(objects: tuple[Object, ...]) -> dict[str, set[str]]:
        """Outer policy -> the pods that it lets out or in."""
        templates = [(name.rpartition("/")[2], template) for name, template, _ in pod_specs(objects)]
        return {
            policy: {
                name
                for name, template in templates
                if found["spec"]["podSelector"]["matchLabels"].items()
                <= template["metadata"]["labels"].items()
            }
            for policy, found in named(objects, "NetworkPolicy").items()
            if policy.startswith("outside-")
        }

    everywhere = {
        name
        for name, policy in named(render(K8S), "NetworkPolicy").items()
        if any("to" not in rule for rule in policy["spec"].get("egress", ()))
    }
    assert everywhere - set(may(render(K8S))) == {"names", "cluster-api"}
    assert not any(may(render(K8S)).values())
    with_stores = may(with_components(tmp_path, "network-policies", "s3", "external-postgres"))
    stored = {"distiller", "finetuner", "predictor", "searcher", "distiller-worker", "finetuner-worker"}
    assert with_stores["outside-artifacts"] == with_stores["outside-database"] == stored
    lab = tmp_path / "k8s" / "overlays" / "lab" / "kustomization.yaml"
    lab.write_text(
        lab.read_text().replace("components:\n", "components:\n  - ../../components/network-policies\n")
    )
    assert may(render(lab.parent))["outside-devices"] == {"searcher"}
    readme = (K8S / "README.md").read_text()
    for policy in named(render(K8S), "NetworkPolicy").values():
        for key, value in policy["spec"]["podSelector"].get("matchLabels", {}).items():
            assert not policy["metadata"]["name"].startswith("outside-") or f"`{key}: {value}`" in readme


def test_a_small_machine_has_room_for_all() -> None:
    """The overlay for processors on a node of two, beside what a control plane asks for itself."""
    objects = render(K8S / "overlays" / "cpu")
    asked = {
        name: container["resources"]["requests"]
        for name, _, spec in pod_specs(objects)
        for container in spec["containers"]
    }
    assert sum(cpu(each["cpu"]) * (2 if "worker" in name else 1) for name, each in asked.items()) <= 1.0


def cpu(quantity: str) -> float:
    return float(quantity.removesuffix("m")) / 1000 if quantity.endswith("m") else float(quantity)


def test_the_job_of_the_secret_is_one_for_each_version() -> None:
    """A Job cannot be changed, so an upgrade could not be applied while it is there."""
    (name,) = named(render(K8S), "Job")
    assert name == f"secrets-{donna.__version__}"


def test_every_alert_asks_one_thing() -> None:
    """Sides of an `and` need the same labels, and metrics of different exporters seldom have them."""
    (rules,) = (f for f in yaml.safe_load_all((K8S / "components/monitoring/alerts.yaml").read_text()))
    for rule in rules["spec"]["groups"][0]["rules"]:
        assert " and " not in rule["expr"], rule["alert"]


def test_monitoring_asks_every_service_where_it_tells(tmp_path: Path) -> None:
    objects = with_components(tmp_path, "monitoring", "network-policies")
    (endpoint,) = named(objects, "PodMonitor")["donna"]["spec"]["podMetricsEndpoints"]
    (asked,) = named(objects, "PodMonitor")["donna"]["spec"]["selector"]["matchExpressions"]
    assert sorted(asked["values"]) == sorted(SERVICES)
    policy = named(objects, "NetworkPolicy")["metrics"]["spec"]
    for kind in ("Deployment", "DaemonSet"):
        for name, found in named(objects, kind).items():
            (container,) = found["spec"]["template"]["spec"]["containers"]
            port = {p["name"]: p["containerPort"] for p in container["ports"]}[endpoint["port"]]
            told = {v["name"]: v.get("value") for v in container["env"]}
            assert told[f"DONNA_{name.upper()}_METRICS_LISTEN"] == f"0.0.0.0:{port}"
            assert policy["ingress"][0]["ports"] == [{"port": port, "protocol": "TCP"}]
    dashboard = named(objects, "ConfigMap")["donna-dashboard"]
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(dashboard["data"]["donna.json"])["panels"]


def test_every_component_and_overlay_has_a_line_in_the_readme() -> None:
    readme = (K8S / "README.md").read_text()
    for path in (*K8S.glob("components/*"), *K8S.glob("overlays/*")):
        assert f"| `{path.relative_to(K8S)}` |" in readme, path


def test_no_service_is_given_a_token_that_opens_another(objects: tuple[Object, ...]) -> None:
    """But the searcher its own, with which it may predict and measure."""
    given: dict[str, set[str]] = {}
    for name, _, spec in pod_specs(objects):
        owner = name.rpartition("/")[2]
        for volume in spec.get("volumes", ()):
            secret = volume.get("secret", {})
            if secret.get("secretName") == "donna":
                assert secret.get("items"), f"{owner} is given the whole Secret"
                given.setdefault(owner, set()).update(item["key"] for item in secret["items"])
    tokens = {owner: {key for key in keys if key.endswith("token")} for owner, keys in given.items()}
    assert {owner: keys for owner, keys in tokens.items() if keys} == {"searcher": {"searcher-token"}}
    assert given.get("profiler", set()) <= {"token-digest", "searcher-token-digest"}


def test_a_secret_is_made_once() -> None:
    kept: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(409 if kept else 201)
            kept.append(body)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    api = ClusterApi(f"http://127.0.0.1:{server.server_address[1]}")
    assert make_secret(api, "donna", "donna", ["token", "database-password"])
    assert not make_secret(api, "donna", "donna", ["token", "database-password"])
    kubernetes_validate.validate(kept[0], VERSION, strict=True)
    values = kept[0]["stringData"]
    assert set(values) == {"token", "token-digest", "database-password"} and len(set(values.values())) == 3
    assert all(len(value) > 40 for value in values.values())
    assert values["token-digest"] == f"sha256:{digest_of(values['token'])}"
    server.shutdown()
    server.server_close()
