"""What MlflowClient reads: ``python registry_and_runs.py '{"url": …, "key": …, "model": …, "runs": […]}'``."""

import json
import os
import sys

given = json.loads(sys.argv[1])
os.environ["MLFLOW_TRACKING_TOKEN"] = given["key"]

from mlflow import MlflowClient  # noqa: E402 - the key is read when it is imported
from mlflow.entities import ViewType  # noqa: E402
from mlflow.exceptions import MlflowException, RestException  # noqa: E402

client = MlflowClient(tracking_uri=given["url"])
model, runs = given["model"], given["runs"]


def refused(call: object, *words: object, **named: object) -> dict[str, object]:
    """Return how the client shows a refusal."""
    try:
        call(*words, **named)
    except RestException as error:
        return {"code": error.error_code, "message": error.message}
    except MlflowException as error:
        return {"code": error.error_code, "message": error.message, "not parsed": True}
    return {}


def found(filter_string: str, **more: object) -> list[int]:
    """Return which of the runs a search finds, by their place."""
    return [runs.index(run.info.run_id) for run in client.search_runs([model], filter_string, **more)]


def versions(filter_string: str, **more: object) -> list[str]:
    return [each.version for each in client.search_model_versions(f"name = '{model}'{filter_string}", **more)]


registered = client.get_registered_model(model)
version = client.get_model_version(model, "2")
run = client.get_run(runs[0])
experiment = client.get_experiment_by_name(model)
first_page = client.search_runs([model], max_results=2)
second_page = client.search_runs([model], max_results=2, page_token=first_page.token)
one_version = client.search_model_versions(f"name = '{model}'", max_results=1)
whole = [each.name for each in client.search_registered_models(f"name = '{model}'")]

print(
    json.dumps(
        {
            "registered": [registered.name, registered.description, registered.tags, registered.aliases],
            "latest": {each.current_stage: each.version for each in registered.latest_versions},
            "latest production": [each.version for each in client.get_latest_versions(model, stages=["Production"])],
            "champion": client.get_model_version_by_alias(model, "champion").version,
            "production": client.get_model_version_by_alias(model, "production").version,
            "version": [
                version.version,
                version.run_id,
                version.status,
                version.status_message,
                version.current_stage,
                version.aliases,
            ],
            "version tags": version.tags,
            "download": client.get_model_version_download_uri(model, "2"),
            "models": whole,
            "models like": [each.name for each in client.search_registered_models(f"name LIKE '{model[:4]}%'")],
            "no models": [
                each.name for each in client.search_registered_models(f"name != '{model}' and name = '{model}'")
            ],
            "models by tag": [each.name for each in client.search_registered_models(f"tags.team = '{model}'")],
            "versions": versions(""),
            "versions of run": versions(f" and run_id = '{runs[0]}'"),
            "versions by tag": versions(" and tags.checked = 'yes'"),
            "versions by metric": versions(" and metrics.r2 >= 0.8"),
            "versions upwards": versions("", order_by=["version_number ASC"]),
            "page of versions": [[each.version for each in one_version], bool(one_version.token)],
            "run": [run.info.status, run.info.experiment_id, run.info.end_time > run.info.start_time > 0],
            "metrics": run.data.metrics,
            "params": run.data.params,
            "tags": run.data.tags,
            "history": [[each.value, each.step] for each in client.get_metric_history(runs[0], "r2")],
            "experiment": [experiment.experiment_id, experiment.name, experiment.lifecycle_stage],
            "no experiment": client.get_experiment_by_name("nobody-has-it"),
            "experiments": [each.name for each in client.search_experiments(filter_string=f"name = '{model}'")],
            "archived experiments": [
                each.name for each in client.search_experiments(view_type=ViewType.DELETED_ONLY) if each.name == model
            ],
            "pages": [
                [runs.index(each.info.run_id) for each in first_page],
                [runs.index(each.info.run_id) for each in second_page],
                second_page.token,
            ],
            "by metric": found("metrics.r2 > 0.6"),
            "by two": found("metrics.r2 > 0.6 and params.candidate = 'linear'"),
            "by param": found("params.n_estimators = '100'"),
            "by tag": found("tags.team LIKE 'pri%'"),
            "by user": found("tags.mlflow.user = 'ada'"),
            "by quoted": found("tags.\"a.b/c\" = 'd'"),
            "by odd": [
                found("params.`a,b}` = 'x'"),
                found("params.`\"n` != 'x'"),
                found("tags.team LIKE 'pri\\'"),
                found("tags.team ILIKE 'PRI%'"),
                found("metrics.r2 < 1e999 and metrics.nothing > 0"),
            ],
            "by status": found("attributes.status = 'FINISHED'"),
            "by id": found(f"run_id IN ('{runs[0]}', '{runs[1]}')"),
            "best first": found("", order_by=["metrics.r2 DESC"]),
            "deleted": [each.info.run_id for each in client.search_runs([model], run_view_type=ViewType.DELETED_ONLY)],
            "refusals": {
                "unknown model": refused(client.get_registered_model, "nobody-has-it"),
                "unknown version": refused(client.get_model_version, model, "99"),
                "no version": refused(client.get_model_version, model, "newest"),
                "unknown alias": refused(client.get_model_version_by_alias, model, "challenger"),
                "unknown run": refused(client.get_run, "0" * 32),
                "unknown filter": refused(client.search_runs, [model], "colour = 'red'"),
                "unread filter": refused(client.search_runs, [model], "metrics.r2 > 0.6 or metrics.r2 < 0.1"),
                "wrong kind": refused(client.search_runs, [model], "metrics.r2 > 'much'"),
                "version filter": refused(client.search_model_versions, "source_path = 'x'"),
                "too many": refused(client.search_runs, [model] * 1001),
                "token": refused(client.search_runs, [model], page_token="nonsense"),
                "create model": refused(client.create_registered_model, "mine"),
                "rename model": refused(client.rename_registered_model, model, "mine"),
                "delete model": refused(client.delete_registered_model, model),
                "set alias": refused(client.set_registered_model_alias, model, "champion", "1"),
                "log metric": refused(client.log_metric, runs[0], "r2", 1.0),
                "create run": refused(client.create_run, model),
            },
        }
    )
)
