"""What is exported as ONNX answers as what is served: for every kind of model, and rows that nobody chose."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from interlock_artifacts import MemoryStore
from interlock_contracts.candidates import Candidate
from interlock_contracts.pipeline import Pipeline
from interlock_modeling import Model, ModelDescription
from interlock_modeling.portable import write_portable
from interlock_modeling.portable.predict import InvalidRowsError, rows_of
from interlock_modeling.portable.predict import Model as Exported
from interlock_modeling.signature import ModelSignature
from interlock_trainer.export import export
from interlock_trainer.kinds import KINDS
from interlock_trainer.preprocessing import frame_of, preprocessor_for
from interlock_trainer.probes import probe_rows
from sklearn.pipeline import Pipeline as SklearnPipeline
from threadpoolctl import threadpool_limits

from tests.support.trained_models import trained
from tests.support.training_jobs import pipeline, table
from tests.unit.trainer.test_served_equals_trained import SMALL, Table, as_json, tables

RELATIVE = 1e-12
"""Sums of float64 in another order."""


def exported(of: Pipeline, rows: pa.Table, folder: Path) -> tuple[Model, Exported]:
    """Train and export; return what is served, and what the exported program loads."""
    store = MemoryStore()
    manifest, model = trained(of, rows, folder, store)
    assert manifest.artifact is not None
    return model, written(store.fetch(manifest.artifact), folder)


def written(description: bytes, folder: Path) -> Exported:
    out = folder / "export"
    out.mkdir()
    write_portable(description, folder / "engine", out, model="m", version=3, program=True)
    return Exported(out)


def lenient(asked: Exported) -> Exported:
    """Let every cell be missing and every number have a fraction, as rows are that probe a translation."""
    for each in asked.signature["inputs"]:
        each.update(nullable=True, optional=True, type="number" if each["type"] == "integer" else each["type"])
    return asked


def scores(answers: list[dict[str, Any]]) -> Any:
    return np.array([list(each.get("probabilities", {"": each["prediction"]}).values()) for each in answers])


def as_served(model: Model, asked: Exported, rows: pa.Table) -> None:
    """Check that both give the same predictions, labels and probabilities."""
    expected = model.predict_table(rows)
    answers = asked.predict(as_json(rows.select([each.name for each in model.signature.features]).to_pylist()))
    assert np.allclose(scores(answers), expected.scores.reshape(len(answers), -1), rtol=RELATIVE, atol=RELATIVE)
    if model.signature.labels is not None:
        assert [each["prediction"] for each in answers] == expected.values


@pytest.mark.parametrize("kind", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("candidate", list(KINDS))
def test_the_graph_answers_as_what_is_served(candidate: Candidate, kind: str, tmp_path: Path) -> None:
    """Rows on and beside splits, with each cell missing in turn, and categories that training never saw."""
    rows = table(kind)
    model, asked = exported(pipeline(kind, candidates=[candidate]), rows, tmp_path)
    engine: Any = model.engine

    as_served(model, lenient(asked), probe_rows(model.encoder, engine, rows, seed=1))


@pytest.mark.parametrize("transform", ["log1p", "log"])
@pytest.mark.parametrize("candidate", ["linear", "xgboost"])
def test_a_transform_of_the_target_is_undone_in_the_graph(candidate: str, transform: str, tmp_path: Path) -> None:
    """So the output is in the target's own unit, as what is served is."""
    model, asked = transformed(candidate, transform, tmp_path)

    assert asked.signature["transform"] == transform
    as_served(model, lenient(asked), table())


def test_an_answer_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    """As a gateway refuses it."""
    _, asked = transformed("linear", "log", tmp_path)
    row = {"score": 1.0, "count": 7, "open": True, "color": "red", "shape": "round", "at": "2021-02-28"}

    assert len(asked.predict([row])) == 1
    with pytest.raises(InvalidRowsError, match="row 1: the numbers are too large for this model"):
        asked.predict([row, row | {"score": 1e9}])


def transformed(candidate: str, transform: str, folder: Path) -> tuple[Model, Exported]:
    rows = table()
    rows = rows.set_column(rows.column_names.index("y"), "y", pa.array(np.exp(np.asarray(rows.column("y")) / 8 + 1)))
    spec = pipeline(candidates=[candidate], gate={"champion": {"metric": "rmse"}}).model_dump(mode="json")
    return exported(Pipeline.model_validate(spec | {"target": {"column": "y", "transform": transform}}), rows, folder)


@pytest.mark.parametrize("candidate", list(KINDS))
@settings(
    max_examples=4,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(random=tables())
def test_any_model_is_exported(candidate: Candidate, random: Table, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Columns, labels and rows that nobody chose, odd cells among them."""
    folder = tmp_path_factory.mktemp("export")
    signature = ModelSignature.of(random.pipeline, random.train)
    frame = frame_of(signature, random.train)
    estimator = KINDS[candidate].estimator(signature.task, KINDS[candidate].defaults | SMALL[candidate], 5)
    whole = SklearnPipeline([("preprocess", preprocessor_for(signature, frame)), ("estimator", estimator)])
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole.fit(frame, signature.targets(random.train))
    store = MemoryStore()
    result = export(candidate, whole, signature, random.train, store=store, folder=folder, seed=1)
    description = store.fetch(result.artifact)
    model = Model.load(ModelDescription.parse(description), folder / "engine")

    as_served(model, lenient(written(description, folder)), random.table([random.row(odd=True) for _ in range(40)]))


@pytest.mark.parametrize("name", ["prediction", "Concat_0", "constant_0", "engine", "ü b"])
def test_a_column_may_be_called_as_anything_in_the_graph(name: str, tmp_path: Path) -> None:
    """An output gives way, and says in the signature what it is called then."""
    rows = table().rename_columns([name if each == "score" else each for each in table().column_names])
    spec = pipeline(candidates=["neural_network"]).model_dump(mode="json")
    columns = {name if each == "score" else each: column for each, column in spec["data"]["columns"].items()}
    model, asked = exported(Pipeline.model_validate(spec | {"data": {"columns": columns}}), rows, tmp_path)

    as_served(model, lenient(asked), rows)


def test_cells_are_read_as_interlock_reads_them(tmp_path: Path) -> None:
    """Spellings of booleans and integers, words for missing, a key that is given back; what does not fit is told."""
    spec = pipeline("binary").model_dump(mode="json")
    spec["data"] |= {"key": ["shape"], "csv": {"null_values": ["", "NA"]}}
    spec["data"]["rules"] = {"max_null_fraction": 0.5}
    model, asked = exported(Pipeline.model_validate(spec), table("binary"), tmp_path)
    file = tmp_path / "rows.csv"
    file.write_text(
        "\ufeffscore,count,open,color,shape,at,y\n"
        "3.5,7.0,Yes,red,round,2021-02-28T23:00:00+02:00,true\n"
        "NA,NA,NA,blue,,,false\n",
        encoding="utf-8",
    )
    answers = asked.predict(rows_of(file))
    read: list[dict[str, Any]] = [
        {"score": 3.5, "count": 7, "open": True, "color": "red", "shape": "round", "at": "2021-02-28T21:00:00Z"},
        {"score": None, "count": None, "open": None, "color": "blue", "shape": None, "at": None},
    ]

    assert np.allclose(scores(answers), model.predict_rows(read).scores, rtol=RELATIVE)
    assert [each["key"] for each in answers] == [{"shape": "round"}, {"shape": ""}]
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"score": "a lot"}, "row 0, column 'score': 'a lot' is not a number"),
        ({"sizes": 1}, "row 0: the model knows no column 'sizes'"),
    ]
    for wrong, why in wrongs:
        with pytest.raises(InvalidRowsError) as failed:
            asked.predict([read[0] | wrong])
        assert str(failed.value) == why
    with pytest.raises(InvalidRowsError, match="column 'color' is missing"):
        asked.predict([{name: cell for name, cell in read[0].items() if name != "color"}])


def test_the_page_says_how_each_column_is_encoded(tmp_path: Path) -> None:
    """The text for a missing category is none that the model knows; the graph carries the same signature."""
    exported(pipeline("multiclass"), table("multiclass"), tmp_path)
    page = (tmp_path / "export" / "README.md").read_text()
    stated = json.loads((tmp_path / "export" / "signature.json").read_text())

    assert {each["name"]: (each["tensor"], each["missing"]) for each in stated["inputs"]} == {
        "score": ("double", "NaN"),
        "count": ("double", "NaN"),
        "open": ("double", "NaN"),
        "color": ("string", ""),
        "shape": ("string", ""),
        "at": ("int64", -(2**63)),
    }
    assert "| `at` | datetime | int64 | `-9223372036854775808` |" in page
    assert 'of the labels "low", "mid", "top", in this order' in page
