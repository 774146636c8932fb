"""Models that MLflow has saved: served as the original answers, or refused with what would be right."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pytest
import xgboost
from interlock_artifacts import MemoryStore
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.training import TrainingJob
from interlock_modeling import Model, ModelDescription
from interlock_trainer.imports.importing import run
from interlock_trainer.progress import Progress

from tests.support.mlflow_folders import ANSWERS, COLUMNS, archive, files_of, pipeline, table
from tests.support.training_jobs import job

MODELS = list(ANSWERS["answers"])


def imported(
    files: Mapping[str, bytes], of: Pipeline, rows: pa.Table, store: MemoryStore | None = None
) -> TrainingManifest:
    """Import a folder's files for a pipeline with these training rows; return the manifest."""
    store = store or MemoryStore()
    asked = job(store, of, rows)
    asked = TrainingJob.model_validate(asked.model_dump() | {"imported": store.put(archive(files))})
    return run(asked, store, Progress(store, asked.prefix))


def kind_of(name: str) -> str:
    return name.rpartition("_")[2]


def taken_by(name: str) -> Mapping[str, Any]:
    """Return the columns of a pipeline that the model fits: one without names takes all features."""
    return {each: COLUMNS[each] for each in ("count", "score")} if name == "onnx_multiclass" else COLUMNS


@pytest.mark.parametrize("name", MODELS)
def test_an_imported_model_answers_as_its_original_library(name: str, tmp_path: Path) -> None:
    """Within 1e-5 of what scikit-learn or XGBoost answered where it was saved; one column is not its own."""
    store, kind = MemoryStore(), kind_of(name)

    manifest = imported(files_of(name), pipeline(kind, columns=taken_by(name)), table(kind), store)

    assert manifest.reason is None
    assert manifest.artifact is not None
    description = ModelDescription.parse(store.fetch(manifest.artifact))
    store.fetch_file(description.engine.ref, tmp_path / "engine")
    model = Model.load(description, tmp_path / "engine")
    found = model.predict_rows(ANSWERS["rows"])
    np.testing.assert_allclose(found.scores, ANSWERS["answers"][name], rtol=1e-5, atol=1e-5)
    assert not found.warnings


@pytest.mark.parametrize(
    ("name", "engine"), [("xgboost_regression", "forest 2"), ("onnx_network_regression", "onnx 1")]
)
def test_the_manifest_says_that_it_is_imported_and_from_what(name: str, engine: str) -> None:
    """Flavour, digest of the upload, MLflow's own ids, columns left aside; nothing of folds, trials and rows fitted."""
    manifest = imported(files_of(name), pipeline(), table())

    assert manifest.imported is not None
    assert manifest.winner == f"imported {manifest.imported.flavour}"
    assert manifest.engine == engine
    assert manifest.imported.digest == MemoryStore().put(archive(files_of(name))).sha256
    assert manifest.imported.ignored == ["color"]
    assert manifest.imported.mlflow_version == "3.17.2"
    assert manifest.imported.model_id is not None
    assert (manifest.rows, manifest.score, manifest.trials, manifest.candidates) == (None, None, [], [])
    assert manifest.export_check is not None
    assert manifest.export_check.max_rel < 1e-5
    assert [span.name for span in manifest.spans] == ["train", "read", "export"]


def test_a_request_must_have_the_columns_that_the_model_takes() -> None:
    """The pipeline lets a cell be missing, but nobody knows what the imported model would say then."""
    store = MemoryStore()
    manifest = imported(files_of("xgboost_regression"), pipeline(), table(), store)
    assert manifest.artifact is not None
    signature = ModelDescription.parse(store.fetch(manifest.artifact)).signature

    assert [(each.name, each.nullable, each.optional) for each in signature.features] == [
        ("count", False, False),
        ("score", False, False),
    ]


def replaced(old: str, new: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: files | {"MLmodel": files["MLmodel"].replace(old.encode(), new.encode())}


def trees(old: str, new: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: files | {"model.json": files["model.json"].replace(old.encode(), new.encode(), 1)}


def graph(change: Callable[[onnx.ModelProto], object]) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    def changed(files: dict[str, bytes]) -> dict[str, bytes]:
        model = onnx.load_model_from_string(files["model.onnx"])
        change(model)
        return files | {"model.onnx": model.SerializeToString()}

    return changed


def _two_rows(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2


def _texts(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.STRING


def _elsewhere(model: onnx.ModelProto) -> None:
    external = next(each for each in model.graph.initializer if each.external_data)
    next(each for each in external.external_data if each.key == "location").value = "../archive"


def _foreign(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "com.example"
    model.opset_import.append(onnx.helper.make_opsetid("com.example", 1))


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("xgboost_regression", replaced("xgboost:\n", "sklearn:\n"), "python_function, sklearn: only onnx and xgboost"),
        ("xgboost_regression", replaced("data: model.ubj", "data: ../model.ubj"), "a file in the folder"),
        ("xgboost_regression", replaced("data: model.ubj", "data: model.pkl"), "pickled objects"),
        ("xgboost_regression", replaced("data: model.ubj", "data: other.ubj"), "'other.ubj', which is not there"),
        ("xgboost_regression", lambda files: files | {"model.ubj": b"binf\0\0"}, "neither JSON nor UBJSON"),
        ("xgboost_regression", lambda files: files | {"model.ubj": b"{\0\0"}, "XGBoost cannot read model.ubj"),
        ("xgboost_regression", replaced('"score"', '"scores"'), "the signature in MLmodel names 'count', 'scores'"),
        ("xgboost_regression", replaced('"type": "long"', '"type": "string"'), "input 'count' has the type string"),
        ("xgboost_binary", trees("binary:logistic", "binary:logitraw"), "objective binary:logitraw for a class"),
        ("onnx_columns_regression", graph(_two_rows), "takes exactly 2 rows"),
        ("onnx_columns_regression", graph(_texts), "'count' is no tensor of numbers"),
        ("onnx_columns_regression", lambda files: files | {"model.onnx": b"no graph"}, "no ONNX graph"),
        ("onnx_network_regression", graph(_elsewhere), "no ONNX graph with all its files"),
        ("onnx_network_regression", graph(_foreign), "ONNX Runtime refuses the graph"),
    ],
)
def test_what_is_not_imported_is_refused_in_words(
    name: str, change: Callable[[dict[str, bytes]], dict[str, bytes]], why: str
) -> None:
    """The manifest says that it failed and why; nothing of it is run, read outside of its folder, or served."""
    kind = kind_of(name)
    manifest = imported(change(files_of(name)), pipeline(kind), table(kind))

    assert manifest.status == "failed"
    assert why in (manifest.reason or "")


def as_type(kind: str, **more: Any) -> dict[str, Any]:
    return {**COLUMNS, "count": {"type": kind, **more}}


@pytest.mark.parametrize(
    ("name", "of", "why"),
    [
        (
            "xgboost_regression",
            pipeline(columns={"score": {"type": "number"}}),
            "the model takes 'count'; the pipeline's",
        ),
        ("onnx_network_regression", pipeline(columns=as_type("category")), "'count', which is of the type category"),
        ("xgboost_regression", pipeline("binary"), "objective reg:squarederror for a classification"),
        ("xgboost_binary", pipeline(), "objective binary:logistic for a regression"),
        ("xgboost_binary", pipeline("multiclass"), "knows 2 classes, the pipeline's target has 3 labels"),
        ("onnx_columns_regression", pipeline("multiclass"), "3 probabilities a row"),
        ("onnx_multiclass", pipeline(), "exactly one must be a tensor of floats: the number"),
        ("onnx_multiclass", pipeline("binary"), "the model's classes are 0, 1, 2; expected are the labels false, true"),
        (
            "xgboost_regression",
            pipeline(columns=as_type("integer", monotone="increasing"), training={"candidates": ["xgboost"]}),
            "monotone",
        ),
    ],
)
def test_a_model_that_does_not_fit_the_pipeline_is_refused_with_what_would(name: str, of: Pipeline, why: str) -> None:
    """Columns, their types, task and labels."""
    kind = (
        "regression"
        if of.task == "regression"
        else ("binary" if of.data.columns["y"].type == "boolean" else "multiclass")
    )
    rows = table(kind)
    if of.data.columns.get("count") and of.data.columns["count"].type == "category":
        rows = rows.set_column(1, "count", rows.column("count").cast(pa.string()))

    manifest = imported(files_of(name), of, rows)

    assert manifest.status == "failed"
    assert why in (manifest.reason or "")


def test_missing_cells_in_the_columns_of_the_model_are_refused() -> None:
    """XGBoost sends them its own way, which the served trees do not know."""
    rows = table()
    count = pa.array([None, *rows.column("count").to_pylist()[1:]], pa.int64())
    manifest = imported(files_of("xgboost_regression"), pipeline(), rows.set_column(1, "count", count))

    assert manifest.reason is not None
    assert "column 'count' is missing in 1 of 300 training rows" in manifest.reason


def test_a_model_with_one_tensor_takes_the_features_in_their_declared_order() -> None:
    """Without names there is no other order; one number too few is a refusal."""
    files = files_of("onnx_multiclass")
    fits = {name: COLUMNS[name] for name in ("count", "score")}

    assert imported(files, pipeline("multiclass", columns=fits), table("multiclass")).status == "succeeded"
    more = imported(
        files,
        pipeline("multiclass", columns=fits | {"extra": {"type": "number"}}),
        table("multiclass").append_column("extra", pa.array([1.0] * 300)),
    )
    assert "the model takes 2 numbers of a row, but there are 3 columns" in (more.reason or "")


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"booster": "dart"}, "a booster of the kind dart"),
        ({"booster": "gblinear"}, "a booster of the kind gblinear"),
        ({"multi_strategy": "multi_output_tree", "tree_method": "hist"}, "several numbers in a leaf"),
        ({"objective": "reg:gamma"}, "objective reg:gamma for a regression"),
    ],
)
def test_boosters_that_are_not_served_are_refused(parameters: dict[str, Any], why: str, tmp_path: Path) -> None:
    """Whatever XGBoost itself can read."""
    matrix = table().select(["count", "score"]).to_pandas().to_numpy()
    target = np.abs(matrix[:, 0]) + 1.0
    several = np.column_stack((target, target)) if "multi_strategy" in parameters else target
    fitted = xgboost.XGBRegressor(n_estimators=3, n_jobs=1, **parameters).fit(matrix, several)
    fitted.save_model(tmp_path / "model.ubj")
    files = files_of("xgboost_regression") | {"model.ubj": (tmp_path / "model.ubj").read_bytes()}

    assert why in (imported(files, pipeline(), table()).reason or "")


def test_early_stopping_of_the_scikit_learn_wrapper_counts(tmp_path: Path) -> None:
    """Trees after the best iteration are in the file, but not in the wrapper's answers."""
    rng = np.random.default_rng(1)
    matrix, noise = rng.normal(size=(200, 2)), rng.normal(size=200)
    frame = {"count": matrix[:, 0], "score": matrix[:, 1]}
    fitted = xgboost.XGBRegressor(n_estimators=40, early_stopping_rounds=3, learning_rate=0.9, n_jobs=1)
    fitted.fit(matrix[:100], noise[:100], eval_set=[(matrix[100:], noise[100:])], verbose=False)
    fitted.save_model(tmp_path / "model.ubj")
    assert fitted.best_iteration + 1 < fitted.get_booster().num_boosted_rounds()
    columns = {"count": {"type": "number"}, "score": {"type": "number"}}
    rows = pa.table({**{name: pa.array(cells) for name, cells in frame.items()}, "y": pa.array(noise)})
    files = files_of("xgboost_regression") | {"model.ubj": (tmp_path / "model.ubj").read_bytes()}
    store = MemoryStore()

    manifest = imported(files, pipeline(columns=columns), rows, store)

    assert manifest.artifact is not None, manifest.reason
    description = ModelDescription.parse(store.fetch(manifest.artifact))
    store.fetch_file(description.engine.ref, tmp_path / "engine")
    found = Model.load(description, tmp_path / "engine").predict_table(rows).scores
    np.testing.assert_allclose(found, fitted.predict(matrix), rtol=1e-5, atol=1e-5)
