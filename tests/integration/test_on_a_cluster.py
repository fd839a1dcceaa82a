"""The finetuner as on a cluster: pods are processes made from the manifests' own PodTemplate, the database is
PostgreSQL, and the API is a server of ours. A pod is deleted in the middle of a training."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from donna.rpc.channel import Remote, open_channel
from donna.v1 import common_pb2, finetuner_pb2, finetuner_pb2_grpc
from tests import postgres
from tests.deploy.rendered import K8S, named, program, render
from tests.trust.everything import REFERENCE, SPLIT, dict_to_struct
from tests.unit.jobs.cluster import Cluster
from tests.unit.profiler.agent import service

ROOT = Path(__file__).parents[2]
PREFIX = "DONNA_FINETUNER_"
EPOCHS = 100

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(program() is None, reason="neither kubectl nor kustomize is installed"),
    pytest.mark.skipif(postgres.programs() is None, reason="PostgreSQL is not installed"),
]


class Pods:
    """Runs a container of a Job as a process, as its template says, with the stores of this test."""

    def __init__(self, folder: Path, stores: dict[str, str]) -> None:
        self.codes: list[int] = []
        self.running: list[subprocess.Popen[bytes]] = []
        self._folder = folder
        self.stores = stores

    def __call__(self, job: dict[str, Any], index: int) -> int:
        (worker,) = job["spec"]["template"]["spec"]["containers"]
        told = {v["name"]: v["value"] for v in worker["env"]} | self.stores
        told.pop(f"{PREFIX}DATABASE_PASSWORD_FILE")
        arguments = [arg.replace("$(JOB_COMPLETION_INDEX)", str(index)) for arg in worker["args"]]
        assert worker["command"][0] == "python"
        with (self._folder / "pods").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *worker["command"][1:], *arguments],
                cwd=ROOT,
                env={**os.environ, **told},
                stderr=log,
            )
        self.running.append(process)
        code = process.wait()
        self.codes.append(code % 256 if code >= 0 else 128 - code)
        return self.codes[-1]


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Pods]:
    with postgres.server() as url:
        stores = {"DATABASE": url, "ARTIFACTS": str(tmp_path / "artifacts"), "STATE": str(tmp_path / "pod")}
        found = Pods(tmp_path, {f"{PREFIX}{name}": value for name, value in stores.items()})
        yield found
        for process in found.running:
            process.kill()
            process.wait()


@pytest.fixture
def finetuner(tmp_path: Path, pods: Pods) -> Iterator[Remote]:
    cluster = Cluster(pods)
    cluster.templates = named(render(K8S / "overlays" / "cpu"), "PodTemplate")
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here", "users": [],
        "clusters": [{"name": "here", "cluster": {"server": cluster.start()}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": ""}}],
    }  # fmt: skip
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    settings = {
        "PLACEMENT": "kubernetes", "JOB_NAMESPACE": "lab",
        "DATABASE": pods.stores[f"{PREFIX}DATABASE"], "ARTIFACTS": pods.stores[f"{PREFIX}ARTIFACTS"],
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        with service("finetuner", tmp_path, **settings) as address, open_channel(address) as channel:
            yield Remote(finetuner_pb2_grpc.FinetunerServiceStub, channel)
    cluster.stop()


def test_a_training_outlives_its_pod(finetuner: Remote, pods: Pods, tmp_path: Path) -> None:
    pods.stores[f"{PREFIX}CHECKPOINT_INTERVAL_S"] = "0"
    spec = finetuner_pb2.FinetuneSpec(
        reference=common_pb2.Reference(provider="small_cnn", arguments=dict_to_struct(REFERENCE)),
        dataset=common_pb2.Dataset(provider="digits", split=common_pb2.DatasetSplit(**SPLIT)),
        networks=[finetuner_pb2.Network(reference=True)],
        recipe=finetuner_pb2.FinetuneRecipe(epochs=EPOCHS),
    )
    request = finetuner_pb2.CreateFinetuneJobRequest(spec=spec)
    name = finetuner.CreateFinetuneJob(request).finetune_job.name
    watch = finetuner.WatchFinetuneJob(finetuner_pb2.WatchFinetuneJobRequest(name=name), deadline_s=240.0)
    deleted = False
    for response in watch:
        job = response.finetune_job.job
        if job.progress.done > 0.2 and not deleted:
            pods.running[0].send_signal(signal.SIGTERM)  # kubectl delete pod
            deleted = True
    assert job.state == common_pb2.JOB_STATE_SUCCEEDED, (job.error, (tmp_path / "pods").read_text())
    assert deleted and pods.codes[0] == 128 + signal.SIGTERM, (tmp_path / "pods").read_text()
    assert len(pods.running) == 2
    assert job.cost.networks_trained == 1
    assert EPOCHS <= job.cost.network_epochs <= EPOCHS + 2, "the second goes on where the first was"
    assert "Traceback" not in (tmp_path / "pods").read_text() + (tmp_path / "log").read_text()
