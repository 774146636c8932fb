"""The list of traces and its search, from made answers."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from interlock_contracts.console import TraceLine, TraceService, TracesView
from playwright.async_api import Page, expect

from tests.browser.canned import ORIGIN, answer
from tests.browser.looks import Looks

NOW = datetime.now(UTC)
IDS = [f"{place + 1:02x}" * 16 for place in range(3)]


def line(place: int, name: str, milliseconds: int, services: dict[str, int], **changes: Any) -> TraceLine:
    """Return a trace that began ``place`` hours ago; ``services`` are its spans by service."""
    parts = [TraceService(name=f"interlock-{each}", spans=spans, errors=0) for each, spans in services.items()]
    known: dict[str, Any] = {
        "trace_id": IDS[place],
        "root_service": parts[0].name,
        "root_name": name,
        "start_ns": int((NOW - timedelta(hours=place, minutes=1)).timestamp()) * 10**9,
        "duration_ns": milliseconds * 10**6,
        "spans": sum(services.values()),
        "errors": 0,
        "orphans": 0,
        "services": parts,
    }
    return TraceLine.model_validate(known | changes)


RUN = line(0, "POST /models/{name}/retrain", 30_000, {"gateway": 3, "train_dispatch": 9, "trainer": 1200}, orphans=2)
PREDICTION = line(1, "POST /models/{name}/predict", 2, {"gateway": 1})
UPLOAD = line(2, "POST /datasets/{name}", 750, {"gateway": 1, "ingest": 4}, errors=1)
ANSWERS: dict[str, Any] = {
    "/view/traces": TracesView(traces=[RUN, PREDICTION, UPLOAD], before="1790000000000000001").model_dump(mode="json"),
    "/api/v3/services": {"services": ["interlock-gateway", "interlock-trainer"]},
    "/api/v3/operations": {"operations": [{"name": "check", "spanKind": "internal"}]},
}


@pytest.fixture
async def canned(canned: Page) -> Page:
    """Return the page with the answers about three traces."""
    await answer(canned, ANSWERS)
    return canned


async def test_traces_are_listed_and_opened(canned: Page, looks: Looks) -> None:
    """By what began them, with services, spans, errors and duration; keys choose one and open it."""
    await canned.goto("/traces")
    row = canned.get_by_role("row").filter(has=canned.get_by_role("link", name="POST /models/{name}/retrain"))
    for words in ("gateway, train_dispatch, trainer", "1,212", "30.0 s so far", " min ago"):
        await expect(row).to_contain_text(words)
    failed = canned.get_by_role("row").filter(has=canned.get_by_role("link", name="POST /datasets/{name}"))
    await expect(failed.get_by_role("cell").nth(3)).to_have_text("1")
    widths = await canned.locator(".lasting i").evaluate_all("(bars) => bars.map((bar) => bar.style.width)")
    assert widths[0] == "100%"
    assert [float(each.rstrip("%")) for each in widths[1:]] == pytest.approx([2 / 300, 2.5], rel=1e-4)
    assert await canned.get_by_role("navigation").get_by_role("link", name="Traces").get_attribute("aria-current")
    await looks.over(canned, "traces")
    await canned.keyboard.press("j")
    await canned.keyboard.press("o")
    await expect(canned).to_have_url(f"{ORIGIN}/traces/{IDS[0]}")


async def test_a_search_stands_in_the_address_and_is_asked_of_the_console(canned: Page) -> None:
    """Each attribute on its own, quotes around words; the next page keeps the search."""
    await canned.goto("/traces?service=interlock-gateway")
    await canned.get_by_label("Span name").fill("check")
    await canned.get_by_label("Attributes, as key=value").fill('model=flights reason="too many rows"')
    await canned.get_by_label("Shortest duration").fill("100ms")
    await canned.get_by_label("Longest duration").fill("1.5s")
    async with canned.expect_request("**/view/traces?*errors=true*") as searched:
        await canned.get_by_label("Errors only").check()
    await expect(canned).to_have_url(f"{ORIGIN}/traces?service=interlock-gateway&name=check"
        "&attributes=model%3Dflights+reason%3D%22too+many+rows%22&min=100ms&max=1.5s&errors=true")  # fmt: skip
    await expect(canned.get_by_label("Errors only")).to_be_checked()
    wanted = {
        "service": ["interlock-gateway"],
        "name": ["check"],
        "attribute": ["model=flights", "reason=too many rows"],
        "min_duration": ["100ms"],
        "max_duration": ["1.5s"],
        "errors": ["true"],
        "limit": ["25"],
    }
    assert parse_qs(urlsplit((await searched.value).url).query) == wanted

    async with canned.expect_request("**/view/traces?*before=*") as older:
        await canned.get_by_role("link", name="Older traces").click()
    await expect(canned.get_by_role("link", name="Newest traces")).to_be_visible()
    assert parse_qs(urlsplit((await older.value).url).query) == wanted | {"before": ["1790000000000000001"]}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/traces", "No traces yet"),
        ("/traces?name=check", "No trace matches"),
        ("/traces?before=1", "No older traces"),
    ],
)
async def test_why_there_is_none_is_said(canned: Page, looks: Looks, path: str, words: str) -> None:
    """Nothing was traced, nothing matches, or nothing is older."""
    await answer(canned, ANSWERS | {"/view/traces": TracesView(traces=[]).model_dump(mode="json")})
    await canned.goto(path)
    await expect(canned.get_by_role("heading", name=words)).to_be_visible()
    await looks.over(canned, "traces-" + words.split(" ", 1)[1].replace(" ", "-"))
