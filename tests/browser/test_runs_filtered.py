"""What a filter shows stays, whatever was going to be asked before it, from made answers."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from interlock_contracts.console import RunsView
from playwright.async_api import Page, Route, expect

from tests.browser.canned import answer
from tests.browser.test_runs_compared import ANSWERS, IDS, RUNS

BURST_MS = 10_000
"""Longer than the list of runs waits after an event for others, before it asks again once for all."""


async def test_a_reload_of_before_the_filter_changed_asks_nothing(canned: Page) -> None:
    """An event makes the list ask again a moment later; meanwhile another filter is chosen, and its rows are shown."""
    asked: list[str] = []
    streams: list[Route] = []

    async def runs(route: Route) -> None:
        states = parse_qs(urlsplit(route.request.url).query).get("state", [""])[0]
        asked.append(states)
        found = [run for run in RUNS if not states or run.state in states.split(",")]
        await route.fulfill(body=RunsView(runs=found, total=len(found)).model_dump_json())

    async def stream(route: Route) -> None:
        if streams:
            await route.fulfill(status=503)
        else:
            streams.append(route)

    await answer(canned, ANSWERS)
    await canned.route("**/view/runs?*", runs)
    await canned.route("**/view/live*", stream)
    await canned.clock.install()
    await canned.goto("/runs")
    await expect(canned.get_by_text(f"{len(RUNS)} runs", exact=True)).to_be_visible()
    await canned.clock.pause_at(datetime.now(UTC) + timedelta(minutes=1))
    await streams[0].fulfill(body="event: training.queued\ndata: {}\n\n", content_type="text/event-stream")
    await expect(canned.get_by_text("connecting")).to_be_visible()  # the event has been read, and the stream's end

    await canned.get_by_label("State").select_option("Failed")
    await canned.clock.run_for(100)  # a few frames, in which the page asks for what is chosen
    await expect(canned.get_by_text("1 run", exact=True)).to_be_visible()
    await canned.clock.run_for(BURST_MS)
    await canned.evaluate("fetch('/session').then((answer) => answer.text())")  # asked after all that the timer asked

    assert asked == ["", "failed,timed_out"]
    await expect(canned.get_by_role("link", name=IDS[2][:8])).to_be_visible()
    await expect(canned.get_by_role("row")).to_have_count(2)
