"""Signing in, the list of runs, and one run followed live, on the real stack."""

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.conftest import Trained
from tests.browser.looks import Looks
from tests.support.stack_user import PATIENCE, User, csv

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SOON = 20_000
WHOLE_RUN = PATIENCE * 1000


async def test_a_key_opens_a_session_and_another_does_not(
    stranger: BrowserContext, stack: dict[str, str], looks: Looks
) -> None:
    """Whoever has no session is asked for a key; a wrong one is refused in words, the right one leads to the page."""
    page = await stranger.new_page()
    await page.goto("/runs")
    await page.get_by_label("API key").fill("ik_" + "0" * 40)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("no such API key")
    await looks.over(page, "sign-in")
    await page.get_by_label("API key").fill(stack["INTERLOCK_API_KEY"])
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    assert stack["INTERLOCK_API_KEY"] not in await page.evaluate("document.cookie + JSON.stringify(localStorage)")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("API key")).to_be_visible()


async def test_a_ticket_opens_the_console_once(stranger: BrowserContext, stack: dict[str, str]) -> None:
    """The address that `interlock open` prints leads to its page signed in, leaves no ticket there, and works once."""
    made = await stranger.request.post(
        "/session/tickets",
        headers={"Authorization": f"Bearer {stack['INTERLOCK_API_KEY']}"},
        data={"to": "/events"},
    )
    address = (await made.json())["address"]
    page = await stranger.new_page()
    await page.goto(address)
    await expect(page.get_by_role("heading", name="Events", exact=True)).to_be_visible()
    assert "ticket" not in page.url
    await stranger.clear_cookies()
    await page.goto(address)
    await expect(page.get_by_label("API key")).to_be_visible()


async def test_a_run_is_followed_live_from_upload_to_swap(page: Page, user: User) -> None:
    """A run appears in the list by itself; its page goes on by itself to each worker's swap, and nothing stays open."""
    model = await user.apply()
    await page.goto(f"/runs?model={model}")
    await expect(page.get_by_role("heading", name=f"No runs of {model} yet")).to_be_visible()
    await page.get_by_label("Search").fill("half a na")
    await user.ingest(model, csv(300, seed=3, noise=0.5))
    run_id = await user.retrain(model)
    link = page.get_by_role("link", name=run_id[:8])
    await expect(link).to_be_visible(timeout=SOON)
    await expect(page.get_by_label("Search")).to_have_value("half a na")
    await link.click()
    await expect(page.get_by_text("Still open", exact=True)).to_be_visible(timeout=SOON)

    await expect(page.get_by_text("succeeded", exact=True)).to_be_visible(timeout=WHOLE_RUN)
    for stage in ("queue wait", "dispatch", "training", "gate", "promotion"):
        lane = page.get_by_role("region", name=stage, exact=True)
        await expect(lane.get_by_role("listitem").filter(has_text="done, took")).not_to_have_count(0, timeout=SOON)
    rollout = await user.json("GET", f"/models/{model}/rollout")
    swaps = page.get_by_role("region", name="swap", exact=True).get_by_role("listitem").filter(has_text="done, took")
    await expect(swaps).to_have_count(rollout["workers"], timeout=SOON)
    await expect(page.get_by_text("Still open", exact=True)).to_have_count(0, timeout=SOON)


async def test_runs_are_found_by_text_state_and_trigger(page: Page, trained: Trained) -> None:
    """A part of the name or the id's beginning finds a run; what excludes it says that nothing matches."""
    link = page.get_by_role("link", name=trained.run_id[:8])
    await page.goto("/runs")
    await page.get_by_label("Search").fill(trained.model[1:].upper())
    await page.get_by_role("button", name="Filter").click()
    await expect(link).to_be_visible()
    await page.get_by_label("Search").fill(trained.run_id[:8])
    await page.get_by_label("State").select_option("Succeeded")
    await expect(page.get_by_text("1 run", exact=True)).to_be_visible()
    await page.get_by_label("State").select_option("Failed")
    await expect(page.get_by_role("heading", name="No run matches the filter")).to_be_visible()
    await expect(page.get_by_label("Search")).to_have_value(trained.run_id[:8])
    await page.get_by_role("button", name="Clear filter").click()
    await expect(page.get_by_label("Search")).to_have_value("")
    await expect(link).to_be_visible()


async def test_a_run_shows_its_trace_and_leads_to_its_version(page: Page, trained: Trained, looks: Looks) -> None:
    """From the list to the run, from a stage to its span, and the trace is a file to download."""
    await page.goto(f"/runs?model={trained.model}")
    await expect(page.get_by_role("link", name=trained.run_id[:8])).to_be_visible()
    await looks.over(page, "runs")
    await page.keyboard.press("j")
    await page.keyboard.press("o")
    swap = page.get_by_role("region", name="swap", exact=True).locator(".known").first
    await expect(swap).to_be_visible(timeout=SOON)
    await looks.over(page, "run")
    await swap.click()
    await expect(page.get_by_role("complementary", name="swap")).to_contain_text(trained.model)
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download trace as OTLP JSON").click()
    assert (await (await download.value).path()).read_text().startswith('{"resourceSpans"')
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("link", name="v1")).to_have_attribute("href", f"/models/{trained.model}/versions/1")


async def test_a_run_that_waits_can_be_cancelled(page: Page, user: User) -> None:
    """The button asks first, then cancels with the caller's own rights; the page shows the end by itself."""
    model = await user.apply()
    await user.ingest(model, csv(300, seed=4))
    run_id = await user.retrain(model)
    await page.goto(f"/runs/{run_id}")
    await page.get_by_role("button", name="Cancel run").click(timeout=SOON)
    await page.get_by_role("dialog").get_by_role("button", name="Cancel run").click()
    await expect(page.get_by_text("cancelled", exact=True).first).to_be_visible(timeout=SOON)


async def test_addresses_that_lead_nowhere_say_so(page: Page) -> None:
    """A run that nobody asked for and an address without a page are told in words, and the bar stays."""
    await page.goto("/runs/00000000-0000-4000-8000-000000000000")
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(page.get_by_role("navigation", name="Main").get_by_role("link")).to_have_count(10)


async def test_the_theme_is_chosen_and_kept(page: Page) -> None:
    """The switch turns from the system's theme to light to dark, and the choice outlives the page."""
    await page.goto("/runs")
    await page.get_by_role("button", name="Theme: system").click()
    await page.get_by_role("button", name="Theme: light").click()
    await page.reload()
    await expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert await page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
