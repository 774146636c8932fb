"""The pages of models with versions of every kind, from the console's own files."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Request, expect

from tests.browser.canned import ORIGIN, answer
from tests.browser.conftest import errors_of
from tests.browser.looks import Looks
from tests.browser.reports import answers, report, version

MODEL = "flights"
READER = {"/session": {"name": "bob", "scopes": ["read"]}}
PROMOTER = {"/session": {"name": "ada", "scopes": ["read", "promote"]}}
DRAWN = "figure.chart svg"

THREE = [
    version(MODEL, 1, "retired", report(None)),
    version(MODEL, 2, "champion", report(None, against=1, seed=1)),
    version(MODEL, 3, "passed", report(None, against=2, seed=2)),
]


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(base_url=ORIGIN)
    context.set_default_timeout(15_000)
    made = await context.new_page()
    errors = errors_of(made)
    yield made
    assert errors == []
    await context.close()


async def test_models_tell_what_serves_where_and_what_waits(page: Page, looks: Looks) -> None:
    """A worker that could not load a version is seen at once, and so is a version that waits for somebody."""
    await answer(page, answers(MODEL, THREE, champion=2))
    await page.goto("/models")
    row = page.get_by_role("row", name=MODEL)

    await expect(row).to_contain_text("1 of 2 workers")
    await expect(row).to_contain_text("awaiting approval")
    await looks.over(page, "models")
    await row.get_by_role("link", name=MODEL, exact=True).click()
    await expect(page.get_by_text("the engine is forest 9")).to_be_visible()
    await expect(page.locator(DRAWN)).to_have_count(1)
    await expect(page.get_by_role("region", name="Promotions, newest first").get_by_role("row")).to_have_count(3)
    await looks.over(page, "model")


async def test_the_list_of_models_is_one_request_however_many_there_are(page: Page) -> None:
    """What serves in how many workers, and what waits, stands in the list itself."""
    (listed,) = answers(MODEL, THREE, champion=2)["/gateway/models"]
    await answer(page, {"/gateway/models": [{**listed, "name": f"flights-{place}"} for place in range(60)]})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/gateway/" in request.url else None)
    await page.goto("/models")

    await expect(page.get_by_role("row")).to_have_count(61)
    await expect(page.get_by_role("row", name="flights-59")).to_contain_text("1 of 2 workers")
    assert asked == [f"{ORIGIN}/gateway/models"]


@pytest.mark.parametrize(
    ("labels", "drawn"),
    [
        (None, ["Predicted against actual", "Residuals"]),
        ([False, True], ["ROC: true", "Precision and recall: true", "Calibration", "Confusion matrix"]),
        (
            [f"label {place}" for place in range(30)],
            ["ROC: the 10 most frequent", "Precision and recall: the 10", "Calibration", "11 rarest labels"],
        ),
    ],
)
async def test_a_verdict_is_drawn(page: Page, looks: Looks, labels: Any, drawn: list[str]) -> None:
    """Regression, two labels, many labels: each has its plots, and each plot its caption and table."""
    told = version(MODEL, 3, "passed", report(labels, against=2))
    await answer(page, answers(MODEL, [*THREE[:2], told], champion=2))
    await page.goto(f"/models/{MODEL}/versions/3")

    drawn = [
        *drawn,
        "confidence the gain",
        "by color (rows), the weakest first; lines: 95 % interval; 3 more",
        "Permutation importance: how much worse",
        "Cross-validation",
        "by trial",
        "Parameters of the trials",
        "Learning curve",
    ]
    for words in drawn:
        await expect(page.locator("figcaption").filter(has_text=words)).to_be_visible()
    await expect(page.locator(DRAWN).first).to_be_visible()
    assert await page.locator("figure.chart").count() == len(drawn)
    assert await page.get_by_role("region", name="Precision and recall by label").count() == (labels is not None)
    assert await page.get_by_text("Show as table").count() == len(drawn)
    await page.get_by_text("Show as table").nth(1).click()
    await expect(page.locator("figure.chart details td").first).to_be_visible()
    await expect(page.get_by_role("list", name="From data to workers")).to_contain_text("900 rows, 2 features")
    await looks.over(page, f"version-{len(labels or [])}-labels")


async def test_an_approval_is_asked_for_before_it_is_done(page: Page, looks: Looks) -> None:
    """The question says what it does and under whose name; nothing is sent before the second click."""
    path = f"/gateway/models/{MODEL}/versions/3/approve"
    await answer(page, answers(MODEL, THREE, champion=2) | PROMOTER | {path: {"promoted": True}})
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    await page.goto(f"/models/{MODEL}/versions/3")

    await page.get_by_role("button", name="Approve…").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("replaces version 2")
    await expect(dialog).to_contain_text("under your name, ada")
    await looks.over(page, "approve")
    await page.keyboard.press("Escape")
    await expect(dialog).not_to_be_visible()
    assert sent == []
    await page.get_by_role("button", name="Approve…").click()
    await dialog.get_by_role("button", name="Approve version 3").click()
    await expect(page.get_by_role("status").filter(has_text="Version 3 is promoted")).to_be_visible()
    assert [request.url.removeprefix(ORIGIN) for request in sent] == [path]


async def test_whoever_may_only_read_decides_nothing(page: Page) -> None:
    """The buttons are there, and say which scope they need."""
    await answer(page, answers(MODEL, THREE, champion=2) | READER)
    await page.goto(f"/models/{MODEL}/versions/3")
    approve = page.get_by_role("button", name="Approve…")

    await expect(approve).to_be_disabled()
    await expect(approve).to_have_attribute("title", "Requires a key with the scope promote")


@pytest.mark.parametrize(
    ("a", "b", "told", "judged"),
    [(2, 3, "The gate compared these two versions", 5), (1, 3, "may come from the data, not the model", 0)],
)
async def test_better_is_said_only_of_the_same_rows(page: Page, a: int, b: int, told: str, judged: int) -> None:
    """What differs in data and parameters is listed; numbers of different holdouts are shown, and not judged."""
    await answer(page, answers(MODEL, THREE, champion=2))
    await page.goto(f"/models/{MODEL}/compare?a={a}&b={b}")

    await expect(page.get_by_text(told)).to_be_visible()
    assert await page.get_by_text("with 95 % confidence above").count() == (judged > 0)
    await expect(page.get_by_role("region", name="Parameters: differences")).to_contain_text("max_depth")
    assert await page.locator(".better, .worse").count() == judged


async def test_two_versions_are_chosen_in_the_list(page: Page, looks: Looks) -> None:
    """The older one stands on the left, whichever was chosen first."""
    await answer(page, answers(MODEL, THREE, champion=2))
    await page.goto(f"/models/{MODEL}")
    for number in (3, 1):
        await page.get_by_role("checkbox", name=f"Compare version {number}").check()
    await page.get_by_role("button", name="Compare v1 with v3").click()

    await page.wait_for_url(f"{ORIGIN}/models/{MODEL}/compare?a=1&b=3")
    await expect(page.get_by_role("heading", name="Compare versions")).to_be_visible()
    await looks.over(page, "compare")

    await page.set_viewport_size({"width": 375, "height": 800})
    table = page.get_by_role("region", name="Metrics on each version's own holdout")
    assert await table.evaluate("table => (table.scrollLeft = 200, table.scrollLeft)") > 0
    name, whole = await table.get_by_role("cell", name="RMSE").bounding_box(), await table.bounding_box()
    assert name is not None
    assert whole is not None
    assert name["x"] == pytest.approx(whole["x"], abs=2), "the names of metrics stay in sight"


async def test_a_report_of_an_older_gate_and_one_of_a_broken_candidate_are_read(page: Page) -> None:
    """What they do not have is left out, and said where it would be missed."""
    old = {"passed": True, "reasons": ["good"], "rows": 9, "metrics": {"r2": 0.7}, "slices": {}, "champion": None}
    broken = {"passed": False, "reasons": ["the candidate cannot be evaluated: its engine is forest 9"]}
    both = [version(MODEL, 1, "champion", old), version(MODEL, 2, "refused", broken)]
    await answer(page, answers(MODEL, both, champion=1))

    await page.goto(f"/models/{MODEL}/versions/1")
    await expect(page.get_by_text("recorded no plot data")).to_be_visible()
    await page.goto(f"/models/{MODEL}/versions/2")
    await expect(page.get_by_text("cannot be evaluated")).to_be_visible()
    await page.goto(f"/models/{MODEL}/compare?a=1&b=2")
    await expect(page.get_by_text("version 2 has not been measured")).to_be_visible()


async def test_where_there_is_nothing_the_next_command_is_named(page: Page, looks: Looks) -> None:
    """No model, no version, no pair to compare."""
    await answer(page, answers(MODEL, []) | {"/gateway/models": []})

    for address, command in (
        ("/models", "interlock apply pipeline.yaml"),
        (f"/models/{MODEL}", f"interlock ingest {MODEL} data.csv"),
        (f"/models/{MODEL}/compare", f"interlock retrain {MODEL}"),
    ):
        await page.goto(address)
        await expect(page.get_by_text(command, exact=True)).to_be_visible()
    await looks.over(page, "models-nothing")
