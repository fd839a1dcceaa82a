"""`donna mlflow`: a finished run in MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from donna.cli import options


def mlflow(
    folder: Annotated[Path, typer.Argument(help="Folder of a run that is complete.")],
    tracking_uri: Annotated[
        str, typer.Option(help="MLflow's tracking server or store; default: what MLflow is configured with.")
    ] = "",
    experiment: Annotated[
        str, typer.Option(help="Name of the experiment; made where there is none.")
    ] = "donna",
    json: options.Json = False,
) -> None:
    """Logs a run to MLflow: figures, files, and a nested run for each network. Needs donna[mlflow].

    Example: `donna mlflow runs/digits --tracking-uri http://localhost:5000`
    """
    from donna.cli.output import print_json, say
    from donna.pipeline.tracking import log_to_mlflow

    run_id = log_to_mlflow(folder, tracking_uri=tracking_uri, experiment=experiment)
    print_json({"run_id": run_id}) if json else say(
        f"{folder} is run {run_id} of the experiment {experiment}"
    )
