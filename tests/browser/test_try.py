"""A model is asked from a form, on the real stack."""

import json
import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Trained
from tests.browser.looks import Looks
from tests.support.stack_user import User
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


async def test_a_model_answers_a_row_and_leads_to_its_trace(
    page: Page, user: User, trained: Trained, looks: Looks
) -> None:
    """The form is made from the signature, the answer is the API's own, and the command line asks for the same."""
    await page.goto(f"/try/{trained.model}")
    color, size = page.get_by_label("color"), page.get_by_label("size")
    await expect(color.locator("option")).to_have_text(["(missing)", "red", "green", "blue"])
    assert (await size.get_attribute("min"), await size.get_attribute("max")) == ("-10", "10")
    await looks.over(page, "try")
    await size.fill("2.5")
    await color.select_option("blue")
    await page.get_by_role("button", name="Predict price").click()

    answer = page.get_by_role("region", name="Prediction", exact=True)
    await expect(answer.get_by_role("link", name="v1")).to_be_visible()
    [price] = (await user.predict(trained.model, {"size": 2.5, "color": "blue"})).json()["predictions"]
    assert float(await answer.locator(".answer").inner_text()) == pytest.approx(price, rel=1e-3)
    command = await page.get_by_role("region", name="Command line").locator("code").first.inner_text()
    sent = re.search(r"-d '(.*)'$", command)
    assert sent is not None
    assert json.loads(sent.group(1)) == {"rows": [{"size": 2.5, "color": "blue"}]}
    await looks.over(page, "answer")

    trace = (await answer.get_by_role("link", name=re.compile("^[0-9a-f]{12}$")).get_attribute("href") or "").strip()

    async def kept() -> bool:
        return (await page.request.get(f"/view{trace}")).ok

    await until(kept, seconds=30)
    await answer.get_by_role("link", name=re.compile("^[0-9a-f]{12}$")).click()
    await expect(page.get_by_text(re.compile("predict", re.IGNORECASE)).first).to_be_visible()


async def test_earlier_answers_stay_beside_the_newest(page: Page, trained: Trained) -> None:
    """What if: a change, another answer, and the one before with the row that it was given for."""
    await page.goto(f"/try/{trained.model}")
    size = page.get_by_label("size")
    for value in ("1", "2"):
        await size.fill(value)
        await page.get_by_role("button", name="Predict price").click()
        await expect(
            page.get_by_role("region", name="Prediction", exact=True).get_by_role("link", name="v1")
        ).to_be_visible()

    await expect(page.get_by_role("region", name="Earlier predictions", exact=True)).to_contain_text('"size":1,')


async def test_a_model_without_a_version_says_what_to_do(page: Page, user: User) -> None:
    """It is in the list, and the command that trains it is told."""
    model = await user.apply()
    await page.goto(f"/try/{model}")
    await expect(page.get_by_text(f"interlock retrain {model}")).to_be_visible()
