"""What turned out to be true, on its way in."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from interlock_gateway.inference.feedback import checked
from litestar.plugins.problem_details import ProblemDetailsException

from tests.support.gateway_app import Door, opened
from tests.support.stored_models import CLASSIFICATION, REGRESSION, put_model

ROW = "0f8fad5b-d9cb-469f-a165-70867728950e/0"
CODED = CLASSIFICATION.model_copy(update={"labels": ["10001", "94103"]})
COUNTED = CLASSIFICATION.model_copy(update={"labels": [0, 1, 2]})


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(tmp_path) as door:
        yield door


def entry(actual: Any, prediction: Any = ROW) -> dict[str, Any]:
    return {"prediction": prediction, "actual": actual}


@pytest.mark.parametrize(
    ("signature", "actual", "kept"),
    [
        (REGRESSION, 3, 3),
        (REGRESSION, 2.5, 2.5),
        (CLASSIFICATION, True, True),
        (COUNTED, 1, 1),
        (COUNTED, 1.0, 1),
        (COUNTED, "1.0", 1),
        (REGRESSION, "3.5", 3.5),
        (CLASSIFICATION, "yes", True),
        (CLASSIFICATION, 0, False),
        (CODED, 94103, "94103"),
        (None, "red", "red"),
        (None, 1.5, 1.5),
    ],
)
def test_what_fits_the_target_is_taken(signature: Any, actual: Any, kept: Any) -> None:
    """By the table of spellings: an actual value is written as it is in the files of the training."""
    (feedback,), warnings = checked([entry(actual)], signature)

    assert (feedback.prediction, feedback.actual, type(feedback.actual)) == (ROW, kept, type(kept))
    assert not warnings


@pytest.mark.parametrize(
    ("signature", "wrong", "field", "words"),
    [
        (REGRESSION, entry("many"), "actual", "a number"),
        (REGRESSION, entry(True), "actual", "a number"),
        (REGRESSION, entry(None), "actual", "a number"),
        (REGRESSION, entry(10**400), "actual", "finite"),
        (CLASSIFICATION, entry("maybe"), "actual", "a label such as False, True"),
        (CLASSIFICATION, entry(2), "actual", "a label such as False, True"),
        (COUNTED, entry(1.5), "actual", "a label such as 0, 1, 2"),
        (None, entry({"a": 1}), "actual", "a number or a label"),
        (None, entry("a\0b"), "actual", "NUL"),
        (REGRESSION, {"prediction": ROW}, "actual", "missing"),
        (REGRESSION, {"actual": 1}, "prediction", "missing"),
        (REGRESSION, entry(1, "0f8fad5b"), "prediction", "<id>/<i>"),
        (REGRESSION, entry(1, 7), "prediction", "<id>/<i>"),
        (REGRESSION, entry(1) | {"when": 1}, "when", "no such field"),
    ],
)
def test_what_does_not_fit_is_refused_with_row_and_field(
    signature: Any, wrong: dict[str, Any], field: str, words: str
) -> None:
    """And the problem names what would be right."""
    with pytest.raises(ProblemDetailsException) as refused:
        checked([entry(True if signature is CLASSIFICATION else 1), wrong], signature)

    assert refused.value.status_code == 422
    assert isinstance(refused.value.extra, dict)
    (fault,) = refused.value.extra["errors"]
    assert (fault["row"], fault["field"]) == (1, field)
    assert words in fault["message"]


def test_a_label_that_the_model_does_not_know_counts_and_is_told() -> None:
    """A class that training never saw is just what live quality should show."""
    (feedback,), (warning,) = checked([entry(7)], COUNTED)

    assert feedback.actual == 7
    assert (warning.row, warning.field) == (0, "actual")


async def test_feedback_about_a_model_that_nobody_knows_is_404(door: Door) -> None:
    """A misspelt name is told, not kept."""
    answer = await door.http.post("/models/nobody/feedback", json={"feedback": [entry(1)]})

    assert answer.status_code == 404
    assert "nobody" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("signature", "status"), [(REGRESSION.model_dump(mode="json"), 422), ({"newer": True}, 503), (None, 503)]
)
async def test_a_model_that_is_not_loaded_is_known_by_the_registrys_signature(
    door: Door, signature: dict[str, Any] | None, status: int
) -> None:
    """So a text that is no number is refused; without a signature it goes to the bus, which is down here."""
    door.behind.pipelines.add("flights")
    if signature is not None:
        door.behind.signatures["flights"] = signature
    answer = await door.http.post("/models/flights/feedback", json={"feedback": [entry("many")]})

    assert answer.status_code == status


async def test_without_the_bus_nothing_is_acknowledged(door: Door) -> None:
    """A 202 means that it is on the bus; who gets a 503 tries again."""
    door.behind.promote(put_model(door.store, 1), seq=1)
    await door.serves(1)
    answer = await door.http.post("/models/flights/feedback", json={"feedback": [entry(1)]})
    wrong = await door.http.post("/models/flights/feedback", json={"feedback": [entry("x")]})
    shapeless = await door.http.post("/models/flights/feedback", json={"feedback": []})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert wrong.status_code == 422
    assert wrong.json()["errors"] == [{"row": 0, "field": "actual", "message": "must be a number"}]
    assert shapeless.status_code == 400
