"""Jobs on a cluster: over the real client, against a server that behaves as the API does."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from donna.errors import InvalidArgument
from donna.jobs import JobState, JobStore, TaskSpec, TaskState
from donna.jobs.database import open_database
from donna.jobs.engine import Engine
from donna.jobs.index_worker import run_index
from donna.jobs.kubernetes_job import JobOptions, job_manifest
from donna.jobs.kubernetes_placement import KubernetesJobs
from donna.placement import worker_placement
from donna.settings import TrainingSettings
from tests.unit.jobs.clock import eventually
from tests.unit.jobs.cluster import Cluster
from tests.unit.jobs.squares import Squares, runs

TEMPLATE = {
    "metadata": {"name": "distiller-worker"},
    "template": {
        "metadata": {"labels": {"app.kubernetes.io/name": "distiller-worker"}},
        "spec": {
            "containers": [
                {"name": "worker", "image": "donna/distiller:1", "command": ["python", "-m", "worker"]}
            ]
        },
    },
}
OPTIONS = JobOptions(template="distiller-worker", parallelism=3, retries=2)
Place = Callable[[], KubernetesJobs]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[JobStore]:
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield JobStore(engine)
    engine.dispose()


@pytest.fixture
def cluster(own: JobStore) -> Iterator[Cluster]:
    """A cluster whose pods work on the store, each as a thread."""

    def pod(job: dict[str, Any], index: int) -> int:
        worker = job["spec"]["template"]["spec"]["containers"][0]
        assert worker["args"][0] == "--job" and worker["args"][2:] == ["--index", "$(JOB_COMPLETION_INDEX)"]
        ended = run_index(own, Squares(), worker["args"][1], index, stopping=stopping, wait_s=0.05)
        return 0 if ended else 143

    stopping = threading.Event()
    found = Cluster(pod)
    found.templates["distiller-worker"] = TEMPLATE
    yield found
    stopping.set()
    found.stop()


@pytest.fixture
def place(own: JobStore, cluster: Cluster) -> Iterator[Place]:
    url = cluster.start()
    made: list[KubernetesJobs] = []

    def make(options: JobOptions = OPTIONS) -> KubernetesJobs:
        api = client.ApiClient(client.Configuration(host=url))
        made.append(KubernetesJobs(own, "squares", api, namespace="lab", options=options))
        return made[-1]

    yield make
    for placement in made:
        placement.close()


@pytest.fixture
def engine(own: JobStore, place: Place) -> Iterator[Engine]:
    found = Engine(own, Squares(), place())
    found.start()
    yield found
    found.close()


def state(store: JobStore, name: str, wanted: JobState) -> Callable[[], bool]:
    return lambda: store.get(name).state is wanted


def test_a_job_runs_as_one_indexed_job(engine: Engine, cluster: Cluster, tmp_path: Path) -> None:
    job = engine.create({"count": 4, "folder": str(tmp_path)})
    eventually(state(engine.store, job.name, JobState.SUCCEEDED))
    ended = engine.store.get(job.name)
    assert ended.result == {"sum": 14}
    assert ended.cost["measurements"] == 4
    assert Counter(n for n, _, _ in runs(tmp_path)) == {0: 1, 1: 1, 2: 1, 3: 1}
    assert cluster.requests.count("POST jobs") == 1
    (made,) = cluster.jobs.values()
    assert made["metadata"]["name"] == f"distiller-{job.name.partition('/')[2]}"
    assert made["spec"]["completions"] == 4 and made["spec"]["parallelism"] == 3
    assert made["spec"]["completionMode"] == "Indexed"


def test_work_that_is_known_starts_no_job(engine: Engine, cluster: Cluster, tmp_path: Path) -> None:
    spec = {"count": 2, "folder": str(tmp_path)}
    eventually(state(engine.store, engine.create(spec).name, JobState.SUCCEEDED))
    again = engine.create({**spec, "again": True})
    eventually(state(engine.store, again.name, JobState.SUCCEEDED))
    assert cluster.requests.count("POST jobs") == 1


def test_cancel_deletes_the_job(engine: Engine, cluster: Cluster, tmp_path: Path) -> None:
    job = engine.create({"count": 3, "held": [0], "folder": str(tmp_path)})
    eventually(lambda: cluster.jobs)
    eventually(lambda: runs(tmp_path))
    engine.store.cancel(job.name)
    eventually(lambda: not cluster.jobs)
    assert engine.store.get(job.name).state is JobState.CANCELLED
    assert len(runs(tmp_path)) == 1


def test_a_restarted_service_finds_its_jobs(
    own: JobStore, place: Place, cluster: Cluster, tmp_path: Path
) -> None:
    first = Engine(own, Squares(), place())
    first.start()
    job = first.create({"count": 3, "held": [1], "folder": str(tmp_path)})
    eventually(lambda: len(runs(tmp_path)) == 2)
    first.close()
    assert cluster.jobs, "the Job goes on without the service"
    second = Engine(own, Squares(), place())
    second.start()
    (tmp_path / "open-1").touch()
    eventually(state(own, job.name, JobState.SUCCEEDED))
    second.close()
    assert cluster.requests.count("POST jobs") == 1
    assert len(runs(tmp_path)) == 3


def test_two_replicas_make_one_job(own: JobStore, place: Place, cluster: Cluster, tmp_path: Path) -> None:
    replicas = [Engine(own, Squares(), place()) for _ in range(2)]
    for replica in replicas:
        replica.start()
    names = [
        replicas[n % 2].create({"count": 2, "n": n, "keyed": False, "folder": str(tmp_path)}).name
        for n in range(4)
    ]
    for name in names:
        eventually(state(own, name, JobState.SUCCEEDED))
    for replica in replicas:
        replica.close()
    assert len(cluster.jobs) == 4
    assert len(runs(tmp_path)) == 8, "no task ran twice"


def test_a_pod_started_twice_changes_nothing(own: JobStore, tmp_path: Path) -> None:
    job = own.create("squares", {}, [TaskSpec(key="", spec={"n": 5, "held": [5], "folder": str(tmp_path)})])
    stopping = threading.Event()
    pods = [
        threading.Thread(
            target=run_index,
            args=(own, Squares(), job.name, 0),
            kwargs={"stopping": stopping, "wait_s": 0.05},
        )
        for _ in range(2)
    ]
    for pod in pods:
        pod.start()
    eventually(lambda: runs(tmp_path))
    (tmp_path / "open-5").touch()
    for pod in pods:
        pod.join(30)
    assert len(runs(tmp_path)) == 1
    assert own.task(job.name, 0).state is TaskState.DONE
    assert own.get(job.name).cost["measurements"] == 1


def test_a_pod_goes_on_with_tasks_that_nobody_works_on(own: JobStore, tmp_path: Path) -> None:
    """The pods of those start in vain, and a pod whose own task is done starts nothing."""
    spec = {"count": 5, "held": [3], "folder": str(tmp_path)}
    job = own.create("squares", spec, Squares().tasks(spec))
    other = own.create("squares", {**spec, "keyed": False}, Squares().tasks({**spec, "keyed": False}))
    stopping = threading.Event()
    holder = threading.Thread(
        target=run_index, args=(own, Squares(), job.name, 3), kwargs={"stopping": stopping}
    )
    holder.start()
    eventually(lambda: runs(tmp_path))
    assert run_index(own, Squares(), job.name, 1, stopping=stopping)
    assert own.task_states(job.name) == {TaskState.DONE: 4, TaskState.RUNNING: 1}
    assert run_index(own, Squares(), job.name, 2, stopping=stopping)
    assert Counter(n for n, _, _ in runs(tmp_path)) == dict.fromkeys(range(5), 1), "and of no other job"
    assert own.task_states(other.name) == {TaskState.QUEUED: 5}
    (tmp_path / "open-3").touch()
    holder.join(30)


def test_a_pod_that_is_deleted_counts_as_no_failure(own: JobStore, tmp_path: Path) -> None:
    """It ends with the code of a worker that was told to stop, more often than a pod may fail."""
    codes = [143] * (OPTIONS.retries + 2) + [0]
    cluster = Cluster(pods=lambda job, index: codes.pop(0))
    cluster.templates["distiller-worker"] = TEMPLATE
    api = client.ApiClient(client.Configuration(host=cluster.start()))
    placement = KubernetesJobs(own, "squares", api, namespace="lab", options=OPTIONS)
    job = own.create("squares", {}, [TaskSpec(key="", spec={"n": 5, "folder": str(tmp_path)})])
    placement.place(1)
    eventually(lambda: not codes)
    assert own.get(job.name).error is None
    placement.close()
    cluster.stop()


def test_a_stopped_pod_puts_its_task_back_and_does_not_count_as_done(own: JobStore, tmp_path: Path) -> None:
    job = own.create("squares", {}, [TaskSpec(key="", spec={"n": 5, "held": [5], "folder": str(tmp_path)})])
    stopping = threading.Event()
    said: list[bool] = []
    pod = threading.Thread(
        target=lambda: said.append(run_index(own, Squares(), job.name, 0, stopping=stopping))
    )
    pod.start()
    eventually(lambda: runs(tmp_path))
    stopping.set()
    pod.join(30)
    assert said == [False]
    assert own.task(job.name, 0).state is TaskState.QUEUED
    own.cancel(job.name)
    assert run_index(own, Squares(), job.name, 0, stopping=threading.Event())


@pytest.mark.parametrize("fault", [429, 500, 503])
def test_an_api_that_is_busy_is_asked_again(
    engine: Engine, cluster: Cluster, tmp_path: Path, fault: int
) -> None:
    headers = {"Retry-After": "1"} if fault == 429 else {}
    cluster.faults = [(what, fault, headers) for what in ("POST", "GET watch", "GET distiller-worker")]
    job = engine.create({"count": 1, "folder": str(tmp_path)})
    eventually(state(engine.store, job.name, JobState.SUCCEEDED))
    assert cluster.faults == [] or cluster.faults[0][0] == "GET watch"
    assert len(cluster.jobs) == 1


def test_a_watch_that_is_too_old_lists_again(engine: Engine, cluster: Cluster, tmp_path: Path) -> None:
    first = engine.create({"count": 1, "folder": str(tmp_path)})
    eventually(state(engine.store, first.name, JobState.SUCCEEDED))
    listed = cluster.requests.count("GET jobs")
    cluster.set_condition(next(iter(cluster.jobs)), "Complete")
    cluster.forget()
    cluster.set_condition(next(iter(cluster.jobs)), "Complete")
    eventually(lambda: cluster.requests.count("GET jobs") > listed)
    second = engine.create({"count": 1, "keyed": False, "folder": str(tmp_path)})
    eventually(state(engine.store, second.name, JobState.SUCCEEDED))


def test_an_api_that_goes_away_and_comes_back(engine: Engine, cluster: Cluster, tmp_path: Path) -> None:
    first = engine.create({"count": 1, "folder": str(tmp_path)})
    eventually(state(engine.store, first.name, JobState.SUCCEEDED))
    cluster.stop()
    second = engine.create({"count": 1, "keyed": False, "folder": str(tmp_path)})
    threading.Event().wait(1.0)
    assert engine.store.get(second.name).state is JobState.QUEUED
    cluster.start()
    eventually(state(engine.store, second.name, JobState.SUCCEEDED))


def test_a_slow_api_delays_and_breaks_nothing(engine: Engine, cluster: Cluster, tmp_path: Path) -> None:
    cluster.delay_s = 0.7
    job = engine.create({"count": 2, "folder": str(tmp_path)})
    eventually(state(engine.store, job.name, JobState.SUCCEEDED))
    assert cluster.requests.count("POST jobs") == 1


def test_a_job_that_fails_fails_with_the_cluster_s_words(own: JobStore, tmp_path: Path) -> None:
    cluster = Cluster(pods=lambda job, index: 2)
    cluster.pods_there = [pod("Failed", state={"terminated": {"exitCode": 137, "reason": "OOMKilled"}})]
    cluster.templates["distiller-worker"] = TEMPLATE
    api = client.ApiClient(client.Configuration(host=cluster.start()))
    engine = Engine(own, Squares(), KubernetesJobs(own, "squares", api, namespace="lab", options=OPTIONS))
    engine.start()
    job = engine.create({"count": 2, "folder": str(tmp_path)})
    eventually(state(own, job.name, JobState.FAILED))
    error = own.get(job.name).error
    assert error is not None and error.reason == "WORKERS_FAILED"
    assert "PodFailurePolicy: index 0 exited with 2" in error.message
    assert error.message.endswith("; pod distiller-1f-0 ended with code 137 (OOMKilled)")
    engine.close()
    cluster.stop()


@pytest.mark.parametrize(
    ("template", "reason"),
    [(None, "NO_TEMPLATE"), ({"template": {"spec": {"containers": [{"name": "other"}]}}}, "BAD_TEMPLATE")],
)
def test_a_template_that_is_wrong_fails_the_job(
    engine: Engine, cluster: Cluster, tmp_path: Path, template: Any, reason: str
) -> None:
    cluster.templates = {"distiller-worker": template} if template else {}
    job = engine.create({"count": 1, "folder": str(tmp_path)})
    eventually(state(engine.store, job.name, JobState.FAILED))
    error = engine.store.get(job.name).error
    assert error is not None and error.reason == reason and "distiller-worker" in error.message


@pytest.mark.parametrize("status", [400, 422])
def test_a_job_that_the_cluster_cannot_take_fails_with_its_words(
    engine: Engine, cluster: Cluster, tmp_path: Path, status: int
) -> None:
    cluster.refusal = (status, "spec.template: Invalid value")
    job = engine.create({"count": 1, "folder": str(tmp_path)})
    eventually(state(engine.store, job.name, JobState.FAILED))
    error = engine.store.get(job.name).error
    assert error is not None and error.reason == "BAD_TEMPLATE"
    assert error.message == (
        f"the cluster refuses its Job: the cluster answers {status}: spec.template: Invalid value"
    )


def pod(phase: str, **more: Any) -> dict[str, Any]:
    """A pod of one container, as the API serves it."""
    state, conditions = more.get("state"), more.get("conditions", [])
    status = {"phase": phase, "conditions": conditions}
    if state is not None:
        container = {"name": "worker", "image": "i", "imageID": "", "ready": False, "restartCount": 0}
        status["containerStatuses"] = [{**container, "state": state}]
    return {"metadata": {"name": "distiller-1f-0"}, "status": status}


def event(message: str, at: str, kind: str = "Warning") -> dict[str, Any]:
    return {
        "metadata": {"name": "e"}, "involvedObject": {}, "type": kind, "message": message, "lastTimestamp": at,
    }  # fmt: skip


NO_NODE = {
    "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
    "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
}  # fmt: skip
PULLING = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}
QUOTA = 'pods "x" is forbidden: exceeded quota: compute'


@pytest.mark.parametrize(
    ("pods", "events", "said"),
    [
        (
            [pod("Pending", conditions=[NO_NODE])],
            [],
            "a node for pod distiller-1f-0: 0/3 nodes are available",
        ),
        (
            [*[pod("Succeeded")] * 100, pod("Pending", state=PULLING)],
            [],
            "pod distiller-1f-0: ImagePullBackOff: Back-off",
        ),
        ([pod("Running", state={"running": {}})], [], "pod distiller-1f-0, which runs and has not begun"),
        (
            [],
            [event("old", "2026-01-01T00:00:00Z"), event(QUOTA, "2026-01-02T00:00:00Z")],
            f"its pods: {QUOTA}",
        ),
        (
            [],
            [event("created pod", "2026-01-02T00:00:00Z", "Normal")],
            "the cluster to start pods of its Job dis",
        ),
    ],
)
def test_a_job_on_which_nobody_works_says_what_it_waits_for(
    own: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pods: Any, events: Any, said: str
) -> None:
    monkeypatch.setattr("donna.jobs.kubernetes_placement.SILENT_S", 0.1)
    cluster = Cluster()  # whose pods do nothing
    cluster.templates["distiller-worker"] = TEMPLATE
    cluster.pods_there, cluster.events_there = pods, events
    api = client.ApiClient(client.Configuration(host=cluster.start()))
    engine = Engine(own, Squares(), KubernetesJobs(own, "squares", api, namespace="lab", options=OPTIONS))
    engine.start()
    job = engine.create({"count": 1, "folder": str(tmp_path)})
    eventually(state(own, job.name, JobState.WAITING))
    assert own.get(job.name).waiting_for.startswith(said)
    assert run_index(own, Squares(), job.name, 0, stopping=threading.Event()), "a pod that comes late"
    eventually(state(own, job.name, JobState.SUCCEEDED))
    engine.close()
    cluster.stop()


def test_a_job_that_no_queue_admits_says_so(
    own: JobStore, place: Place, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("donna.jobs.kubernetes_placement.SILENT_S", 0.1)
    engine = Engine(own, Squares(), place(replace(OPTIONS, queue="gpus")))
    engine.start()
    job = engine.create({"count": 1, "folder": str(tmp_path)})
    eventually(state(own, job.name, JobState.WAITING))
    assert own.get(job.name).waiting_for.endswith("is suspended and waits for queue gpus to admit it")
    engine.close()


def test_a_cluster_that_refuses_for_now_is_told_and_asked_again(
    engine: Engine,
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("donna.jobs.kubernetes_placement.SILENT_S", 0.1)
    monkeypatch.setattr("donna.jobs.kubernetes_placement.SETTLE_S", 0.05)
    cluster.refusal = (403, "exceeded quota: count/jobs.batch=8")
    job = engine.create({"count": 1, "folder": str(tmp_path)})
    eventually(state(engine.store, job.name, JobState.WAITING))
    assert "the cluster answers 403: exceeded quota: count/jobs" in engine.store.get(job.name).waiting_for
    eventually(lambda: cluster.requests.count("POST jobs") > 5)
    assert [r.levelname for r in caplog.records if "the cluster answers 403" in r.message] == ["WARNING"], (
        "once"
    )
    cluster.refusal = None
    eventually(state(engine.store, job.name, JobState.SUCCEEDED))


def test_an_api_that_is_away_is_what_the_job_waits_for(
    own: JobStore, place: Place, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("donna.jobs.kubernetes_placement.SILENT_S", 0.1)
    engine = Engine(own, Squares(), place())
    cluster.stop()
    engine.start()
    job = engine.create({"count": 1, "folder": str(tmp_path)})
    eventually(state(own, job.name, JobState.WAITING))
    assert "the cluster's API does not answer" in own.get(job.name).waiting_for
    cluster.start()
    eventually(state(own, job.name, JobState.SUCCEEDED))
    engine.close()


def test_jobs_of_others_are_left_alone(engine: Engine, cluster: Cluster, tmp_path: Path) -> None:
    stranger = {"metadata": {"name": "stranger", "labels": {"donna.dev/kind": "others"}}, "spec": {}}
    cluster.jobs["stranger"] = stranger
    job = engine.create({"count": 1, "folder": str(tmp_path)})
    eventually(state(engine.store, job.name, JobState.SUCCEEDED))
    assert "stranger" in cluster.jobs


def test_a_job_that_somebody_deletes_is_made_again(engine: Engine, cluster: Cluster, tmp_path: Path) -> None:
    job = engine.create({"count": 2, "held": [1], "folder": str(tmp_path)})
    eventually(lambda: len(runs(tmp_path)) == 2)
    cluster.delete(next(iter(cluster.jobs)))
    eventually(lambda: cluster.requests.count("POST jobs") == 2)
    (tmp_path / "open-1").touch()
    eventually(state(engine.store, job.name, JobState.SUCCEEDED))
    assert len(runs(tmp_path)) == 2, "the tasks that were done or held are not begun again"


def test_a_task_of_several_processes_is_given_so_many_gpus(
    own: JobStore, cluster: Cluster, tmp_path: Path
) -> None:
    resources = {"requests": {"cpu": "1500m", "memory": "1.5Gi"}, "limits": {"nvidia.com/gpu": "1"}}
    worker = {**TEMPLATE["template"]["spec"]["containers"][0], "resources": resources}  # type: ignore[index]
    cluster.templates["distiller-worker"] = {"template": {"spec": {"containers": [worker]}}}
    api = client.ApiClient(client.Configuration(host=cluster.start()))
    placement = KubernetesJobs(
        own, "squares", api, namespace="lab", options=OPTIONS, processes=lambda job: job.spec["processes"]
    )
    engine = Engine(own, Squares(), placement)
    engine.start()
    job = engine.create({"count": 1, "processes": 4, "folder": str(tmp_path)})
    eventually(state(own, job.name, JobState.SUCCEEDED))
    engine.close()
    (made,) = cluster.jobs.values()
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {
        "requests": {"cpu": "6000m", "memory": "6Gi"},
        "limits": {"nvidia.com/gpu": "4"},
    }


def test_a_queue_admits_the_job() -> None:
    options = JobOptions(template="distiller-worker", queue="gpus", deadline_s=60)
    made = job_manifest("squares/1f", 7, TEMPLATE["template"], options)
    assert made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    assert made["spec"]["suspend"] is True and made["spec"]["activeDeadlineSeconds"] == 60
    assert TEMPLATE["template"]["spec"]["containers"][0].get("args") is None, "the template stays as it was"


def test_the_manifest_is_what_the_api_takes() -> None:
    import kubernetes_validate

    template = {"metadata": {}, "spec": {"containers": [{"name": "worker", "image": "donna/distiller:1"}]}}
    made = job_manifest("squares/1f", 7, template, OPTIONS)
    kubernetes_validate.validate(made, "1.36", strict=True)


def test_a_pod_speaks_to_its_own_cluster(
    own: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And to no other that a configuration in its home names; this one has no account, and says so."""
    (tmp_path / "config").write_text(
        '{"apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [],'
        ' "clusters": [{"name": "c", "cluster": {"server": "http://elsewhere"}}],'
        ' "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}'
    )
    monkeypatch.setattr(
        "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config")
    )
    settings = TrainingSettings(placement="kubernetes")
    assert worker_placement(settings, own, "squares", "distiller", limit=1)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(InvalidArgument, match="no cluster is configured"):
        worker_placement(settings, own, "squares", "distiller", limit=1)
