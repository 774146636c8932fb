"""The list of runs with its metrics, its order and who asked; and several runs side by side, from made answers."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from interlock_contracts.console import RunLanes, RunLine, RunsView
from playwright.async_api import Page, expect

from tests.browser.canned import ORIGIN, answer
from tests.browser.looks import Looks

NOW = datetime.now(UTC)
IDS = [f"7f00000{place}-0000-4000-8000-000000000000" for place in range(3)]
PIPELINES = [
    {
        "name": "flights",
        "spec": {"gate": {"champion": {"metric": "r2"}, "metrics": {"rmse": {"max": 20}}}, "task": "regression"},
    }
]


def run(place: int, **changes: Any) -> RunLine:
    """Return a run, ``place`` hours old."""
    begin = NOW - timedelta(hours=place + 1)
    known: dict[str, Any] = {
        "run_id": IDS[place],
        "model": "flights",
        "state": "succeeded",
        "outcome": "promoted",
        "cause": "retrain.requested",
        "requested": begin,
        "started": begin,
        "ended": begin + timedelta(seconds=30 + place),
        "version": place + 1,
    }
    return RunLine.model_validate(known | changes)


ASKED = run(
    0,
    requested_by="ada",
    request_reason="the first month",
    tags={"team": "pricing", "audited": ""},
    metrics={"r2": 0.9912, "rmse": 6.431, "mae": 4.2, "bias": 0},
)
REFUSED = run(
    1, state="refused", outcome="refused", reason="r2 is 0.81, required at least 0.9",
    metrics={"r2": 0.81, "rmse": 21.0}, requested_by="event//my/cron",
)  # fmt: skip
FAILED = run(2, state="failed", outcome="none", version=None, reason="out of memory", cause="dataset.ingested")
RUNS = [ASKED, REFUSED, FAILED]


def version(number: int, *, rows: int = 5359, winner: str, **params: Any) -> dict[str, Any]:
    return {
        "model": "flights",
        "version": number,
        "stage": "champion",
        "datasets": ["a" * 64],
        "report": {"rows": rows},
        "details": {
            "winner": winner,
            "params": params,
            "rows": 21039,
            "seed": 7,
            "commit": "4f2c1d0",
            "packages": {"scikit-learn": "1.7.2"},
        },
    }


ANSWERS: dict[str, Any] = {
    "/view/runs": RunsView(runs=RUNS, total=3).model_dump(mode="json"),
    "/gateway/pipelines": PIPELINES,
    "/gateway/models/flights/versions/1": version(1, winner="lightgbm", num_leaves=31),
    "/gateway/models/flights/versions/2": version(2, winner="linear", alpha=0.1),
    **{
        f"/view/runs/{each.run_id}": RunLanes(**each.model_dump(), lanes=[], open=[]).model_dump(mode="json")
        for each in RUNS
    },
}


@pytest.fixture
async def canned(canned: Page) -> Page:
    """Return the page with the answers about all runs."""
    await answer(canned, ANSWERS)
    return canned


def row_of(page: Page, place: int) -> Any:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=IDS[place][:8]))


async def test_runs_tell_their_metrics_and_who_asked(canned: Page, looks: Looks) -> None:
    """The metrics that the pipeline declares are columns, the champion's first; what has none has a dash."""
    await canned.goto("/runs")
    heads = canned.get_by_role("columnheader")
    await expect(heads.filter(has_text="R²")).to_be_visible()
    titles = [title.strip() for title in await heads.all_inner_texts()]
    assert titles[4:8] == ["Version", "R²", "RMSE", "Trigger"]
    await expect(row_of(canned, 0)).to_contain_text("0.9912")
    await expect(row_of(canned, 0)).to_contain_text("ada: the first month")
    await expect(row_of(canned, 1)).to_contain_text("by event from /my/cron")
    await expect(row_of(canned, 2).locator("td").nth(5)).to_have_text("\N{EN DASH}")
    await looks.over(canned, "runs-metrics")


async def test_runs_are_filtered_by_tag_and_metric(canned: Page, looks: Looks) -> None:
    """From the form or by a click on a tag; the address tells it, and the metric asked for is a column."""
    asked: list[str] = []
    canned.on("request", lambda request: asked.append(request.url) if "/view/runs?" in request.url else None)
    await canned.goto("/runs")
    await row_of(canned, 0).get_by_role("link", name="team:pricing").click()
    await expect(canned).to_have_url(f"{ORIGIN}/runs?tag=team%3Apricing")
    await expect(canned.get_by_role("textbox", name="Tag")).to_have_value("team:pricing")
    await canned.get_by_role("textbox", name="Metric").fill("mae>=4, r2>=0.9")
    await canned.get_by_role("button", name="Filter", exact=True).click()

    await expect(canned.get_by_role("columnheader").filter(has_text="MAE")).to_be_visible()
    titles = [title.strip() for title in await canned.get_by_role("columnheader").all_inner_texts()]
    assert titles[5:8] == ["MAE", "R²", "RMSE"]
    query = parse_qs(urlsplit(asked[-1]).query)
    assert (query["tag"], query["metric"]) == (["team:pricing"], ["mae>=4, r2>=0.9"])
    await looks.over(canned, "runs-filtered")


async def test_a_heading_sorts_and_sorts_back(canned: Page) -> None:
    """The best first, whichever direction is better; the order stands in the address and is asked of the console."""
    asked: list[str] = []
    canned.on("request", lambda request: asked.append(request.url) if "/view/runs?" in request.url else None)
    await canned.goto("/runs?state=succeeded")

    for heading, first, then in (("R²", "-metrics.r2", "metrics.r2"), ("RMSE", "metrics.rmse", "-metrics.rmse")):
        for wanted in (first, then):
            await canned.get_by_role("link", name=heading).click()
            await expect(canned).to_have_url(f"{ORIGIN}/runs?state=succeeded&sort={wanted}")
            direction = "descending" if wanted.startswith("-") else "ascending"
            await expect(canned.get_by_role("columnheader", name=heading)).to_have_attribute("aria-sort", direction)
            assert parse_qs(urlsplit(asked[-1]).query)["sort"] == [wanted]


async def test_several_runs_are_compared_side_by_side(canned: Page, looks: Looks) -> None:
    """Chosen in the list; what is the same in all is counted, what differs is shown, the best only of equal rows."""
    await canned.goto("/runs")
    button = canned.get_by_role("button", name="Select two or more to compare")
    await expect(button).to_be_disabled()
    for place in range(3):
        await canned.get_by_role("checkbox", name=f"Compare run {IDS[place][:8]}").check()
    await canned.get_by_role("button", name="Compare 3 runs").click()

    await expect(canned.get_by_role("heading", name="Compare runs")).to_be_visible()
    outcome = canned.get_by_role("region", name="Outcome")
    for words in ("promoted", "r2 is 0.81, required at least 0.9", "out of memory", "the first month", "team:pricing"):
        await expect(outcome).to_contain_text(words)
    metrics = canned.get_by_role("region", name="Metrics")
    await expect(metrics).to_contain_text("0.9912 best")
    await expect(metrics.get_by_role("row").filter(has_text="MAE")).not_to_contain_text("best")
    await expect(canned.get_by_text("All were measured on the same held-out rows.")).to_be_visible()
    parameters = canned.get_by_role("region", name="Selected candidate and parameters: differences")
    for words in ("lightgbm", "linear", "num_leaves", "alpha"):
        await expect(parameters).to_contain_text(words)
    await expect(canned.get_by_text("No differences: 2 fields are the same in all runs with")).to_be_visible()
    await looks.over(canned, "runs-compare")


async def test_of_different_rows_none_is_best(canned: Page) -> None:
    """The difference may come from the data, and the page says so."""
    await answer(canned, ANSWERS | {"/gateway/models/flights/versions/2": version(2, rows=99, winner="linear")})
    await canned.goto(f"/runs/compare?runs={IDS[0]},{IDS[1]}")
    await expect(canned.get_by_text("Not all were measured on the same held-out rows")).to_be_visible()
    await expect(canned.get_by_text("best", exact=True)).to_have_count(0)


async def test_on_one_evaluation_file_the_best_is_marked_whatever_was_trained_on(canned: Page) -> None:
    """On two, it is not."""
    paths = [f"/gateway/models/flights/versions/{number}" for number in (1, 2)]
    files = [{"datasets": [digit * 64], "evaluation": "e" * 64} for digit in "ab"]
    both = [version(1, winner="lightgbm") | files[0], version(2, winner="linear") | files[1]]
    await answer(canned, ANSWERS | dict(zip(paths, both, strict=True)))
    await canned.goto(f"/runs/compare?runs={IDS[0]},{IDS[1]}")
    await expect(canned.get_by_text("All were measured on the same held-out rows.")).to_be_visible()

    await answer(canned, ANSWERS | {paths[0]: both[0], paths[1]: both[1] | {"evaluation": "f" * 64}})
    await canned.reload()
    await expect(canned.get_by_text("Not all were measured on the same held-out rows")).to_be_visible()


async def test_one_run_is_no_comparison(canned: Page) -> None:
    """An address that was cut short says what to do."""
    await canned.goto(f"/runs/compare?runs={IDS[0]}")
    await expect(canned.get_by_role("heading", name="Fewer than two runs")).to_be_visible()


async def test_a_run_says_why_and_by_whom_it_was_asked(canned: Page, looks: Looks) -> None:
    """On its own page, beside what became of it, with its tags, which lead to runs that have the same."""
    await answer(canned, ANSWERS | {"/view/events": {"events": []}})
    await canned.goto(f"/runs/{IDS[0]}")
    await expect(canned.locator("dl > div").filter(has_text="Queue wait")).to_be_visible()
    for words in ("Requested by", "ada", "Request reason", "the first month", "Tags", "audited"):
        await expect(canned.get_by_text(words, exact=True)).to_be_visible()
    await expect(canned.get_by_role("link", name="team:pricing")).to_have_attribute("href", "/runs?tag=team%3Apricing")
    await looks.over(canned, "run-tags")


async def test_the_beginning_of_an_id_leads_to_its_run(canned: Page) -> None:
    """As lists show it; where several runs begin so, or none, the page says it."""
    await answer(canned, ANSWERS | {"/view/events": {"events": []}})
    await canned.goto(f"/runs/{IDS[0][:8].upper()}")
    await expect(canned).to_have_url(f"{ORIGIN}/runs/{IDS[0]}")
    await expect(canned.get_by_role("heading", name=f"flights: run {IDS[0][:8]}")).to_be_visible()

    for beginning, told in (("7f0", "3 runs have an id"), ("8", "no runs have an id")):
        await canned.goto(f"/runs/{beginning}")
        await expect(canned.get_by_role("alert")).to_contain_text(told)
