"""Description, owner and tags of models, and the archived ones, from the console's own files."""

import json
from typing import Any

from playwright.async_api import Page, expect

from tests.browser.canned import answer
from tests.browser.looks import Looks
from tests.browser.reports import WHEN, answers, report, version

MODEL = "flights"
PATH = f"/gateway/models/{MODEL}"


def told(**more: Any) -> dict[str, Any]:
    """Return what the gateway answers about one model with a version that serves."""
    known = answers(MODEL, [version(MODEL, 1, "champion", report(None))], champion=1)
    (listed,) = known["/gateway/models"]
    other = {"name": "fares", "versions": 0, "tags": {}}
    gone = {"name": "delays", "versions": 3, "tags": {"team": "pricing"}, "archived_at": WHEN}
    return known | {
        "/gateway/models": [listed, other],
        "/gateway/models?tag=team%3Apricing": [listed],
        "/gateway/models?tag=team%3Apricing&archived=true": [gone],
        "/gateway/models?tag=nobody": [],
        PATH: known[PATH] | more,
    }


async def test_models_are_filtered_by_tag_and_the_archived_ones_stand_apart(canned: Page, looks: Looks) -> None:
    """A tag leads to the models that have it; a switch shows those that are folded away."""
    await answer(canned, told())
    await canned.goto("/models")
    await expect(canned.get_by_role("row")).to_have_count(3)
    await expect(canned.get_by_role("row", name=MODEL)).to_contain_text("Arrival delay")
    await expect(canned.get_by_role("row", name=MODEL)).to_contain_text("pricing@example.org")
    await canned.get_by_role("link", name="team:pricing").click()

    await expect(canned.get_by_label("Tag")).to_have_value("team:pricing")
    await expect(canned.get_by_role("row")).to_have_count(2)
    await canned.get_by_role("checkbox", name="Archived").check()
    await expect(canned.get_by_role("heading", name="Archived models")).to_be_visible()
    await expect(canned.get_by_role("row").nth(1)).to_contain_text("delays")
    await looks.over(canned, "models-archived")
    await canned.goto("/models?tag=nobody")
    await expect(canned.get_by_role("heading", name="No model matches the filter")).to_be_visible()


async def test_what_is_said_of_a_model_is_changed_by_a_merge_patch(canned: Page, looks: Looks) -> None:
    """What is emptied is removed, and a tag that is gone, too."""
    await answer(canned, told())
    await canned.goto(f"/models/{MODEL}")
    await canned.get_by_role("button", name="Edit…").click()
    dialog = canned.get_by_role("dialog")
    await expect(dialog.get_by_label("Tags")).to_have_value("team:pricing, audited")
    await looks.over(canned, "describe")
    await dialog.get_by_label("Description").fill("")
    await dialog.get_by_label("Owner").fill("ada")
    await dialog.get_by_label("Tags").fill("team:fares, tier")
    async with canned.expect_request(lambda request: request.method == "PATCH") as sent:
        await dialog.get_by_role("button", name="Save").click()

    request = await sent.value
    tags = {"team": "fares", "audited": None, "tier": ""}
    assert request.url.endswith(PATH)
    assert json.loads(request.post_data or "") == {"description": None, "owner": "ada", "tags": tags}
    await expect(canned.get_by_role("status").filter(has_text="Saved.")).to_be_visible()


async def test_an_archived_model_says_so_and_is_brought_back(canned: Page, looks: Looks) -> None:
    """The question says what happens; whoever may only read is told which scope it needs."""
    await answer(canned, told(archived_at=WHEN, serving=None))
    await canned.goto(f"/models/{MODEL}")
    await expect(canned.get_by_text("it serves nothing, takes no new training")).to_be_visible()
    await looks.over(canned, "model-archived")
    await canned.get_by_role("button", name="Bring back…").click()
    async with canned.expect_request(lambda request: request.method == "PATCH") as sent:
        await canned.get_by_role("dialog").get_by_role("button", name="Bring back").click()

    assert json.loads((await sent.value).post_data or "") == {"archived": False}
    await answer(canned, told() | {"/session": {"name": "bob", "scopes": ["read"]}})
    await canned.reload()
    for button in ("Edit…", "Archive…"):
        await expect(canned.get_by_role("button", name=button)).to_be_disabled()
