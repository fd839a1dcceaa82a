"""`donna jobs`: what the services are at, from any terminal."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from donna.cli import options

app = typer.Typer(help="Lists, watches and cancels jobs.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the job, e.g. searches/1f2e.")]
COLLECTIONS = ("blockLibraries", "finetuneJobs", "predictors", "searches")


@app.command("list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    kind: Annotated[str, typer.Option(help=f"Only one of {', '.join(COLLECTIONS)}.")] = "",
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    json: options.Json = False,
) -> None:
    """Lists jobs of all services, newest first.

    Example: `donna jobs list --all`
    """
    from donna.cli.connect import connect
    from donna.cli.output import print_json, print_table
    from donna.client.patience import ENDED

    kinds = (kind,) if kind else COLLECTIONS
    with connect(endpoint, state, tuple(map(_service, kinds))) as client:
        found = [resource for each in kinds for resource in client.list(each)]
    found.sort(key=lambda resource: resource.job.create_time.ToNanoseconds(), reverse=True)
    shown = [job_row(r) for r in found if all_ or r.job.state not in ENDED]
    if json:
        print_json(shown)
        return
    print_table(
        ("job", "state", "done", "created (UTC)", "what"),
        [tuple(r.values()) for r in shown],
        left=("state", "what"),
    )


@app.command()
def watch(
    name: Name,
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Watches a job until it has ended.

    Example: `donna jobs watch searches/1f2e`
    """
    from donna.cli.connect import connect
    from donna.cli.follow import watch as follow
    from donna.cli.output import print_json, say

    with connect(endpoint, state, (_service(name),)) as client:
        ended = follow(client, name, name, quiet=quiet)
    print_json(ended) if json else say(f"{name} has succeeded")


@app.command()
def cancel(
    name: Name,
    endpoint: options.Endpoint = None,
    state: options.State = options.STATE,
    json: options.Json = False,
) -> None:
    """Asks a job to stop; what it has done is kept.

    Example: `donna jobs cancel searches/1f2e`
    """
    from donna.cli.connect import connect
    from donna.cli.output import print_json, say

    with connect(endpoint, state, (_service(name),)) as client:
        resource = client.cancel(name)
    print_json(job_row(resource)) if json else say(f"{name} is {job_row(resource)['state']}")


def job_row(resource: Any) -> dict[str, str]:
    """A job as one line of a list."""
    from donna.v1 import common_pb2

    job = resource.job
    share = f"{100 * job.progress.done / job.progress.total:.0f} %" if job.progress.total else ""
    waiting = f"waiting for {job.waiting_for}" if job.waiting_for else ""
    return {
        "name": resource.name,
        "state": common_pb2.JobState.Name(job.state).removeprefix("JOB_STATE_").lower(),
        "done": share,
        "created": job.create_time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S"),
        "message": job.error.message or waiting or job.progress.message,
    }


def _service(name: str) -> str:
    from donna.client.kinds import kind_of

    return kind_of(name).service
