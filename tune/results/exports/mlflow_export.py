"""An experiment as runs of MLflow: sent again, runs that are there as they are stay."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from tune.results.exports.exported_run import ExportCount, ExportedRun, describe_tracker_error, import_tracker
from tune.trial.trackers.mlflow_tracker import RUN_NAME, mlflow_name, mlflow_params, mlflow_status, mlflow_tags
from tune.trial.trackers.run_labels import PREFIX

IDENTITY, KEY, DIGEST, REASON = (f"{PREFIX}.{name}" for name in ("experiment_id", "key", "digest", "reason"))
"""Tags of a run that was exported."""
MOST_METRICS, MOST_PARAMS = 1000, 100
"""In one request: MLflow's own limits."""
LONGEST_TAG = 4000
"""Characters of a tag's value: every store takes them."""
RETRIES, NO_LINKS = "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"
HINT = "Where runs go to: `--output URI`, else MLFLOW_TRACKING_URI. What was sent stays; the same command goes on."


def export_to_mlflow(runs: Sequence[ExportedRun], uri: str | None, experiment: str) -> ExportCount:
    """Send runs to a tracking server, or to a database; ``experiment``: the name of MLflow's experiment."""
    os.environ.setdefault(RETRIES, "2")  # else a server that is not there is waited for for minutes
    os.environ.setdefault(NO_LINKS, "true")  # else it prints two lines for each run
    mlflow = import_tracker("mlflow")
    try:
        if uri is not None:
            mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient()
        found = client.get_experiment_by_name(experiment)
        if found is not None and found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        place = str(client.create_experiment(experiment) if found is None else found.experiment_id)
        known = _find_known(client, place, runs)
        new = [run for run in runs if known.get(run.key, ("", ""))[1] != run.digest]
        for run in new:
            if run.key in known:
                client.delete_run(known[run.key][0])
            _send_run(client, place, run)
        return ExportCount(n_new=len(new), n_known=len(runs) - len(new), place=f"{client.tracking_uri} ({experiment})")
    except Exception as error:  # whatever a store raises
        raise describe_tracker_error("mlflow", error, HINT) from error


def _find_known(client: Any, place: str, runs: Sequence[ExportedRun]) -> dict[str, tuple[str, str]]:
    """Return the id and the digest of each run that was sent before, by its key."""
    found: dict[str, tuple[str, str]] = {}
    for identity in {run.experiment_id for run in runs}:
        for each in _search_runs(client, place, f"tags.`{IDENTITY}` = '{identity}'"):
            found[each.data.tags.get(KEY, "")] = (each.info.run_id, each.data.tags.get(DIGEST, ""))
    return found


def _search_runs(client: Any, place: str, condition: str) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_runs([place], condition, page_token=token)
        yield from page
        if not (token := page.token):
            return


def _send_run(client: Any, place: str, run: ExportedRun) -> None:
    """Send a run; its digest comes last, so that one that is cut short is sent anew."""
    from mlflow.entities import Metric, Param

    tags = {**mlflow_tags(run.labels, run.end), RUN_NAME: run.labels.name, IDENTITY: run.experiment_id, KEY: run.key}
    if run.reason is not None:
        tags[REASON] = run.reason[:LONGEST_TAG]
    started = _milliseconds(run.started)
    created = client.create_run(place, start_time=started, tags=tags, run_name=run.labels.name).info.run_id
    params = [Param(name, text) for name, text in mlflow_params(run.labels.constants).items()]
    at = _milliseconds(run.ended) or started or 0
    metrics = [
        Metric(name, value, at, epoch)
        for name, curve in zip(_distinct_names(run.curves), run.curves.values(), strict=True)
        for epoch, value in curve.items()
    ]
    for first in range(0, len(params), MOST_PARAMS):
        client.log_batch(created, params=params[first : first + MOST_PARAMS])
    for first in range(0, len(metrics), MOST_METRICS):
        client.log_batch(created, metrics=metrics[first : first + MOST_METRICS])
    client.set_terminated(created, mlflow_status(run.end), _milliseconds(run.ended))
    client.set_tag(created, DIGEST, run.digest)


def _distinct_names(names: Any) -> list[str]:
    """Return names as MLflow takes them, two that become one told apart by a number."""
    found: list[str] = []
    for name in map(mlflow_name, names):
        while name in found:
            name = f"{name}_{len(found)}"
        found.append(name)
    return found


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)
