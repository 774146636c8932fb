"""The live tail, and the dead letters with what is to become of them, on the real stack."""

import json
from uuid import uuid4

import aio_pika
import pytest
from playwright.async_api import Page, expect

from tests.browser.looks import Looks
from tests.support.stack_user import User
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SOON = 20_000
QUEUE = "train_dispatch.retrain.requested"


async def say_poison(env: dict[str, str]) -> str:
    """Ask for a training of something that no model can be called, which is told in the reason, and return that."""
    name = f"no name {uuid4().hex[:8]}"
    async with await aio_pika.connect(env["INTERLOCK_AMQP_URL"]) as connection:
        exchange = await (await connection.channel()).get_exchange("interlock.events")
        headers = {
            "cloudEvents_specversion": "1.0",
            "cloudEvents_id": str(uuid4()),
            "cloudEvents_source": "/tests",
            "cloudEvents_type": "retrain.requested",
        }
        message = aio_pika.Message(
            json.dumps({"model": name}).encode(), headers=dict(headers), content_type="application/json"
        )
        await exchange.publish(message, routing_key="retrain.requested")
    return name


async def test_events_come_live_wait_while_paused_and_can_be_opened(page: Page, user: User, looks: Looks) -> None:
    """What is said appears by itself, under the filter; a pause only counts; a row opens with all that it says."""
    model = await user.apply()
    await page.goto(f"/events?model={model}")
    row = page.get_by_role("row", name="pipeline.applied")
    await expect(row).to_have_count(1, timeout=SOON)
    await expect(page.get_by_text("live", exact=True)).to_be_visible(timeout=SOON)
    await user.reapply(model, trials=1)
    await expect(row).to_have_count(2, timeout=SOON)
    await looks.over(page, "events")

    await page.keyboard.press("p")
    await user.reapply(model, trials=2)
    await expect(page.get_by_role("button", name="Resume (1 new)")).to_be_visible(timeout=SOON)
    await expect(row).to_have_count(2)
    await page.keyboard.press("p")
    await expect(row).to_have_count(3)

    await page.keyboard.press("j")
    await page.keyboard.press("o")
    drawer = page.get_by_role("complementary", name="pipeline.applied")
    await expect(drawer.locator("pre")).to_contain_text(f'"pipeline": "{model}"')
    await looks.over(page, "event")
    await page.keyboard.press("Escape")
    await expect(drawer).to_have_count(0)


async def test_what_is_being_typed_stays_while_events_come_in(page: Page, user: User) -> None:
    """The page is drawn anew for each event; a half-typed filter is none of its business."""
    model = await user.apply()
    await page.goto("/events")
    await expect(page.get_by_text("live", exact=True)).to_be_visible(timeout=SOON)
    field = page.get_by_label("Filter by model")
    await field.fill("half a na")
    await user.reapply(model, trials=1)
    await expect(page.get_by_role("row").filter(has_text=model).nth(1)).to_be_visible(timeout=SOON)
    await expect(field).to_have_value("half a na")


async def test_a_filter_stands_in_the_address(page: Page, user: User) -> None:
    """What is filtered can be sent to somebody; an unknown type is refused in words."""
    model = await user.apply()
    await page.goto("/events")
    await page.get_by_label("Filter by model").fill(model)
    await page.get_by_role("button", name="Filter").click()
    await expect(page.get_by_role("row", name="pipeline.applied")).to_have_count(1, timeout=SOON)
    assert page.url.endswith(f"/events?model={model}")
    await page.goto("/events?type=no.such")
    await expect(page.get_by_role("alert")).to_contain_text("not 'no.such'")


async def test_a_dead_letter_is_read_replayed_and_discarded(page: Page, stack: dict[str, str], looks: Looks) -> None:
    """It says why it died and what it holds; still poison, it comes back; discarded after a question, it is gone."""
    name = await say_poison(stack)
    letter = page.get_by_role("row", name=name)

    async def seen() -> bool:
        await page.goto(f"/dead-letters?queue={QUEUE}")
        await expect(page.get_by_role("table").or_(page.get_by_text("No dead letters"))).to_be_visible()
        return await letter.count() > 0

    await until(seen, seconds=60)
    await looks.over(page, "dead-letters")
    await letter.get_by_role("button", name="retrain.requested").click()
    drawer = page.get_by_role("complementary", name="retrain.requested")
    await expect(drawer.locator("pre").first).to_contain_text(f'"model": "{name}"')
    await looks.over(page, "dead-letter")
    await drawer.get_by_role("button", name="Replay").click()
    await page.get_by_role("dialog").get_by_role("button", name="Replay").click()
    await expect(page.get_by_role("status").filter(has_text="back in its queue")).to_be_visible()

    await until(seen, seconds=60)
    await letter.get_by_role("button", name="retrain.requested").click()
    await drawer.get_by_role("button", name="Discard").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    await expect(drawer.get_by_role("button", name="Discard")).to_be_visible()
    await drawer.get_by_role("button", name="Discard").click()
    await page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    await expect(page.get_by_role("status").filter(has_text="was discarded")).to_be_visible()
    await expect(letter).to_have_count(0)
