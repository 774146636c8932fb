import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interlock_contracts.refs import ArtifactRef
from interlock_modeling import InvalidRowsError, Model, ModelDescription, ModelFormatError
from interlock_modeling.engines import Engine, LinearEngine
from interlock_modeling.served import EngineRef
from interlock_modeling.signature import ModelSignature

from tests.unit.modeling.tables import ENCODER, ROW, signature, table

WIDTH = len(ENCODER.names)
REGRESSION = LinearEngine(np.arange(1.0, WIDTH + 1)[None], np.array([0.5]), "identity")
LABELED = signature().model_copy(update={"task": "classification", "labels": ["no", "yes"]})
BINARY = LinearEngine(np.full((1, WIDTH), -1e-6), np.array([0.0]), "logistic")


def description(of: ModelSignature, engine: Engine) -> ModelDescription:
    ref = EngineRef(kind=engine.kind, version=engine.version, ref=ArtifactRef(sha256="0" * 64, bytes=1))
    return ModelDescription(signature=of, encoder=ENCODER, engine=ref)


def load(of: ModelSignature, engine: Engine, folder: Path) -> Model:
    engine.save(folder / "engine")
    stored = description(of, engine).model_dump_json().encode()
    return Model.load(ModelDescription.parse(stored), folder / "engine")


def test_a_regression_answers_numbers(tmp_path: Path) -> None:
    """Rows and tables get the same numbers, and there are no probabilities."""
    model = load(signature(), REGRESSION, tmp_path)

    answer = model.predict_rows([ROW, ROW | {"size": 7.0, "color": "blue"}])
    measured = model.predict_table(table([ROW, ROW | {"size": 7.0, "color": "blue"}]))

    assert answer.probabilities is None
    assert answer.values == measured.values == answer.scores.tolist()
    assert [warning.column for warning in answer.warnings] == ["color"]
    json.dumps(answer.values)


cells = {
    "size": st.sampled_from([4.0, -1.0, 250.5, 100.0]),
    "count": st.sampled_from([2, 3_000_000]),
    "color": st.sampled_from(["red", "blue", "violet", None]),
}


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.fixed_dictionaries(cells), min_size=1, max_size=5), st.sets(st.sampled_from(["open", "at"])))
def test_a_table_of_a_request_gets_the_warnings_of_its_rows(
    tmp_path: Path, rows: list[dict[str, Any]], absent: set[str]
) -> None:
    """Word for word and in the same order, whichever protocol the rows came in."""
    model = load(signature(), REGRESSION, tmp_path)
    sent = [{name: cell for name, cell in (ROW | row).items() if name not in absent} for row in rows]
    asked = model.predict_rows(sent)
    answered = model.predict_request(table([ROW | row | dict.fromkeys(absent) for row in rows]), absent)

    assert answered.warnings == asked.warnings
    assert answered.values == asked.values


def test_a_table_without_rows_warns_of_nothing(tmp_path: Path) -> None:
    """There is no first row that lacks a column."""
    model = load(signature(), REGRESSION, tmp_path)

    assert model.predict_request(table([ROW]).slice(0, 0), {"at"}).warnings == []


def test_a_classification_answers_labels_with_probabilities(tmp_path: Path) -> None:
    """The value is the label with the highest probability, as it stands in the data."""
    answer = load(LABELED, BINARY, tmp_path).predict_rows([ROW, ROW | {"count": 3_000_000}])

    assert answer.values == ["yes", "no"]
    assert answer.probabilities is not None
    assert answer.probabilities.shape == (2, 2)
    assert [("no", "yes")[best] for best in answer.probabilities.argmax(axis=1)] == answer.values


def test_a_row_without_a_finite_answer_is_refused(tmp_path: Path) -> None:
    """JSON has no infinity, and an infinite prediction would mean nothing."""
    model = load(signature(), REGRESSION, tmp_path)

    with pytest.raises(InvalidRowsError, match=r"row 1.*too large"):
        model.predict_rows([ROW, ROW | {"size": 1.7e308}])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": 2}, "format"),
        ({"engine": None}, "engine"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_description_of_another_format_is_refused(change: dict[str, Any], reason: str) -> None:
    """What is not understood in full is not served."""
    stored = description(signature(), REGRESSION).model_dump(mode="json") | change

    with pytest.raises(ModelFormatError, match=reason):
        ModelDescription.parse(json.dumps(stored).encode())
    with pytest.raises(ModelFormatError):
        ModelDescription.parse(json.dumps(stored).encode()[:-5])


@pytest.mark.parametrize(
    ("of", "engine", "reason"),
    [
        (signature(), LinearEngine(np.ones((1, 2)), np.ones(1), "identity"), "the engine takes 2"),
        (signature(), BINARY, "do not fit the signature's task"),
        (LABELED, REGRESSION, "do not fit the signature's task"),
    ],
)
def test_parts_that_do_not_fit_are_refused_at_load(
    of: ModelSignature, engine: Engine, reason: str, tmp_path: Path
) -> None:
    """A mismatch is found before the first request, not by it."""
    with pytest.raises(ModelFormatError, match=reason):
        load(of, engine, tmp_path)


@pytest.mark.parametrize(("transform", "inverse"), [("log1p", np.expm1), ("log", np.exp)])
def test_a_transformed_target_is_answered_in_its_own_unit(transform: Any, inverse: Any, tmp_path: Path) -> None:
    """By rows, tables and the engine that batches ask; what is too large for a number has no answer."""
    small = LinearEngine(REGRESSION.coefficients / 1e4, np.array([0.5]), "identity")
    plain = load(signature(), small, tmp_path)
    model = load(signature().model_copy(update={"transform": transform}), small, tmp_path)
    matrix = np.random.default_rng(1).normal(size=(9, WIDTH))

    assert np.array_equal(model.engine.predict(matrix), inverse(plain.engine.predict(matrix)))
    assert model.predict_rows([ROW]).values == [inverse(plain.predict_rows([ROW]).values[0])]
    assert model.predict_table(table([ROW] * 2)).values == model.predict_rows([ROW] * 2).values
    with pytest.raises(InvalidRowsError, match=r"row 1.*too large"):
        model.predict_rows([ROW, ROW | {"size": 1e9}])


def test_a_classification_has_no_transformed_target(tmp_path: Path) -> None:
    """A probability is in no unit."""
    with pytest.raises(ModelFormatError, match="target is not transformed"):
        load(LABELED.model_copy(update={"transform": "log"}), BINARY, tmp_path)
