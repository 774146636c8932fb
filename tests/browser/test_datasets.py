"""Files, their verdicts, and how far they have moved, on the real stack."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.looks import Looks
from tests.support.stack_user import User, csv
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SOON = 20_000


def shifted(content: bytes) -> bytes:
    """Return the file with the same prices for sizes that are larger by three."""
    head, *lines = content.decode().splitlines()
    cells = [line.split(",", 1) for line in lines]
    return "\n".join([head, *(f"{float(size) + 3:.6f},{rest}" for size, rest in cells), ""]).encode()


async def _known(user: User, model: str) -> bool:
    """Ingest has heard of the pipeline; the page is told of files, and does not ask again for a pipeline."""
    return (await user.http.get(f"/datasets/{model}")).is_success


async def test_a_file_appears_with_its_verdict_and_tells_how_it_has_moved(page: Page, user: User, looks: Looks) -> None:
    """The list goes on by itself; a file's page draws its columns, and names the one that has moved."""
    model = await user.apply()
    await until(lambda: _known(user, model))
    await page.goto(f"/datasets?pipeline={model}")
    await expect(page.get_by_text(f"interlock ingest {model} data.csv")).to_be_visible()
    first = await user.ingest(model, csv(400, seed=1))
    await expect(page.get_by_role("link", name=first["digest"][:12])).to_be_visible(timeout=SOON)
    second = await user.ingest(model, shifted(csv(400, seed=2)))
    await page.get_by_role("link", name=second["digest"][:12]).click(timeout=SOON)

    drift = page.get_by_role("region", name="Drift", exact=True)
    await expect(drift.get_by_role("row", name="size")).to_contain_text("large drift")
    await expect(drift.get_by_role("row", name="color")).to_contain_text("stable")
    await expect(page.get_by_role("article", name="Column color").get_by_role("img").first).to_be_visible()
    await looks.over(page, "dataset")
    await page.get_by_label("Filter columns by name").fill("pri")
    await expect(page.get_by_role("article")).to_have_count(1)
    await drift.get_by_role("link", name="batch 1").click()
    await expect(page.get_by_role("heading", name=first["digest"][:12])).to_be_visible()
    await expect(drift).to_have_count(0)


async def test_a_refused_file_says_every_reason_and_is_deleted(page: Page, user: User, looks: Looks) -> None:
    """In the list the first, on its page all of them, with lines and examples."""
    model = await user.apply()
    refused = await user.ingest(model, csv(60, seed=1) + b"99,red,1\n1,purple,2\n")
    await page.goto(f"/datasets?pipeline={model}")
    await expect(page.get_by_role("row", name="rejected")).to_contain_text("above 10, the declared max")
    await looks.over(page, "datasets")
    await page.keyboard.press("j")
    await page.keyboard.press("o")

    await expect(page.get_by_role("heading", name=refused["digest"][:12])).to_be_visible()
    reasons = page.get_by_role("region", name="Reasons for rejection")
    await expect(reasons).to_contain_text("'size' is above 10")
    await expect(reasons).to_contain_text("Line 63")
    await expect(reasons).to_contain_text("purple")

    short = refused["digest"][:12]
    await page.get_by_role("button", name="Delete…").click()
    await page.get_by_role("dialog").get_by_label(f"Type {short} to confirm").fill(short)
    await page.get_by_role("dialog").get_by_role("button", name="Delete for good").click()
    await page.get_by_role("link", name="Go to Datasets").click()
    await expect(page.get_by_text(f"interlock ingest {model} data.csv")).to_be_visible()
