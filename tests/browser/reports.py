"""Models with versions and reports as the registry tells them, made by the gate's own code over made-up answers."""

import hashlib
from itertools import permutations
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from interlock_contracts.gate import CLASSIFICATION_METRICS, REGRESSION_METRICS, MetricName
from interlock_contracts.http import ModelView, NewestVersion, RolloutCounts, ServingView, VersionView
from interlock_contracts.manifest import Budget, CandidateScores, CurvePoint, TrainingManifest, Trial, Tuned
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, ModelRef
from interlock_contracts.report import (
    FeatureImportance,
    GainReport,
    GateCheck,
    GateReport,
    PermutationImportance,
    SliceReport,
)
from interlock_contracts.rollout import PromotionView, RolloutView, WorkerServing
from interlock_evaluation_gate.measured import finite
from interlock_evaluation_gate.plots import histogram, plots
from interlock_modeling import METRICS
from interlock_modeling.signature import Label
from interlock_registry.comparison import Side, compared
from interlock_registry.store import VersionRow
from numpy.typing import NDArray

from tests.support.stored_models import CLASSIFICATION, REGRESSION

ROWS = 400
WHEN = "2026-11-20T12:00:00Z"
TUNED = Tuned(
    params={"max_depth": 3}, scores=[0.79, 0.81, 0.83], mean=0.81, fit_seconds=1.0, trials=12, gain=0.01, error=0.02
)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def report(labels: list[Label] | None, *, against: int | None = None, seed: int = 0) -> GateReport:
    """Return the report on a version that passed; a classification's where there are labels."""
    random = np.random.default_rng(seed)
    signature = REGRESSION if labels is None else CLASSIFICATION.model_copy(update={"labels": labels})
    metric: MetricName
    names: tuple[MetricName, ...]
    truth: NDArray[Any]
    if labels is None:
        truth, metric = random.normal(60, 15, ROWS), "r2"
        names = tuple(each for each in REGRESSION_METRICS if each != "pinball_loss")  # which needs a quantile
        ours, theirs = (truth + random.normal(0, noise, ROWS) for noise in (4, 6))
    else:
        truth, metric, names = random.integers(0, len(labels), ROWS), "roc_auc", CLASSIFICATION_METRICS
        right = np.eye(len(labels))[truth]
        ours, theirs = (random.dirichlet(np.ones(len(labels)), ROWS) * (1 - sure) + right * sure for sure in (0.3, 0.2))
    mine, others = (finite({name: METRICS[name].value(truth, scores) for name in names}) for scores in (ours, theirs))
    better = METRICS[metric].gain(mine[metric], others[metric])
    gain = GainReport(
        version=against or 1,
        candidate=mine[metric],
        champion=others[metric],
        metrics=others,
        gain=better,
        lower=better - 0.01,
        resampled=histogram(random.normal(better, 0.006, 2000)),
    )
    colors = [
        SliceReport(
            value=f"{color} {'as a long label' * (place % 3)}",
            rows=ROWS - place,
            metrics={metric: mine[metric] - place / 50},
            champion={metric: others[metric] - place / 40} if against else None,
            interval=(mine[metric] - place / 50 - 0.01, mine[metric] - place / 50 + 0.01) if place else None,
        )
        for place, color in enumerate(["red", *(f"shade {each}" for each in range(17))])
    ]
    return GateReport(
        passed=True,
        reasons=["good"],
        checks=[
            GateCheck(passed=True, text=f"{metric} on the holdout is {mine[metric]:.6g}, as required at least 0.6")
        ],
        notes=["weakest by color: shade 16 (383 rows) with r2 0.6"],
        rows=ROWS,
        metrics=mine,
        metric=metric,
        champion=gain if against else None,
        confidence=0.95,
        min_improvement=0.0,
        latency_p99_ms=0.02,
        slices={"color": colors},
        plots=plots(signature, truth, ours),
        importance=PermutationImportance(
            metric=metric,
            rows=ROWS,
            repeats=5,
            features=[
                FeatureImportance(feature="a feature with a name that is rather long", mean=0.31, deviation=0.02),
                FeatureImportance(feature="color", mean=0.12, deviation=0.01),
                *(
                    FeatureImportance(feature=f"x{number}", mean=0.01 / number, deviation=0.004)
                    for number in range(1, 16)
                ),
                FeatureImportance(feature="noise", mean=-0.002, deviation=0.003),
            ],
        ),
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
        candidates=[
            CandidateScores(
                candidate=name,
                scores=[mean - 0.02, mean, mean + 0.02],
                mean=mean,
                fit_seconds=1.0,
                budget=Budget(folds=3, rounds=38) if name == "gradient_boosting" else None,
                tuned=TUNED if name == "xgboost" else None,
            )
            for name, mean in (("linear", 0.6), ("gradient_boosting", 0.77), ("xgboost", 0.8))
        ],
        folds=3,
        trials=[
            Trial(
                number=place,
                params={
                    "max_depth": place % 4 + 2,
                    "learning_rate": 0.3 / (place + 1),
                    "booster": ("gbtree", "dart")[place % 2],
                },
                score=0.75 + place % 5 / 100,
                fit_seconds=1.0,
                state="pruned" if place % 4 == 3 else "complete",
                candidate="xgboost",
                budget=Budget(folds=2, rounds=25) if place % 4 == 3 else Budget(folds=3, rounds=100),
            )
            for place in range(12)
        ],
        learning_curve=[
            CurvePoint(rows=20 * share, scores=[0.8 - 1.2 / share - spread for spread in (0.02, 0.0, -0.02)])
            for share in (2, 5, 10, 20)
        ],
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
        metrics=_defined(shown.get("metrics", {})),
        champion_metrics=_defined((shown.get("champion") or {}).get("metrics", {})),
        reasons=shown["reasons"],
        report=shown,
        details=made.model_dump(mode="json"),
    )


def _defined(metrics: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if value is not None}


def _side(view: VersionView, spec: Pipeline) -> Side:
    """Return what the registry keeps of a version."""
    names = ("model", "version", "stage", "run_id", "pipeline_digest", "registered_at", "against", "metrics", "reasons")
    ref = view.artifact.model_dump()
    datasets = [
        {
            "digest": each,
            "train": ref,
            "holdout": {**ref, "sha256": each, "holdout": True},
            "train_rows": 8,
            "holdout_rows": 2,
        }
        for each in view.datasets
    ]
    row = VersionRow(**{name: getattr(view, name) for name in names}, champion_metrics={}, tags={}, datasets=datasets)
    row.artifact, row.manifest = ref, view.manifest.model_dump()
    made = TrainingManifest.model_validate(view.details)
    return Side(row, spec.model_dump(mode="json"), GateReport.model_validate(view.report), made)


def _newest(versions: list[VersionView]) -> NewestVersion | None:
    last = versions[-1] if versions else None
    return NewestVersion(version=last.version, stage=last.stage) if last else None


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
    view = ModelView(
        name=model,
        description="Arrival delay of a flight, from what is known at departure.",
        owner="pricing@example.org",
        tags={"team": "pricing", "audited": ""},
        serving=serving,
        versions=len(versions),
        signature=REGRESSION.model_dump(mode="json"),
    )
    promotions = [
        PromotionView(promotion_seq=each, version=each, cause="gate", promoted_at=WHEN, trace_id="ab" * 16)  # type: ignore[arg-type]
        for each in range(champion or 0, 0, -1)
    ]
    workers = [
        WorkerServing(worker="gateway-1", state="serving", version=champion, since=WHEN),  # type: ignore[arg-type]
        WorkerServing(worker="gateway-2", state="failed", failure="the engine is forest 9"),
    ]
    counts = RolloutCounts(serving=1, failed=1, workers=2, converged=False)
    listed = view.model_copy(update={"newest": _newest(versions), "rollout": counts if serving else None})
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
        "/gateway/models": [listed.model_dump(mode="json")],
        path: view.model_dump(mode="json"),
        f"{path}/promotions": [each.model_dump(mode="json") for each in promotions],
        f"{path}/versions": [
            each.model_dump(mode="json") | {"report": None, "details": None} for each in reversed(versions)
        ],
        f"/gateway/pipelines/{model}": {"name": model, "spec": spec.model_dump(mode="json")},
        **{f"{path}/versions/{each.version}": each.model_dump(mode="json") for each in versions},
        **{
            f"{path}/compare?a={a.version}&b={b.version}": compared(_side(a, spec), _side(b, spec), {}).model_dump(
                mode="json"
            )
            for a, b in permutations(versions, 2)
        },
    }
    return told | ({f"{path}/rollout": rollout.model_dump(mode="json")} if champion else {})
