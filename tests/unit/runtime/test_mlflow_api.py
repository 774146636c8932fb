"""MLflow's API: pages, and errors in its form."""

import pytest
from interlock_contracts.mlflow import MlflowTag
from interlock_runtime.mlflow_api import MOST, page_of, tags_of
from litestar.plugins.problem_details import ProblemDetailsException


def test_pages_follow_one_another() -> None:
    """Each token begins where the page before ended; the last page has none."""
    rows, seen, token = list(range(7)), [], ""
    for _ in range(3):
        page = page_of(token, 3)
        shown, token = page.cut(rows[page.offset : page.offset + page.limit + 1])
        seen.append(list(shown))

    assert seen == [[0, 1, 2], [3, 4, 5], [6]]
    assert token == ""


def test_a_page_has_a_limit() -> None:
    """Clients ask for ten thousand by default, and go on with the token."""
    assert page_of(None, 10_000).limit == page_of(None, None).limit == MOST


@pytest.mark.parametrize("token", ["nonsense", "é", "LTE=", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", "4pGg", "="])
def test_a_token_of_somebody_else_is_refused(token: str) -> None:
    """Not base64, no number, negative, too large for the database, a digit of another kind."""
    with pytest.raises(ProblemDetailsException) as caught:
        page_of(token, None)

    assert (caught.value.status_code, "page_token" in caught.value.detail) == (400, True)


@pytest.mark.parametrize("most", [0, -1])
def test_a_page_of_nothing_is_refused(most: int) -> None:
    """A client that pages would never end."""
    with pytest.raises(ProblemDetailsException) as caught:
        page_of(None, most)

    assert caught.value.detail == f"max_results is {most}; it must be at least 1"


def test_tags_without_a_value_are_left_out() -> None:
    """What has none is no tag; the others are texts, by name."""
    assert tags_of({"b": 2, "c": None}, {"a": ""}) == [MlflowTag(key="a", value=""), MlflowTag(key="b", value="2")]
