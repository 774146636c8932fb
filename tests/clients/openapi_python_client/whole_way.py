"""What a client sees that is generated from the gateway's document: ``python whole_way.py '{"url": …, "key": …}'``.

It applies a pipeline, uploads, trains, pages, predicts and asks for quality, by generated functions only.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx

given = json.loads(sys.argv[1])
name, rows = given["name"], given["rows"]


def generate(folder: Path) -> None:
    """Write the package ``generated``, as the generator does by default but for hooks: nobody reads the code.

    It knows no media types but JSON and bytes; where another may be sent as well it warns, and leaves that out.
    """
    document, config = folder / "openapi.json", folder / "config.json"
    document.write_bytes(httpx.get(f"{given['url']}/schema/openapi.json", timeout=60).content)
    config.write_text(json.dumps({"post_hooks": []}))
    generator = Path(sys.executable).with_name("openapi-python-client")
    words = ["--path", document, "--output-path", folder / "generated", "--meta", "none", "--config", config]
    done = subprocess.run([generator, "generate", *words], capture_output=True, text=True, check=False)
    said = " ".join((done.stdout + done.stderr).replace("content_type", "content type").split())
    if done.returncode or said.count("WARNING ") != said.count("Unsupported content type") or "Unable" in said:
        sys.exit(said)
    sys.path.insert(0, str(folder))


generate(Path(given["folder"]))

from generated import AuthenticatedClient, models  # noqa: E402
from generated.api.gateway import give_feedback, predict_rows, retrain, submit_prediction  # noqa: E402
from generated.api.ingest import list_datasets, read_dataset, upload  # noqa: E402
from generated.api.mlflow import models_name_invocations  # noqa: E402
from generated.api.monitor import read_quality  # noqa: E402
from generated.api.open_inference_protocol import v2_models_name_infer  # noqa: E402
from generated.api.prediction import read_prediction  # noqa: E402
from generated.api.registry import apply_pipeline, list_versions, read_pipeline  # noqa: E402
from generated.api.train_dispatch import list_runs, read_run  # noqa: E402
from generated.types import File  # noqa: E402

client = AuthenticatedClient(base_url=given["url"], token=given["key"], timeout=60)


def file(text: str) -> File:
    """Return a text as a file."""
    return File(payload=BytesIO(text.encode()))


def until(ask: Callable[[], Any], fits: Callable[[Any], bool], seconds: float = 150) -> Any:
    """Ask until an answer fits; return it."""
    deadline = time.monotonic() + seconds
    while not fits(found := ask()):
        if time.monotonic() > deadline:
            sys.exit(f"after {seconds} s: {found}")
        time.sleep(0.2)
    return found


def pages(ask: Callable[..., list[Any]], cursor: Callable[[Any], Any]) -> list[Any]:
    """Return all entries of a list, asked for one by one."""
    found: list[Any] = []
    before: dict[str, Any] = {}
    while page := ask(limit=1, **before):
        found += page
        before = {"before": cursor(page[-1])}
    return found


def checked(text: str) -> Any:
    """Upload a file; return its validation result."""
    digest = upload.sync(name, client=client, body=file(text)).digest
    return until(lambda: read_dataset.sync(name, digest, client=client), lambda seen: seen.state != "checking")


def trained() -> Any:
    """Ask for a training; return its run once it has ended."""
    accepted = retrain.sync(name, client=client, body=models.RetrainRequest(reason="a generated client"))
    return until(lambda: read_run.sync(accepted.run_id, client=client), lambda run: run.ended_at)


def answered_later(body: Any) -> Any:
    """Submit an asynchronous prediction; return it once it has ended."""
    identifier = submit_prediction.sync(name, client=client, body=body).id
    return until(
        lambda: read_prediction.sync(identifier, client=client),
        lambda seen: isinstance(seen, models.PredictionView) and seen.ended_at,
    )


saw: dict[str, Any] = {}
first = given["files"][0]
applied = apply_pipeline.sync(name, client=client, body=models.Pipeline.from_dict(given["pipeline"]))
again = apply_pipeline.sync(name, client=client, body=applied.spec)
saw["applied"] = [applied.changed, again.changed, applied.digest == again.digest]
saw["read back"] = read_pipeline.sync(name, client=client).spec.to_dict()["target"]
saw["dry run"] = upload.sync(name, client=client, body=file(first), dry_run=True).state
results = [checked(text) for text in given["files"]]
saw["states"], datasets = [each.state for each in results], [each.digest for each in results]
saw["runs"] = [str(trained().state) for _ in range(2)]

asked = models.PredictRequest.from_dict({"rows": rows})
answer = until(
    lambda: predict_rows.sync(name, client=client, body=asked), lambda found: isinstance(found, models.PredictAnswer)
)
saw["predictions"] = len(answer.predictions)
scored = models_name_invocations.sync(
    name, client=client, body=models.ModelsNameInvocationsJsonBody.from_dict({"dataframe_records": rows})
)
saw["mlflow"] = len(scored.predictions)
inputs = [
    {"name": column, "shape": [len(rows)], "datatype": kind, "data": [row[column] for row in rows]}
    for column, kind in given["tensors"].items()
]
inferred = v2_models_name_infer.sync(name, client=client, body=models.InferRequest.from_dict({"inputs": inputs}))
saw["open inference"] = inferred.to_dict()["outputs"][0]["shape"]
saw["later"] = str(answered_later(models.RowsPredictionRequest.from_dict({"rows": rows})).state)
whole = answered_later(models.DatasetPredictionRequest(dataset=datasets[0]))
saw["dataset later"] = [str(whole.state), whole.reason]

truth = models.FeedbackRequest.from_dict({"feedback": [{"prediction": f"{answer.id}/0", "actual": 3.0}]})
saw["feedback"] = give_feedback.sync(name, client=client, body=truth).accepted
quality = read_quality.sync(name, client=client, window="1h", bucket="10m")
saw["quality"] = [quality.model, quality.bucket_seconds, (quality.until - quality.since).total_seconds() // 3600]
wrong = read_quality.sync(name, client=client, window="yesterday")
saw["wrong window"] = [type(wrong).__name__, wrong.status, wrong.detail]

runs = pages(lambda **page: list_runs.sync(client=client, model=name, **page), lambda run: run.created_at)
versions = pages(lambda **page: list_versions.sync(name, client=client, **page), lambda each: each.version)
stored = pages(lambda **page: list_datasets.sync(name, client=client, **page), lambda each: each.received_at)
saw["pages"] = {
    "runs": [len(runs), runs == list_runs.sync(client=client, model=name)],
    "versions": [[each.version for each in versions], versions == list_versions.sync(name, client=client)],
    "datasets": [len(stored), stored == list_datasets.sync(name, client=client)],
}
print(json.dumps(saw))
