"""Two versions side by side. One is called better only where both were measured on the same rows."""

import asyncio
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple

from interlock_artifacts import ArtifactStore
from interlock_contracts.comparison import (
    ComparedDatasets,
    ComparedMetric,
    ComparisonView,
    Difference,
    MeasuredTogether,
)
from interlock_contracts.gate import DIRECTIONS, Better
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.refs import ArtifactRef, DatasetRef
from interlock_contracts.report import GateReport
from interlock_runtime.database import Database
from interlock_runtime.http import SCOPE
from interlock_runtime.limits import INT32_MAX
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from interlock_registry import store
from interlock_registry.models import existing_version, version_view
from interlock_registry.store import VersionRow

_Number = Annotated[int, QueryParameter(ge=1, le=INT32_MAX, description="A version's number.")]


class Side(NamedTuple):
    """One of the two, with all that is stored of it; ``spec`` is its pipeline."""

    row: VersionRow
    spec: Mapping[str, Any]
    report: GateReport
    manifest: TrainingManifest

    @property
    def datasets(self) -> list[DatasetRef]:
        return [DatasetRef.model_validate(each) for each in self.row.datasets]


@get("/models/{name:str}/compare", opt={SCOPE: "read"})
async def compare_versions(
    name: FromPath[str],
    a: _Number,
    b: _Number,
    database: NamedDependency[Database],
    artifacts: NamedDependency[ArtifactStore],
) -> ComparisonView:
    """Compare two versions of a model: metrics, data, parameters, pipeline, code and environment."""
    found = []
    async with database.sessions() as session:
        for number in (a, b):
            row = await existing_version(session, name, number)
            spec = await store.spec_of(session, name, row.pipeline_digest)
            found.append((row, spec.spec if spec else {}))
        champions = await store.champions(session, name)
    one, other = [Side(row, spec, *await asyncio.to_thread(_stored, artifacts, row)) for row, spec in found]
    return compared(one, other, champions)


def _stored(artifacts: ArtifactStore, row: VersionRow) -> tuple[GateReport, TrainingManifest]:
    report = artifacts.fetch(ArtifactRef.model_validate(row.report)) if row.report else b"{}"
    manifest = artifacts.fetch(ArtifactRef.model_validate(row.manifest))
    return GateReport.model_validate_json(report), TrainingManifest.model_validate_json(manifest)


def compared(a: Side, b: Side, champions: Mapping[str, int]) -> ComparisonView:
    """Return what differs between two versions, and how their metrics compare; ``champions`` are those by stage."""
    obstacle = not_comparable(a, b)
    ours, theirs = _metrics(a), _metrics(b)
    return ComparisonView(
        model=a.row.model,
        a=version_view(a.row, champions),
        b=version_view(b.row, champions),
        comparable=obstacle is None,
        note=obstacle or f"both were measured on the same {a.report.rows:,} held-out rows",
        metrics=[
            ComparedMetric(**_side_by_side(name, ours.get(name), theirs.get(name), comparable=obstacle is None))
            for name in dict.fromkeys([*ours, *theirs])
        ],
        measured_together=_measured_together(a, b),
        datasets=_datasets(a, b),
        parameters=differences(_parameters(a), _parameters(b)),
        pipeline=differences(dict(_paths(a.spec)), dict(_paths(b.spec))),
        environment=differences(_environment(a), _environment(b)),
    )


def not_comparable(a: Side, b: Side) -> str | None:
    """Return why the metrics of two versions say nothing about each other; None where they do."""
    for side in (a, b):
        if not side.report.rows:
            return f"version {side.row.version} has not been measured"
    if any(a.spec.get(each) != b.spec.get(each) for each in ("task", "target")):
        return "the two predict different targets, so their metrics say nothing about each other"
    if _quantile(a) != _quantile(b):
        return "the two answer different quantiles, so their metrics say nothing about each other"
    holdouts = [{each.holdout.sha256 for each in side.row.judged_on} for side in (a, b)]
    if holdouts[0] != holdouts[1] or a.report.rows != b.report.rows:
        return "they were measured on different held-out rows, so a difference may come from the data, not the model"
    return None


def _quantile(side: Side) -> float | None:
    quantile: float | None = (side.spec.get("training") or {}).get("quantile")
    return quantile


def _metrics(side: Side) -> dict[str, float | None]:
    return {**side.row.metrics, **side.report.metrics}


def _side_by_side(name: str, a: float | None, b: float | None, *, comparable: bool) -> dict[str, Any]:
    direction = next((better for metric, better in DIRECTIONS.items() if metric == name), None)
    told: dict[str, Any] = {"metric": name, "a": a, "b": b, "direction": direction}
    if comparable and a is not None and b is not None:
        told |= {"difference": b - a, "better": _better(direction, a, b) if direction else None}
    return told


def _better(direction: Better, a: float, b: float) -> Literal["a", "b", "equal"]:
    gain = {"higher": b - a, "lower": a - b, "zero": abs(a) - abs(b)}[direction]
    if math.isclose(gain, 0, abs_tol=1e-12):
        return "equal"
    return "b" if gain > 0 else "a"


def _measured_together(a: Side, b: Side) -> MeasuredTogether | None:
    """Return the gate's comparison of these two on one holdout; the later version was the candidate there."""
    for judged, other in ((b, a), (a, b)):
        champion, metric = judged.report.champion, judged.report.metric
        if champion is None or metric is None or champion.version != other.row.version:
            continue
        mine, theirs = (
            judged.report.metrics | {metric: champion.candidate},
            champion.metrics | {metric: champion.champion},
        )
        of_a, of_b = (theirs, mine) if judged is b else (mine, theirs)
        every = [_side_by_side(name, of_a[name], of_b[name], comparable=True) for name in mine if name in theirs]
        return MeasuredTogether(
            **_side_by_side(metric, of_a[metric], of_b[metric], comparable=True),
            metrics=[ComparedMetric(**each) for each in every],
            holdout_of=judged.row.version,
            rows=judged.report.rows,
            gain=champion.gain,
            lower=champion.lower,
        )
    return None


def _datasets(a: Side, b: Side) -> ComparedDatasets:
    ours, theirs = ([each.digest for each in side.datasets] for side in (a, b))
    return ComparedDatasets(
        only_a=[each for each in ours if each not in theirs],
        only_b=[each for each in theirs if each not in ours],
        both=[each for each in ours if each in theirs],
    )


def _parameters(side: Side) -> dict[str, Any]:
    return {"candidate": side.manifest.winner, **side.manifest.params}


def _environment(side: Side) -> dict[str, Any]:
    made = side.manifest
    facts = {"commit": made.commit, "code": made.code_version, "engine": made.engine, "rows": made.rows}
    return {**facts, "seed": made.seed, "features": made.features, **made.packages}


def _paths(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield a nested declaration by its paths: ``gate.metrics.r2.min`` and 0.6."""
    if not isinstance(value, Mapping):
        yield path, value
        return
    for name, inner in value.items():
        yield from _paths(inner, f"{path}.{name}" if path else name)


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """Return what is not the same in both, by name."""
    return [
        Difference(name=name, a=a.get(name), b=b.get(name))
        for name in sorted(a.keys() | b.keys())
        if a.get(name) != b.get(name)
    ]


ROUTES = [compare_versions]
