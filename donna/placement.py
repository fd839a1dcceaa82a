"""Where the tasks of a service run, as its settings say: processes of this machine, or Jobs of a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable

from donna.cluster_api import own_namespace
from donna.errors import InvalidArgument
from donna.jobs.engine import Placement
from donna.jobs.placement import Processes
from donna.jobs.record import Job
from donna.jobs.store import JobStore
from donna.settings import TrainingSettings


def worker_placement(
    settings: TrainingSettings,
    store: JobStore,
    kind: str,
    service: str,
    *,
    limit: int,
    processes: Callable[[Job], int] = lambda job: 1,
) -> Placement:
    """Up to `limit` workers here, or one Job for each job of the kind on the cluster.

    `processes` says how many processes a worker starts for each task of a job; on a cluster its pod is given so many
    GPUs. Raises InvalidArgument when a cluster is asked for where none can be reached.
    """
    if settings.placement == "local":
        return Processes(f"services.{service}.worker", limit=limit)
    try:
        from kubernetes import client, config
    except ImportError:
        raise InvalidArgument.of("placement", "kubernetes needs the extra donna[kubernetes]") from None
    from donna.jobs.kubernetes_job import JobOptions
    from donna.jobs.kubernetes_placement import KubernetesJobs

    try:
        if "KUBERNETES_SERVICE_HOST" in os.environ:  # a pod, whatever else its image has
            config.load_incluster_config()
        else:
            config.load_kube_config()
    except config.ConfigException as error:
        raise InvalidArgument.of("placement", f"kubernetes, but no cluster is configured: {error}") from None
    return KubernetesJobs(
        store,
        kind,
        client.ApiClient(),
        namespace=settings.job_namespace or own_namespace(),
        processes=processes,
        options=JobOptions(
            template=settings.job_template or f"{service}-worker",
            parallelism=settings.job_parallelism,
            queue=settings.job_queue,
            retries=settings.job_retries,
            deadline_s=settings.job_deadline_s,
            keep_s=settings.job_keep_s,
        ),
    )
