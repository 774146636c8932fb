"""The form of a model with every type of feature, from the console's own files."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.canned import ORIGIN, answer
from tests.browser.conftest import errors_of
from tests.browser.looks import Looks
from tests.unit.ingest.validation.judging import judge

COLUMNS: dict[str, Any] = {
    "delay": {"type": "number"},
    "stops": {"type": "integer", "min": 0, "max": 4},
    "carrier": {"type": "category"},
    "late": {"type": "boolean"},
    "at": {"type": "datetime"},
    "price": {"type": "category"},
}
FILE = "delay,stops,carrier,late,at,price\n" + "".join(
    f"{n}.5,{n % 3},{'UA' if n % 3 else 'O Air'},{'true' if n % 4 else 'false'},2026-01-{n % 28 + 1:02},cheap\n"
    for n in range(30)
)
FEATURES = [
    {"name": name, "nullable": name == "delay", "min": None, "max": None, "values": None, **column}
    for name, column in COLUMNS.items()
    if name != "price"
]
ANSWER = {
    "id": "0b7c0a52-9f39-5b0c-a3c1-6e6f0a4b8f11",
    "version": 3,
    "predictions": ["cheap"],
    "probabilities": [{"dear": 0.17, "cheap": 0.83}],
    "warnings": ["row 0, carrier: 'L'Air' was not in the training data"],
}


def page_answers() -> dict[str, Any]:
    """Return what the gateway answers about the model."""
    profile = judge(FILE, COLUMNS, "price").result.profile
    signature = {"task": "classification", "target": "price", "features": FEATURES, "labels": ["cheap", "dear"]}
    return {
        "/gateway/v2/repository/index": [{"name": "fares", "version": "3", "state": "READY", "reason": ""}],
        "/gateway/models/fares/schema": {"info": {"title": "fares", "version": "3", "x-signature": signature}},
        "/gateway/models/fares/versions/3": {"datasets": ["d" * 64]},
        f"/gateway/datasets/fares/{'d' * 64}": {"profile": profile},
        "/gateway/models/fares/predict": ANSWER,
    }


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(base_url=ORIGIN)
    context.set_default_timeout(15_000)
    made = await context.new_page()
    errors = errors_of(made)
    await answer(made, page_answers())
    await made.goto("/try")
    yield made
    assert errors == []
    await context.close()


async def test_an_ordinary_row_of_every_type_is_filled_in_and_sent(page: Page, looks: Looks) -> None:
    """Medians and most frequent values stand there first; an empty field is null; a quote survives the terminal."""
    assert await page.get_by_label("delay").input_value() == "15"
    assert await page.get_by_label("carrier").locator("option").all_inner_texts() == ["UA", "O Air"]
    assert (await page.get_by_label("at", exact=True).input_value()).startswith("2026-01-28T00:00")
    await expect(page.get_by_text("integer · 0 to 4")).to_be_visible()
    await page.get_by_label("delay").fill("")
    async with page.expect_request("**/predict") as sent:
        await page.get_by_role("button", name="Predict price").click()

    request = await sent.value
    row = {"delay": None, "stops": 1, "carrier": "UA", "late": True, "at": "2026-01-28T00:00:00Z"}
    assert json.loads(request.post_data or "") == {"rows": [row]}
    assert (await request.header_value("traceparent") or "").endswith("-01")
    told = page.get_by_role("region", name="Prediction", exact=True)
    await expect(told.locator(".answer")).to_have_text("cheap")
    await expect(told).to_contain_text("was not in the training data")
    await expect(told.get_by_role("img", name="Probabilities")).to_be_visible()
    await looks.over(page, "form")


async def test_a_key_that_may_only_predict_needs_no_more(page: Page) -> None:
    """Nothing is asked that it would be refused; the form knows the declared values, not the file's."""
    await answer(page, {**page_answers(), "/session": {"name": "app", "scopes": ["predict"]}})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    await page.goto("/try/fares")
    await page.get_by_label("carrier").fill("UA")
    await page.get_by_role("button", name="Predict price").click()
    await expect(page.get_by_role("region", name="Prediction", exact=True).locator(".answer")).to_have_text("cheap")
    assert [path for path in asked if path.startswith(("/gateway", "/view"))] == [
        "/gateway/v2/repository/index",
        "/gateway/models/fares/schema",
        "/gateway/models/fares/predict",
    ]


async def test_a_model_without_a_version_says_what_to_do(page: Page) -> None:
    """Its name stands in the choice, and the gateway's reason below."""
    await page.goto("/try/others")
    await expect(page.get_by_role("heading", name="No version of others is serving yet")).to_be_visible()
    assert await page.get_by_label("Model").locator("option").all_inner_texts() == ["others", "fares"]


async def test_a_page_with_charts_is_at_most_fifteen_requests(page: Page) -> None:
    """Their libraries come with the first page that draws, from an empty cache."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    await page.reload()
    await expect(page.get_by_role("button", name="Predict price")).to_be_visible()
    assert any(each.endswith("/vendor/plot.js") for each in asked)
    assert len(set(asked)) <= 15, asked


async def test_a_fault_stands_at_its_field(page: Page) -> None:
    """The refusal's words are told as a whole and beside what they are about, until it is changed."""

    async def refuse(route: Route) -> None:
        fault = {"row": 0, "column": "stops", "message": "9 is too many"}
        body = {"status": 422, "title": "The rows do not fit the model", "detail": "row 0", "errors": [fault]}
        await route.fulfill(status=422, json=body)

    await page.route("**/predict", refuse)
    await page.get_by_role("button", name="Predict price").click()
    await expect(page.get_by_role("alert")).to_contain_text("The rows do not fit the model")
    stops = page.get_by_label("stops")
    await expect(stops).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#field-stops-about")).to_have_text("9 is too many")
    await stops.fill("2")
    await expect(page.get_by_role("alert")).to_have_count(0)
