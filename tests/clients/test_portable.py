"""`interlock export --format onnx | python`: ONNX Runtime in an environment of its own answers as what is served.

The rows are New York's flights of January 2013, with missing cells, carriers that training never saw, and departures.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef
from interlock_localstack.demo.flights import extract_month
from interlock_modeling import Model
from interlock_tables.typed import ARROW_TYPES, compute

from tests.clients.environments import make_ready, ran_by, seen_by
from tests.clients.registries import Exports, exporting
from tests.support.trained_models import trained

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

COLUMNS = {
    "dep_delay": "integer",
    "air_time": "number",
    "carrier": "category",
    "origin": "category",
    "distance": "number",
    "early": "boolean",
    "time_hour": "datetime",
}
TARGETS: dict[str, dict[str, Any]] = {
    "air_time": {"task": "regression", "target": {"column": "air_time", "transform": "log1p"}},
    "early": {"task": "classification", "target": "early"},
    "origin": {"task": "classification", "target": "origin"},
}
CANDIDATES = {"air_time": "xgboost", "early": "linear", "origin": "random_forest"}
TRAINED, ASKED = 1200, 400
UNKNOWN = ["HA", "OO", "YV"]
"""Carriers that are left out of the training."""


@dataclass
class Kept:
    """A model that is served, and the rows that it is asked, as JSON has them."""

    artifact: ArtifactRef
    model: Model
    rows: list[dict[str, Any]]


def pipeline(target: str) -> Pipeline:
    data = {
        "columns": {name: {"type": kind} for name, kind in COLUMNS.items()},
        "rules": {"max_null_fraction": 0.5},
        "csv": {"null_values": ["", "NA"]},
    }
    training = {"candidates": [CANDIDATES[target]], "folds": 3, "trials": 0}
    return Pipeline.model_validate({"name": "january", "data": data, "training": training} | TARGETS[target])


def flights(folder: Path) -> pa.Table:
    """Return January with the declared types; ``early`` says whether a flight left before its time."""
    extract_month(1, folder / "january.csv")
    options = pc.ConvertOptions(null_values=["NA", ""], strings_can_be_null=True)
    table: Any = pc.read_csv(folder / "january.csv", convert_options=options)
    table = table.append_column("early", compute.less(table.column("dep_delay"), 0))
    return pa.table({name: table.column(name).cast(ARROW_TYPES[kind]) for name, kind in COLUMNS.items()})


def kept(target: str, january: pa.Table, folder: Path, artifacts: MemoryStore) -> Kept:
    rng = np.random.default_rng(7)
    rows = january.take(rng.permutation(january.num_rows))
    usable = rows.filter(compute.is_valid(rows.column(target)))
    folder.mkdir()
    manifest, model = trained(
        pipeline(target), usable.filter(compute.invert(unknown(usable))).slice(0, TRAINED), folder, artifacts
    )
    assert manifest.artifact is not None
    odd = rows.filter(compute.or_(rows.column("dep_delay").is_null(), unknown(rows)))
    asked = pa.concat_tables([odd.slice(0, ASKED // 2), rows.slice(0, ASKED // 2)]).drop_columns([target])
    plain = [
        {name: cell if name != "time_hour" else cell.isoformat() for name, cell in row.items()}
        for row in asked.to_pylist()
    ]
    return Kept(manifest.artifact, model, plain)


def unknown(rows: pa.Table) -> Any:
    """Return which rows are of a carrier that training does not see."""
    return compute.is_in(rows.column("carrier"), value_set=pa.array(UNKNOWN))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[MemoryStore, dict[str, Kept]]:
    folder, artifacts = tmp_path_factory.mktemp("flights"), MemoryStore()
    january = flights(folder)
    return artifacts, {target: kept(target, january, folder / target, artifacts) for target in TARGETS}


@pytest.fixture(scope="module")
async def exports(servers: dict[str, str], models: tuple[MemoryStore, dict[str, Kept]]) -> AsyncIterator[Exports]:
    artifacts, kept = models
    versions = [each.artifact for each in kept.values()]
    async with exporting(servers, artifacts, versions, promoted=len(versions)) as exports:
        yield exports


async def exported(exports: Exports, target: str, form: str, folder: Path) -> None:
    """Export the version of a target, and make the environment ready that asks it."""
    version = str([*TARGETS].index(target) + 1)
    done = await asyncio.to_thread(exports.export, version, "--format", form, "--out", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    await asyncio.to_thread(make_ready, "exported")


def equal(kept: Kept, predictions: list[Any], scores: Any) -> None:
    """Check predictions, and for a classification probabilities in the order of the labels."""
    served = kept.model.predict_rows(kept.rows)
    assert len(set(map(str, served.values))) > 1
    assert np.allclose(np.array(scores), served.scores, rtol=1e-12, atol=1e-12)
    if kept.model.signature.labels is not None:
        assert predictions == served.values


@pytest.mark.parametrize("target", list(TARGETS))
async def test_the_graph_gives_the_served_numbers(
    target: str, exports: Exports, models: tuple[MemoryStore, dict[str, Kept]], tmp_path: Path
) -> None:
    """By ONNX Runtime and NumPy alone, with tensors made as the exported page says."""
    folder, kept = tmp_path / "export", models[1][target]
    await exported(exports, target, "onnx", folder)
    saw = await asyncio.to_thread(seen_by, "exported", "ask_graph.py", folder=str(folder), rows=kept.rows)

    assert sorted(each.name for each in folder.iterdir()) == ["README.md", "model.onnx", "signature.json"]
    equal(kept, saw.get("label", []), saw.get("probabilities") or saw["prediction"])


@pytest.mark.parametrize("form", ["csv", "json", "jsonl"])
@pytest.mark.parametrize("target", list(TARGETS))
async def test_the_program_gives_the_served_numbers(
    target: str, form: str, exports: Exports, models: tuple[MemoryStore, dict[str, Kept]], tmp_path: Path
) -> None:
    """Where nothing of Interlock is installed: rows of a file in, one JSON object a row out."""
    folder, kept = tmp_path / "export", models[1][target]
    await exported(exports, target, "python", folder)
    elsewhere = folder.rename(tmp_path / "elsewhere")
    file = write(kept.rows, tmp_path / f"rows.{form}")
    done = await asyncio.to_thread(ran_by, "exported", "python", str(elsewhere / "predict.py"), str(file))
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    scores = [[*each["probabilities"].values()] if "probabilities" in each else each["prediction"] for each in answers]

    equal(kept, [each["prediction"] for each in answers], scores)


async def test_what_the_program_asks_for_is_what_it_is_tested_with(exports: Exports, tmp_path: Path) -> None:
    """The pinned versions are those of the environment here; and a row that does not fit is told in one line."""
    await exported(exports, "early", "python", tmp_path / "export")
    pinned = (tmp_path / "export" / "requirements.txt").read_text().split()
    locked = (Path(__file__).parent / "exported" / "requirements.lock").read_text()
    file = write([{"carrier": "UA"}], tmp_path / "rows.json")
    done = await asyncio.to_thread(ran_by, "exported", "python", str(tmp_path / "export" / "predict.py"), str(file))

    assert all(f"{each} " in locked for each in pinned)
    assert len(pinned) == 2
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "predict.py: row 0: column 'dep_delay' is missing\n"


def write(rows: list[dict[str, Any]], file: Path) -> Path:
    """Write rows in the form that the file's name says; in CSV a missing cell is NA, as in the training files."""
    if file.suffix == ".csv":
        lines = [[*rows[0]], *(["NA" if cell is None else str(cell) for cell in row.values()] for row in rows)]
        file.write_text("".join(",".join(line) + "\n" for line in lines))
    elif file.suffix == ".json":
        file.write_text(json.dumps(rows))
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file
