"""Answers of the gateway as its contracts declare them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from interlock_contracts.datasets import Finding
from interlock_contracts.http import (
    DatasetView,
    ModelView,
    PipelineView,
    ProgressView,
    RunView,
    ServingView,
    VersionView,
)
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, DatasetRef, ModelRef
from interlock_contracts.rollout import PromotionView, RolloutView, WorkerServing
from interlock_contracts.training import RunState
from pydantic import BaseModel

FILE = """\
name: m
task: regression
target: price
data:
  columns:
    size: {type: number}
    price: {type: number}
"""
"""A pipeline file as a user writes it."""

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RUN = UUID("0b7c0a52-9f39-5b0c-a3c1-6e6f0a4b8f11")
DIGEST = "ab" * 32
ARTIFACT = ArtifactRef(sha256="cd" * 32, bytes=10)

SPEC = Pipeline.model_validate(
    {
        "name": "m",
        "task": "regression",
        "target": "price",
        "data": {
            "csv": {"delimiter": ";", "null_values": ["", "NA"]},
            "columns": {
                "size": {"type": "number"},
                "rooms": {"type": "integer"},
                "new": {"type": "boolean"},
                "color": {"type": "category"},
                "price": {"type": "number"},
            },
        },
    }
)


def plain(view: BaseModel) -> Any:
    return view.model_dump(mode="json")


def pipeline(*, changed: bool = True) -> Any:
    view = PipelineView(name="m", digest=SPEC.digest, revision=1, applied_at=NOW, changed=changed, spec=SPEC)
    return plain(view)


def dataset(state: str, reasons: list[Finding] | None = None, **more: Any) -> Any:
    ref = DatasetRef(digest=DIGEST, train=ARTIFACT, holdout=ARTIFACT, train_rows=800, holdout_rows=200)
    view = DatasetView(
        pipeline="m",
        digest=DIGEST,
        pipeline_digest=SPEC.digest,
        state=state,
        bytes=9,
        received_at=NOW,
        dataset=ref if state == "accepted" else None,
        reasons=reasons or [],
        **more,
    )
    return plain(view)


def run(state: RunState, *, trials: int | None = None, **more: Any) -> Any:
    progress = None
    if trials is not None:
        progress = ProgressView(
            counter=1, stage="search", trials_done=trials, trials_total=4, best_score=0.9, metric="r2"
        )
    fields = {"run_id": RUN, "model": "m", "attempt": 1, "pipeline_digest": SPEC.digest, "cause": "c"}
    return plain(RunView.model_validate({**fields, "state": state, "created_at": NOW, "progress": progress, **more}))


def version(stage: str, number: int = 1, **more: Any) -> Any:
    fields = {"model": "m", "version": number, "stage": stage, "run_id": RUN, "pipeline_digest": SPEC.digest}
    more = {"reasons": ["r2 on the holdout is 0.9, as required at least 0.6"], **more}
    view = {**fields, "artifact": ARTIFACT, "manifest": ARTIFACT, "registered_at": NOW, **more}
    return plain(VersionView.model_validate(view))


def promotion(version: int, seq: int = 1, **more: Any) -> Any:
    fields = {"version": version, "promotion_seq": seq, "cause": "gate", "promoted_at": NOW, **more}
    return plain(PromotionView.model_validate(fields))


def rollout(*states: str, version: int = 1, failure: str | None = None) -> Any:
    workers = [
        WorkerServing.model_validate(
            {
                "worker": f"host-{number}",
                "state": state,
                "version": version if state == "serving" else None,
                "failure": failure if state == "failed" else None,
            }
        )
        for number, state in enumerate(states)
    ]
    view = RolloutView(
        model="m",
        version=version,
        promotion_seq=version,
        promoted_at=NOW,
        serving=states.count("serving"),
        workers=len(states),
        converged=set(states) <= {"serving", "unloaded"},
        by_worker=workers,
    )
    return plain(view)


def model(serving: int | None, **more: Any) -> Any:
    now = None
    if serving is not None:
        ref = ModelRef(model="m", version=serving, artifact=ARTIFACT, manifest=ARTIFACT)
        now = ServingView(ref=ref, promotion_seq=serving, cause="gate", promoted_at=NOW)
    return plain(ModelView(name="m", serving=now, versions=2, **more))
