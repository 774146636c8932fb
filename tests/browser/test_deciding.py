"""What people decide about a model, on the real stack: approve, compare, roll back, and who did it."""

import pytest
from playwright.async_api import Page, expect

from tests.support.stack_user import PATIENCE, User, csv

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

SOON = 30_000
ALWAYS = {"champion": {"metric": "r2", "min_improvement": -1.0}}
"""A gate that lets every version through, so that there are two to choose from."""


async def trained(user: User, model: str, version: int) -> None:
    """Train the model once more, until the gate has let ``version`` through."""
    ended = await user.ended(await user.retrain(model))
    assert ended["version"] == version, ended
    await user.passed(model, version)


async def approve(page: Page, model: str, version: int) -> None:
    """Let a version serve by its page, and see it serve there, by itself."""
    await page.goto(f"/models/{model}/versions/{version}")
    await page.get_by_role("button", name="Approve…").click(timeout=SOON)
    await page.get_by_role("dialog").get_by_role("button", name=f"Approve version {version}").click()
    await expect(page.get_by_text(f"Version {version} is promoted; the workers")).to_be_visible()
    await expect(page.locator(".head").get_by_text("serving")).to_be_visible(timeout=SOON)


async def test_a_version_is_approved_compared_rolled_back_and_deleted(page: Page, user: User) -> None:
    """Every step by the pages: what waits is approved, two are compared, the first serves again, the other goes."""
    model = await user.apply(promotion="approval", gate=ALWAYS)
    await user.ingest(model, csv(300, seed=7, noise=0.5))
    await trained(user, model, 1)
    await page.goto("/models")
    await expect(page.get_by_role("row", name=model)).to_contain_text("awaiting approval", timeout=PATIENCE * 1000)
    await approve(page, model, 1)
    await expect(page.locator("figcaption").filter(has_text="Predicted against actual price")).to_be_visible()
    await trained(user, model, 2)
    await approve(page, model, 2)

    await page.get_by_role("link", name="Compare with v1").click()
    await expect(page.get_by_text("The gate compared these two versions")).to_be_visible()

    await page.goto(f"/models/{model}")
    await page.get_by_role("button", name="Roll back…").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Reason").fill("wrong prices")
    await dialog.get_by_role("button", name="Roll back to version 1").click()
    await user.serves(model, 1)
    served = page.get_by_role("region", name="Promotions, newest first")
    await expect(served.get_by_role("row").nth(1)).to_contain_text("rolled back", timeout=SOON)

    audited = await user.json("GET", "/audit", params={"subject": f"model/{model}"})
    assert [each["action"] for each in audited] == ["version.rolled_back", "version.approved", "version.approved"]
    assert audited[0]["details"]["reason"] == "wrong prices"

    await page.goto(f"/models/{model}/versions/2")
    await page.get_by_role("button", name="Delete…").click()
    await dialog.get_by_label(f"Type {model}/2 to confirm").fill(f"{model}/2")
    await dialog.get_by_role("button", name="Delete for good").click()
    await expect(page.get_by_role("status").filter(has_text="version 2 is deleted")).to_be_visible()
    assert [each["version"] for each in await user.versions(model)] == [1]
    await page.reload()
    await expect(page.get_by_role("alert")).to_contain_text("was deleted")
