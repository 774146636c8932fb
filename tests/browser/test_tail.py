"""The choice of event types, and dead letters by message, from made answers."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from interlock_console.routes import EVENT_TYPES
from interlock_contracts.catalog import ROUTES
from interlock_contracts.console import EventsView, EventView
from interlock_contracts.dead_letters import DeadLetterContent
from playwright.async_api import Page, expect

from tests.browser.canned import ORIGIN, answer
from tests.browser.looks import Looks

NOW = datetime.now(UTC)
NAME = "a-model-with-a-rather-long-name-of-its-own"
EVENTS = "**/view/events?*"
RARE = [route.event.type for route in ROUTES if not route.ephemeral and route.event.type != "training.progressed"]


def event(number: int, kind: str, **data: Any) -> EventView:
    return EventView(
        id=f"{number}", type=kind, source="/interlock/registry", subject=f"model/{NAME}", time=NOW, model=NAME,
        trace_id="ab" * 16, data=data,
    )  # fmt: skip


def letter(number: int, queue: str, event_id: str | None, reason: str) -> DeadLetterContent:
    return DeadLetterContent(
        id=UUID(int=number), queue=queue, reason=reason, attempts=number, died_at=NOW, age_seconds=1, bytes=2,
        event_id=event_id, event_type="model.promoted" if event_id else None, headers={}, data={"letter": number},
    )  # fmt: skip


LETTERS = [
    letter(1, "registry.model.promoted", "e1", "not a valid event: model: Field required"),
    letter(2, "train_dispatch.model.promoted", "e1", "not a valid event: model: Field required"),
    letter(3, "registry.training.completed", None, "its headers cannot be read: too deep"),
    letter(4, "registry.training.queued", None, "its headers cannot be read: too deep"),
]
ANSWERS: dict[str, Any] = {
    "/view/event-types": EVENT_TYPES.model_dump(mode="json"),
    "/view/events": EventsView(events=[event(1, "model.promoted"), event(2, "model.serving")]).model_dump(mode="json"),
    "/gateway/dead-letters": [each.model_dump(mode="json") for each in LETTERS],
    **{f"/gateway/dead-letters/{each.id}": each.model_dump(mode="json") for each in LETTERS},
}


@pytest.fixture
async def canned(canned: Page) -> Page:
    """Return the page with the answers about events and dead letters."""
    await answer(canned, ANSWERS)
    return canned


def types_of(url: str) -> list[str]:
    return parse_qs(urlsplit(url).query).get("type", [""])[0].split(",")


async def test_frequent_types_are_folded_away_until_they_are_asked_for(canned: Page, looks: Looks) -> None:
    """The console is asked for the others alone, so that the broker need not send every prediction either."""
    async with canned.expect_request(EVENTS) as asked:
        await canned.goto("/events")
    await expect(canned.get_by_role("row").filter(has_text="model.promoted")).to_be_visible()
    assert types_of((await asked.value).url) == RARE
    link = canned.get_by_role("row").filter(has_text="model.promoted").get_by_role("link").first
    assert await link.evaluate("(link) => link.getClientRects().length") == 1, "the model's name is in one line"
    await looks.over(canned, "events-canned")

    async with canned.expect_request(EVENTS) as more:
        await canned.get_by_role("link", name="Show frequent types").click()
    await expect(canned).to_have_url(f"{ORIGIN}/events?frequent=true")
    await expect(canned.get_by_role("link", name="Hide frequent types")).to_be_visible()
    assert types_of((await more.value).url) == [""]


async def test_several_types_are_chosen_by_keys(canned: Page, looks: Looks) -> None:
    """Each says when it is true; the choice stands in the address."""
    await canned.goto("/events")
    await expect(canned.get_by_role("row").filter(has_text="model.promoted")).to_be_visible()
    await canned.keyboard.press("/")
    await canned.keyboard.press("Enter")
    await expect(canned.get_by_role("group", name="Frequent types").get_by_role("checkbox")).to_have_count(
        len(ROUTES) - len(RARE)
    )
    assert await canned.locator("label", has_text="model.retired").get_attribute("title")
    await looks.over(canned, "events-types")
    for chosen in ("model.promoted", "prediction.failed"):
        await canned.get_by_role("checkbox", name=chosen).focus()
        await canned.keyboard.press(" ")
    async with canned.expect_request(EVENTS) as asked:
        await canned.get_by_role("button", name="Show the chosen types").click()
    await expect(canned).to_have_url(f"{ORIGIN}/events?type=model.promoted%2Cprediction.failed")
    await expect(canned.get_by_text("2 types", exact=True)).to_be_visible()
    assert types_of((await asked.value).url) == ["model.promoted", "prediction.failed"]


async def test_a_message_that_died_in_two_queues_is_one_row(canned: Page, looks: Looks) -> None:
    """Each of its letters is read, and decided on, by its own; messages without an id are rows of their own."""
    await canned.goto("/dead-letters")
    rows = canned.locator("tbody tr")
    await expect(rows).to_have_count(3)
    for queue in ("registry.model.promoted", "train_dispatch.model.promoted"):
        await expect(rows.first).to_contain_text(queue)
    await looks.over(canned, "dead-letters-canned")
    await rows.first.get_by_role("button", name="model.promoted").click()
    drawer = canned.get_by_role("complementary")
    await expect(drawer.locator("pre").first).to_contain_text('"letter": 1')
    await drawer.get_by_role("button", name="train_dispatch.model.promoted").click()
    await expect(drawer.locator("pre").first).to_contain_text('"letter": 2')
    await looks.over(canned, "dead-letter-canned")
