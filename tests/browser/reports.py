"""Models with versions and reports as the registry tells them, made by the gate's own code over made-up answers."""

import hashlib
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from interlock_contracts.http import ModelView, ServingView, VersionView
from interlock_contracts.manifest import CandidateScores, TrainingManifest
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, ModelRef
from interlock_contracts.report import GainReport, GateCheck, GateReport, SliceReport
from interlock_contracts.rollout import PromotionView, RolloutView, WorkerServing
from interlock_evaluation_gate.plots import histogram, plots
from interlock_modeling.signature import Label

from tests.support.stored_models import CLASSIFICATION, REGRESSION

ROWS = 400
WHEN = "2026-11-20T12:00:00Z"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def report(labels: list[Label] | None, *, against: int | None = None, seed: int = 0) -> GateReport:
    """Return the report on a version that passed; a classification's where there are labels."""
    random = np.random.default_rng(seed)
    metric, value = "r2" if labels is None else "roc_auc", 0.9
    if labels is None:
        truth = random.normal(60, 15, ROWS)
        drawn = plots(REGRESSION, truth, truth + random.normal(0, 4, ROWS))
    else:
        signature = CLASSIFICATION.model_copy(update={"labels": labels})
        answers = random.dirichlet(np.ones(len(labels)), ROWS)
        drawn = plots(signature, random.integers(0, len(labels), ROWS), answers)
    resampled = random.normal(0.02, 0.006, 2000)
    gain = GainReport(
        version=against or 1, candidate=value, champion=0.88, gain=0.02, lower=0.01, resampled=histogram(resampled)
    )
    theirs: dict[str, float | None] | None = {metric: 0.85} if against else None
    return GateReport(
        passed=True,
        reasons=["good"],
        checks=[GateCheck(passed=True, text=f"{metric} on the holdout is {value}, as required at least 0.6")],
        rows=ROWS,
        metrics={metric: value},
        metric=metric,
        champion=gain if against else None,
        confidence=0.95,
        min_improvement=0.0,
        latency_p99_ms=0.02,
        slices={"color": [SliceReport(value="red", rows=ROWS, metrics={metric: value}, champion=theirs)]},
        plots=drawn,
    )


def version(model: str, number: int, stage: str, told: GateReport | dict[str, Any]) -> VersionView:
    """Return one version; of each, the files before it and one more were trained on."""
    shown = told if isinstance(told, dict) else told.model_dump(mode="json")
    ref = ArtifactRef(sha256=sha(f"{model}/{number}"), bytes=1)
    made = TrainingManifest(
        status="succeeded",
        artifact=ref,
        engine="forest 2",
        winner="xgboost",
        params={"max_depth": 4 + number},
        metric="r2",
        score=0.8,
        candidates=[CandidateScores(candidate="xgboost", scores=[0.8], mean=0.8, fit_seconds=1.0)],
        rows=300 * number,
        features=2,
        commit=sha("commit")[:40],
        packages={"numpy": "2.4.6"},
    )
    return VersionView(
        model=model,
        version=number,
        stage=stage,
        run_id=uuid5(NAMESPACE_URL, f"{model}/{number}"),
        pipeline_digest=sha(model),
        artifact=ref,
        manifest=ref,
        datasets=[sha(f"file {file}") for file in range(number)],
        registered_at=WHEN,  # type: ignore[arg-type]
        against=number - 1 or None,
        metrics={name: value for name, value in shown.get("metrics", {}).items() if value is not None},
        reasons=shown["reasons"],
        report=shown,
        details=made.model_dump(mode="json"),
    )


def answers(model: str, versions: list[VersionView], *, champion: int | None = None) -> dict[str, Any]:
    """Return what the gateway answers about a model, by path; every version up to the champion has been promoted."""
    path = f"/gateway/models/{model}"
    columns = {"size": {"type": "number"}, "price": {"type": "number"}}
    spec = Pipeline.model_validate(
        {"name": model, "task": "regression", "target": "price", "data": {"columns": columns}}
    )
    serving = None
    if champion is not None:
        ref = ModelRef(model=model, version=champion, artifact=versions[0].artifact, manifest=versions[0].manifest)
        serving = ServingView(ref=ref, promotion_seq=champion, cause="gate", promoted_at=WHEN)  # type: ignore[arg-type]
    view = ModelView(name=model, serving=serving, versions=len(versions), signature=REGRESSION.model_dump(mode="json"))
    promotions = [
        PromotionView(promotion_seq=each, version=each, cause="gate", promoted_at=WHEN, trace_id="ab" * 16)  # type: ignore[arg-type]
        for each in range(champion or 0, 0, -1)
    ]
    workers = [
        WorkerServing(worker="gateway-1", state="serving", version=champion, since=WHEN),  # type: ignore[arg-type]
        WorkerServing(worker="gateway-2", state="failed", failure="the engine is forest 9"),
    ]
    rollout = RolloutView(
        model=model,
        version=champion or 1,
        promotion_seq=champion or 1,
        promoted_at=WHEN,  # type: ignore[arg-type]
        serving=1,
        workers=2,
        converged=False,
        by_worker=workers,
    )
    told: dict[str, Any] = {
        "/gateway/models": [view.model_dump(mode="json")],
        path: view.model_dump(mode="json"),
        f"{path}/promotions": [each.model_dump(mode="json") for each in promotions],
        f"{path}/versions": [
            each.model_dump(mode="json") | {"report": None, "details": None} for each in reversed(versions)
        ],
        f"/gateway/pipelines/{model}": {"name": model, "spec": spec.model_dump(mode="json")},
        **{f"{path}/versions/{each.version}": each.model_dump(mode="json") for each in versions},
    }
    return told | ({f"{path}/rollout": rollout.model_dump(mode="json")} if champion else {})
