"""The gate measures exported artifacts, on rows that are the union of the holdouts."""

import io
import itertools
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from interlock_artifacts import CorruptArtifactError, MemoryStore
from interlock_contracts.models import ChampionRef, ModelRegistered
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef
from interlock_evaluation_gate import evaluation, handlers
from interlock_evaluation_gate.evaluation import evaluate
from interlock_modeling import ModelDescription
from interlock_modeling.encoder import Encoder, NumericColumn, Scaled
from interlock_modeling.engines import LinearEngine
from interlock_modeling.engines.links import Link
from interlock_modeling.served import EngineRef
from interlock_modeling.signature import ModelSignature
from interlock_modeling.split import ROW_COLUMN
from interlock_serving.cache import Cache
from interlock_serving.loading import Loader
from interlock_serving.smoke_test.client import RefusedModelError

from tests.support.stored_models import in_this_process

ROWS = 400


class Bench:
    """A pipeline ``y = 2x + noise``, its holdout, and linear models of any slope."""

    def __init__(self, folder: Path, **gate: Any) -> None:
        self.store = MemoryStore()
        self.folder = folder
        self.loader = Loader(Cache(self.store, folder / "cache"), in_this_process)
        columns = {"x": {"type": "number"}, "group": {"type": "category"}, "y": {"type": "number"}}
        spec = {"name": "m", "task": "regression", "target": "y", "data": {"columns": columns}, "gate": gate}
        self.pipeline = Pipeline.model_validate(spec)
        random = np.random.default_rng(0)
        x = random.normal(size=ROWS)
        self.table = pa.table(
            {
                "x": pa.array(x),
                "group": pa.array(["a", "b"] * (ROWS // 2)),
                "y": pa.array(2 * x + random.normal(scale=0.5, size=ROWS)),
                ROW_COLUMN: pa.array(np.arange(ROWS, dtype=np.uint64)),
            }
        )

    def holdout(self, table: pa.Table | None = None) -> ArtifactRef:
        buffer = io.BytesIO()
        pq.write_table(self.table if table is None else table, buffer)
        return self.store.put(buffer.getvalue(), holdout=True)

    def model(self, slope: float, column: str = "x", link: Link = "identity") -> ArtifactRef:
        signature = ModelSignature.of(self.pipeline, self.table)
        feature = signature.features[0].model_copy(update={"name": column})
        signature = signature.model_copy(update={"features": [feature]})
        path = self.folder / f"engine-{slope}"
        LinearEngine(np.array([[slope]]), np.array([0.0]), link).save(path)
        description = ModelDescription(
            signature=signature,
            encoder=Encoder(columns=[NumericColumn(kind="number", name=column, numbers=[Scaled(fill=0.0)])]),
            engine=EngineRef(kind="linear", version=1, ref=self.store.put_file(path)),
        )
        return self.store.put(description.model_dump_json().encode())

    def judge(
        self,
        slope: float,
        champion: float | ArtifactRef | None = None,
        holdouts: list[ArtifactRef] | None = None,
        champion_column: str = "x",
        link: Link = "identity",
    ) -> dict[str, Any]:
        served = self.model(champion, champion_column) if isinstance(champion, float) else champion
        serving = ChampionRef(version=1, artifact=served) if served is not None else None
        event = ModelRegistered(
            model="m",
            version=2,
            run_id=uuid4(),
            artifact=self.model(slope, link=link),
            manifest=self.store.put(b"{}"),
            pipeline_digest=self.pipeline.digest,
            spec=self.store.put(self.pipeline.model_dump_json().encode()),
            holdouts=holdouts or [self.holdout()],
            champion=serving,
        )
        report = evaluate(event, self.store, self.loader).model_dump(mode="json")
        json.dumps(report, allow_nan=False)
        return report


def test_a_stall_of_the_machine_is_not_the_models_latency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tenth measurement takes a second here, each time of another row: the best of each row's rounds counts."""
    measured = itertools.count()
    monkeypatch.setattr(evaluation, "_seconds", lambda *_: 1.0 if next(measured) % 11 == 0 else 0.002)
    report = Bench(tmp_path, latency_p99_ms=5).judge(2.0)

    assert report["latency_p99_ms"] == pytest.approx(2.0)
    assert report["passed"]


def test_a_better_model_passes_and_the_report_has_the_numbers(tmp_path: Path) -> None:
    """The gain's interval, every metric and every slice stand in the report."""
    report = Bench(tmp_path, metrics={"r2": {"min": 0.8}}, slices=["group"]).judge(2.0, champion=1.0)

    assert report["passed"]
    assert report["rows"] == ROWS
    assert 0 < report["champion"]["lower"] < report["champion"]["gain"]
    theirs = report["champion"]["metrics"]
    assert theirs.keys() == report["metrics"].keys()
    assert theirs[report["metric"]] == report["champion"]["champion"]
    assert theirs["mae"] > report["metrics"]["mae"]
    assert {each["value"]: each["rows"] for each in report["slices"]["group"]} == {"a": 200, "b": 200}
    assert report["latency_p99_ms"] > 0
    bias, weakest, *_ = report["notes"]
    worst = min(report["slices"]["group"], key=lambda each: each["metrics"]["r2"])
    assert bias == f"bias on the holdout is {report['metrics']['bias']:+.6g}"
    assert weakest.startswith(
        f"weakest by group: {worst['value']} (200 rows) with r2 {worst['metrics']['r2']:.6g}, bias "
    )
    assert weakest.endswith(f"the champion's r2 there is {worst['champion']['r2']:.6g}")


def test_a_transformed_target_is_measured_in_its_own_unit(tmp_path: Path) -> None:
    """By the bias and every limit, and against a champion that was fitted without a transform."""
    bench = Bench(tmp_path, metrics={"rmse": {"max": 1e-9}, "bias": {"min": -1e-9, "max": 1e-9}})
    untransformed = bench.model(1.0)
    bench.pipeline = bench.pipeline.model_copy(update={"target_transform": "log1p"})
    bench.table = bench.table.set_column(2, "y", pa.array(np.expm1(2 * np.asarray(bench.table.column("x")))))
    report = bench.judge(2.0, champion=untransformed)

    assert report["passed"], report["reasons"]
    assert report["champion"]["gain"] > 0


@pytest.mark.parametrize("slope", [1.0, 2.0, -2.0])
def test_a_model_that_is_not_surely_better_is_refused(tmp_path: Path, slope: float) -> None:
    """Worse, shuffled or exactly as good: what serves goes on serving."""
    report = Bench(tmp_path).judge(slope, champion=2.0)

    assert not report["passed"]
    assert "of version 1" in report["reasons"][0]


def test_rows_that_stand_in_several_batches_count_once(tmp_path: Path) -> None:
    """A batch sent twice must not make the holdout look larger than it is."""
    bench = Bench(tmp_path)
    report = bench.judge(2.0, holdouts=[bench.holdout(), bench.holdout(bench.table.slice(0, 100))])

    assert report["rows"] == ROWS


def test_a_champion_whose_column_is_gone_is_not_compared_and_a_person_decides(tmp_path: Path) -> None:
    """The candidate keeps its thresholds, and is not blamed; nothing is proven, so nobody promotes it by itself."""
    report = Bench(tmp_path, metrics={"r2": {"min": 0.8}}).judge(2.0, champion=1.0, champion_column="gone")

    assert (report["passed"], report["needs_approval"], report["champion"]) == (True, True, None)
    assert report["reasons"][-1] == (
        "version 1 cannot be compared with it, so a person decides: its column 'gone' is gone"
    )


def test_a_bad_candidate_is_refused_also_where_nothing_can_be_compared(tmp_path: Path) -> None:
    """A person may decide only what is left open."""
    report = Bench(tmp_path, metrics={"r2": {"min": 0.8}}).judge(-2.0, champion=1.0, champion_column="gone")

    assert not report["passed"]
    assert "but required" in report["reasons"][0]


def test_equal_rows_of_one_file_all_count(tmp_path: Path) -> None:
    """Their number is part of what is measured."""
    bench = Bench(tmp_path)
    report = bench.judge(2.0, holdouts=[bench.holdout(pa.concat_tables([bench.table, bench.table.slice(0, 50)]))])

    assert report["rows"] == ROWS + 50


def test_a_changed_byte_in_the_candidate_is_an_error(tmp_path: Path) -> None:
    """The gate measures the very bytes that would be served, or nothing."""
    bench = Bench(tmp_path)
    engine = bench.store.put_file(tmp_path / "engine-2.0") if bench.model(2.0) else None
    assert engine is not None
    original = bench.store.objects[engine.key]
    ref = bench.model(2.0)
    bench.store.objects[engine.key] = original[:-1] + bytes([original[-1] ^ 1])
    event = ModelRegistered(
        model="m",
        version=1,
        run_id=uuid4(),
        artifact=ref,
        manifest=ref,
        pipeline_digest=bench.pipeline.digest,
        spec=bench.store.put(bench.pipeline.model_dump_json().encode()),
        holdouts=[bench.holdout()],
    )

    with pytest.raises(CorruptArtifactError):
        evaluate(event, bench.store, bench.loader)


def test_the_same_comparison_gives_the_same_verdict(tmp_path: Path) -> None:
    """The bootstrap is seeded by the pipeline, so a verdict can be repeated."""
    first, second = Bench(tmp_path).judge(1.9, champion=1.8), Bench(tmp_path).judge(1.9, champion=1.8)

    assert first["champion"] == second["champion"]


def test_a_candidate_that_fails_the_smoke_test_is_never_loaded_here(tmp_path: Path) -> None:
    """What crashes a process crashes another one than the gate's."""
    bench = Bench(tmp_path)

    def crash(*_: Path) -> None:
        raise RefusedModelError("loading it crashes its process (SIGSEGV)")

    bench.loader = Loader(Cache(bench.store, tmp_path / "untried"), crash)
    with pytest.raises(RefusedModelError, match="SIGSEGV"):
        bench.judge(2.0)


def test_the_gate_counts_the_labels_that_the_threshold_chooses(tmp_path: Path) -> None:
    """In its metrics, its slices and the table of what was taken for what; the champion is measured by its own."""
    bench = Bench(tmp_path, slices=["group"])
    spec = bench.pipeline.model_dump(mode="json")
    spec["gate"]["champion"] = {"metric": "recall"}
    spec["data"]["columns"]["y"] = {"type": "boolean"}
    bench.table = bench.table.set_column(2, "y", pa.array(np.asarray(bench.table.column("y")) > 0))
    bench.pipeline = Pipeline.model_validate(spec | {"task": "classification"})
    champion = bench.model(2.0, link="logistic")
    bench.pipeline = Pipeline.model_validate(spec | {"task": "classification", "training": {"threshold": 0.1}})
    report = bench.judge(2.0, champion, link="logistic")
    positive = np.asarray(bench.table.column("y"))
    for threshold, recall in ((0.1, report["metrics"]["recall"]), (0.5, report["champion"]["champion"])):
        said = 1 / (1 + np.exp(-2 * np.asarray(bench.table.column("x")))) >= threshold
        assert recall == pytest.approx((said & positive).sum() / positive.sum())

    assert report["champion"]["gain"] > 0
    hits = report["plots"]["confusion"]["counts"][1][1]
    assert hits / positive.sum() == pytest.approx(report["metrics"]["recall"])
    found = sum(round(each["metrics"]["recall"] * int(positive[at::2].sum())) for at, each in _groups(report))
    assert found == hits


def _groups(report: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """Return the slices with the first of their rows: every second one is of the same group."""
    return [("ab".index(each["value"]), each) for each in report["slices"]["group"]]


def test_the_loss_at_the_quantile_is_measured_where_one_is_declared(tmp_path: Path) -> None:
    """Of candidate and champion at the quantile that the candidate's pipeline names, and of nothing else."""
    bench = Bench(tmp_path)
    plain = bench.judge(2.0)
    champion = bench.model(1.0)
    spec = bench.pipeline.model_dump(mode="json")
    spec["training"] = {"quantile": 0.9, "candidates": ["xgboost"]}
    spec["gate"] = {"metrics": {"pinball_loss": {"max": 0.4}}}
    bench.pipeline = Pipeline.model_validate(spec)
    report = bench.judge(2.0, champion)
    x, y = (np.asarray(bench.table.column(name)) for name in "xy")
    losses = [np.maximum(0.9 * (y - slope * x), -0.1 * (y - slope * x)).mean() for slope in (2.0, 1.0)]

    assert "pinball_loss" not in plain["metrics"]
    assert report["metrics"]["pinball_loss"] == pytest.approx(losses[0])
    assert [report["champion"][each] for each in ("candidate", "champion")] == pytest.approx(losses)
    assert report["passed"], report["reasons"]


async def test_a_candidate_whose_holdout_was_deleted_is_refused_and_the_verdict_says_why(tmp_path: Path) -> None:
    """Nothing waits for rows that never come back."""
    bench = Bench(tmp_path)
    holdout = bench.holdout()
    bench.store.delete(holdout.key)
    event = ModelRegistered(
        model="m",
        version=2,
        run_id=uuid4(),
        pipeline_digest=bench.pipeline.digest,
        spec=bench.store.put(bench.pipeline.model_dump_json().encode()),
        artifact=bench.model(2.0),
        manifest=holdout,
        holdouts=[holdout],
    )
    report = await handlers._report(event, bench.store, bench.loader)

    assert not report.passed
    [reason] = report.reasons
    assert "rows of its holdout are not stored any more, as when their dataset was deleted" in reason
