"""The home page with answers of made content: what is measured, what is not, and what is down."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from interlock_contracts.console import EventView, HealthView, OverviewView, RunLine, StatusView, TrafficView
from interlock_contracts.deployment import NAMES, OUTAGES, SERVERS
from playwright.async_api import Page, expect

from tests.browser.canned import answer
from tests.browser.looks import Looks

NOW = datetime.now(UTC)
RUNS = [f"7f00000{place}-0000-4000-8000-000000000000" for place in range(5)]


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def run(place: int, model: str, **changes: Any) -> RunLine:
    known: dict[str, Any] = {"run_id": RUNS[place], "model": model, "state": "succeeded", "outcome": "promoted"}
    times = {"requested": ago(minutes=31), "started": ago(minutes=30), "ended": ago(minutes=29)}
    return RunLine.model_validate(known | times | {"version": 3} | changes)


def status(*traffic: TrafficView, **unwell: str) -> StatusView:
    """Return how things are; ``unwell`` names what does not answer, and why."""

    def health(name: str) -> HealthView:
        wrong = unwell.get(name)
        since = ago(minutes=2 if wrong else 300)
        means = OUTAGES.get(name) if wrong else None
        return HealthView(name=name, health="unreachable" if wrong else "ready", since=since, detail=wrong, means=means)

    return StatusView(
        services=[health(name) for name in NAMES],
        servers=[health(server.name) for server in SERVERS],
        traffic=list(traffic),
        seconds=300.0,
        measured_at=ago(seconds=4),
        workers=2,
    )


def model(name: str, version: int | None) -> dict[str, Any]:
    serving = {"ref": {"version": version}, "promoted_at": NOW.isoformat(), "cause": "gate"} if version else None
    return {"name": name, "serving": serving, "versions": version or 0}


BUSY = TrafficView(
    model="flights", requests=4210, errors=3, refused=12, p50_seconds=0.00042, p99_seconds=0.0061, versions={3: 2}
)
QUIET = TrafficView(model="stars", versions={1: 1, 2: 1})
NOTHING = OverviewView(last_runs=[], in_progress=[], waiting=[], failures=[], hours=24)


def everything() -> OverviewView:
    """Return an overview with something in each of its lists."""
    progress = {"stage": "search", "trials_done": 3, "trials_total": 8, "best_score": 0.9912, "metric": "r2"}
    going = run(1, "stars", state="running", outcome=None, version=None, ended=None, progress=progress)
    held = run(2, "loans", outcome="waiting", version=7)

    def failed(kind: str, name: str, **data: Any) -> EventView:
        about = {"id": f"{kind}-{name}", "source": "/interlock/x", "subject": f"model/{name}", "time": ago(hours=2)}
        return EventView(type=kind, model=name, run_id=RUNS[3], data=data, **about)  # type: ignore[arg-type]

    return OverviewView(
        last_runs=[run(0, "flights"), going, held],
        in_progress=[going],
        waiting=[held],
        failures=[
            failed("evaluation.failed", "stars", version=2, reasons=["r2 is 0.81, required at least 0.9", "two"]),
            failed("training.failed", "loans", outcome="timed_out", reason="the deadline passed"),
            failed("dataset.rejected", "flights", digest="a" * 64, reasons=[{"message": "'distance' is not a number"}]),
            failed("model.load_failed", "flights", version=3, reason="the object store does not answer"),
        ],
        hours=24,
    )


async def opened(page: Page, seen: StatusView, happened: OverviewView, models: Any = None) -> None:
    answers = {"/view/status": seen.model_dump(mode="json"), "/view/overview": happened.model_dump(mode="json")}
    await answer(page, answers | ({} if models is None else {"/gateway/models": models}))
    await page.goto("/")
    await expect(page.get_by_role("heading", name="Home")).to_be_visible()


async def test_home_says_how_things_are(canned: Page, looks: Looks) -> None:
    """Each model with what was measured of it, its last run, what waits, what failed, and everybody's health."""
    await opened(
        canned, status(BUSY, QUIET), everything(), [model("flights", 3), model("stars", 2), model("loans", None)]
    )
    models = canned.get_by_role("region", name="Models", exact=True)
    flights = models.get_by_role("row").filter(has_text="flights")
    for words in ("v3", "2 of 2 workers", "842", "3 (0.1%) and 12 refused", "420 µs", "6.1 ms", "promoted"):
        await expect(flights).to_contain_text(words)
    stars = models.get_by_role("row").filter(has_text="stars")
    for words in ("swapping", "1 of 2 workers", "none", "running"):
        await expect(stars).to_contain_text(words)
    await expect(models.get_by_role("row").filter(has_text="loans")).to_contain_text("awaiting approval")
    await expect(canned.get_by_role("link", name="Review")).to_have_attribute("href", "/models/loans/versions/7")
    going = canned.get_by_role("region", name="Runs in progress")
    await expect(going.get_by_role("link", name=RUNS[1][:8])).to_have_attribute("href", f"/runs/{RUNS[1]}")
    failures = canned.get_by_role("region", name="Failures, newest first")
    await expect(failures).to_contain_text("r2 is 0.81, required at least 0.9, and 1 more")
    addresses = [await each.get_attribute("href") for each in await failures.locator("td:first-child a").all()]
    digest = "a" * 64
    assert addresses == [
        "/models/stars/versions/2", f"/runs/{RUNS[3]}", f"/datasets/flights/{digest}", "/models/flights/versions/3"
    ]  # fmt: skip
    await expect(canned.get_by_role("region", name="Services").get_by_text("ready", exact=True)).to_have_count(8)
    await expect(canned.get_by_role("navigation").get_by_role("link", name="Home")).to_have_attribute(
        "aria-current", "page"
    )
    await looks.over(canned, "home")


async def test_home_is_at_most_fifteen_requests(canned: Page) -> None:
    """Files and answers together, from an empty cache; live events come over one more, which stays open."""
    asked: list[str] = []
    canned.on("request", lambda request: asked.append(request.url))
    await opened(canned, status(BUSY, QUIET), everything(), [model("flights", 3), model("stars", 2)])
    await expect(canned.get_by_role("region", name="Services")).to_be_visible()
    found = {urlsplit(each).path for each in asked} - {"/view/live"}
    assert len(found) <= 15, sorted(found)


async def test_without_a_model_home_says_how_to_begin(canned: Page, looks: Looks) -> None:
    """The first command, and where its effect will be seen."""
    await opened(canned, status(), NOTHING, [])
    await expect(canned.get_by_role("heading", name="No models yet")).to_be_visible()
    await expect(canned.get_by_text("interlock init data.csv")).to_be_visible()
    await looks.over(canned, "home-empty")


async def test_a_registry_that_hangs_is_told_as_that(canned: Page, looks: Looks) -> None:
    """It is not asked; the gateway's workers say which models there are, and the page that nothing else is broken."""
    asked: list[str] = []
    canned.on("request", lambda request: asked.append(request.url))
    await opened(canned, status(BUSY, registry="no answer within 4 seconds"), NOTHING)
    notice = canned.get_by_role("alert")
    await expect(notice).to_contain_text("Registry has not answered since")
    await expect(notice).to_contain_text("Predictions go on")
    flights = canned.get_by_role("region", name="Models", exact=True).get_by_role("row").filter(has_text="flights")
    await expect(flights).to_contain_text("v3")
    assert not [each for each in asked if each.endswith("/gateway/models")]
    await looks.over(canned, "home-registry-down")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seconds": None, "measured_at": None, "workers": 0}, "Traffic is not measured"),
        ({"seconds": None}, "Traffic is being measured"),
        ({"seconds": 40.0}, "Online predictions of the last 40 seconds, of 2 gateway workers"),
    ],
)
async def test_what_is_not_measured_is_no_zero(canned: Page, changes: dict[str, Any], words: str) -> None:
    """The page says so, and shows a dash."""
    await opened(canned, status(QUIET).model_copy(update=changes), NOTHING, [model("stars", 2)])
    await expect(canned.get_by_text(words)).to_be_visible()
    requests = canned.get_by_role("region", name="Models", exact=True).locator("tbody td").nth(2)
    await expect(requests).to_have_text("none" if changes["seconds"] else "\N{EN DASH}")
