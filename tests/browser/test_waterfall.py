"""The waterfall with traces of made sizes, from the console's own files."""

from typing import Any

from playwright.async_api import Page, expect

from tests.browser.canned import answer
from tests.browser.looks import Looks

TRACE = "ab" * 16
BEGIN = 1_790_000_000_000_000_000
SERVICES = ("gateway", "ingest", "train_dispatch", "trainer", "registry", "evaluation_gate")


def span(number: int, parent: int | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "span_id": f"{number:016x}",
        "parent_id": None if parent is None else f"{parent:016x}",
        "service": SERVICES[number % len(SERVICES)],
        "name": f"step {number}",
        "kind": "INTERNAL",
        "start_ns": BEGIN + number * 1_000_000,
        "duration_ns": 40_000_000,
        "status": "UNSET",
        "status_message": "",
        "attributes": {"interlock.trial.number": number},
        "resource": {"service.version": "0.1.0"},
        "events": [],
        "links": [],
        "linked_from": [],
    } | changes


def trace(spans: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    return {"trace_id": TRACE, "spans": spans, "orphans": [], "open": []} | changes


def small() -> list[dict[str, Any]]:
    """Return a tree of six spans: one failed, one with an event, one with links both ways."""
    known = {"trace_id": TRACE, "span_id": f"{1:016x}", "attributes": {"interlock.link": "event.origin"}}
    other = {"trace_id": "cd" * 16, "span_id": f"{9:016x}", "name": "POST /models/{name}/predict", "service": "gateway"}
    return [
        span(0, duration_ns=900_000_000),
        span(
            1,
            0,
            label="step one",
            events=[{"name": "retried", "time_ns": BEGIN + 5_000_000, "attributes": {"after_seconds": 1}}],
        ),
        span(2, 1, status="ERROR", status_message="the store does not answer"),
        span(3, 0, start_ns=BEGIN + 300_000_000, duration_ns=500_000_000),
        span(4, 3, start_ns=BEGIN + 320_000_000, links=[known], linked_from=[other]),
        span(5, 3, start_ns=BEGIN + 420_000_000),
    ]


async def opened(page: Page, told: dict[str, Any]) -> None:
    await answer(page, {f"/view/traces/{TRACE}": told})
    await page.goto(f"/traces/{TRACE}")
    await expect(page.get_by_role("region", name="Spans", exact=True).get_by_role("listitem").first).to_be_visible()
    # Keys mean something after the frame that shows the rows.
    frames = "new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(then))))"
    await page.evaluate(frames)


async def test_a_span_is_opened_by_keys_and_tells_all_that_is_known(canned: Page, looks: Looks) -> None:
    """Keys j and k choose, the drawer shows attributes, events, failure and links both ways, Escape closes it."""
    await opened(canned, trace(small()))
    drawer = canned.get_by_role("complementary")
    await canned.keyboard.press("j")
    await canned.keyboard.press("j")
    await expect(drawer.get_by_role("heading", name="step one")).to_be_visible()
    await expect(drawer.get_by_text("retried")).to_be_visible()
    await canned.keyboard.press("j")
    await expect(drawer.get_by_text("the store does not answer")).to_be_visible()
    await expect(drawer.get_by_text("error", exact=True)).to_be_visible()
    await canned.get_by_role("button", name="step 4").click()
    await expect(drawer.get_by_role("link", name="POST /models/{name}/predict")).to_have_attribute(
        "href", f"/traces/{'cd' * 16}?span={9:016x}"
    )
    await looks.over(canned, "trace-drawer")
    await drawer.get_by_role("link", name="step 1").click()
    await expect(drawer.get_by_role("heading", name="step one")).to_be_visible()
    await canned.keyboard.press("Escape")
    await expect(drawer).to_have_count(0)
    await looks.over(canned, "trace")


async def test_branches_fold_and_words_filter_with_all_that_is_above(canned: Page) -> None:
    """Key h folds the chosen span, l unfolds it; a filter keeps what fits and its way from the root."""
    await opened(canned, trace(small()))
    rows = canned.get_by_role("region", name="Spans", exact=True).get_by_role("listitem")
    await expect(rows).to_have_count(6)
    await canned.keyboard.press("j")
    await canned.keyboard.press("h")
    await expect(rows).to_have_count(1)
    await canned.keyboard.press("l")
    await expect(rows).to_have_count(6)
    await canned.keyboard.press("Escape")
    await canned.keyboard.press("/")
    await canned.keyboard.type("step 5")
    await expect(rows).to_have_count(3)
    await expect(canned.get_by_text("3 of 6 spans")).to_be_visible()


async def test_what_has_not_ended_is_said_to_be_open(canned: Page) -> None:
    """A parent that has not come stands above its children as still open, and is counted."""
    alone = [span(1, 7), span(2, 1)]
    told = [{"span_id": f"{7:016x}", "since_ns": alone[0]["start_ns"], "children": [alone[0]["span_id"]]}]
    await opened(canned, trace(alone, orphans=[alone[0]["span_id"]], open=told))
    await expect(canned.get_by_role("button", name="still open").first).to_be_visible()
    await expect(canned.get_by_role("term").filter(has_text="Still open")).to_be_visible()
    await expect(canned.get_by_text("3 of 3 spans")).to_be_visible()


async def test_a_trace_of_ten_thousand_spans_stays_quick(canned: Page) -> None:
    """Only the rows in sight are in the document; the last one is reached by scrolling, and a key moves on in time."""
    spans = [span(0, duration_ns=11_000_000_000), *(span(number, 0) for number in range(1, 10_000))]
    await opened(canned, trace(spans))
    box = canned.get_by_role("region", name="Spans", exact=True)
    rows = box.get_by_role("listitem")
    assert await rows.count() < 120
    await box.evaluate("box => { box.scrollTop = box.scrollHeight }")
    await expect(canned.get_by_role("button", name="step 9999")).to_be_visible()
    took = await canned.evaluate(
        """async () => {
          const begun = performance.now();
          dispatchEvent(new KeyboardEvent("keydown", { key: "j" }));
          document.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true }));
          await new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)));
          return performance.now() - begun;
        }"""
    )
    assert took < 1000, took
