"""What is deleted for good: offered to whoever may, confirmed by its name, and said; from the console's own files."""

import json
from typing import Any

import pytest
from interlock_contracts.http import DatasetView
from playwright.async_api import Page, Route, expect

from tests.browser.canned import answer
from tests.browser.looks import Looks
from tests.browser.reports import WHEN, answers, report, version

MODEL = "flights"
DIGEST = "d" * 64
PATH = f"/gateway/models/{MODEL}"
FILE = f"/gateway/datasets/{MODEL}/{DIGEST}"
GONE = {"deleted_at": WHEN, "deleted_by": "ada", "objects_gone_after": WHEN}
VERSIONS = [
    version(MODEL, 1, "retired", report(None)),
    version(MODEL, 2, "champion", report(None, against=1, seed=1)),
    version(MODEL, 3, "passed", report(None, against=2, seed=2)),
]


def told() -> dict[str, Any]:
    """Return what the gateway answers about an archived model with three versions, and a file of it."""
    known = answers(MODEL, VERSIONS, champion=2)
    file = DatasetView(
        pipeline=MODEL,
        digest=DIGEST,
        pipeline_digest=DIGEST,
        state="rejected",
        bytes=12_345,
        received_at=WHEN,  # type: ignore[arg-type]
        file_name="2013-01.csv",
    )
    return known | {
        PATH: known[PATH] | {"archived_at": WHEN, "serving": None},
        FILE: file.model_dump(mode="json"),
        f"DELETE {PATH}": {"model": MODEL, "versions": 3, **GONE},
        f"DELETE {PATH}/versions/1": {"model": MODEL, "version": 1, **GONE},
        f"DELETE {FILE}": {"pipeline": MODEL, "digest": DIGEST, **GONE},
    }


@pytest.mark.parametrize(
    ("address", "name", "goes", "path", "body"),
    [
        (f"/models/{MODEL}/versions/1", f"{MODEL}/1", "Nobody can roll back to it", f"{PATH}/versions/1", None),
        (f"/datasets/{MODEL}/{DIGEST}", "2013-01.csv", "Its rows, profile and findings", FILE, None),
        (f"/models/{MODEL}", MODEL, "All its versions (3 so far)", PATH, {"name": MODEL}),
    ],
)
async def test_what_is_deleted_is_named_once_more_and_then_gone(
    canned: Page, looks: Looks, address: str, name: str, goes: str, path: str, body: Any
) -> None:
    """The question says what goes and what stays; nothing is sent before the name is there."""
    await answer(canned, told())
    await canned.goto(address)
    await canned.get_by_role("button", name="Delete…").click()
    dialog = canned.get_by_role("dialog")
    await expect(dialog).to_contain_text(goes)
    await expect(dialog).to_contain_text("the audit log", ignore_case=True)
    await looks.over(canned, f"delete-{name.replace('/', '-')}")
    button = dialog.get_by_role("button", name="Delete for good")
    await expect(button).to_be_disabled()
    typed = dialog.get_by_label(f"Type {name} to confirm")
    await typed.fill(name[:-1])
    await expect(button).to_be_disabled()
    await typed.fill(name)
    async with canned.expect_request(lambda request: request.method == "DELETE") as sent:
        await button.click()

    request = await sent.value
    assert request.url.endswith(path)
    assert (json.loads(request.post_data) if request.post_data else None) == body
    await expect(canned.get_by_role("status").filter(has_text="is deleted.")).to_be_visible()
    await looks.over(canned, f"deleted-{name.replace('/', '-')}")


async def refuse(route: Route) -> None:
    """Answer a deletion as a registry does that does not know of it."""
    if route.request.method != "DELETE":
        return await route.fallback()
    problem = {"status": 405, "title": "Method Not Allowed", "detail": "DELETE is not among GET, PATCH"}
    return await route.fulfill(status=405, json=problem)


async def test_a_refusal_is_shown_where_it_was_asked(canned: Page) -> None:
    """As the service says it."""
    await answer(canned, told())
    await canned.route(f"**{PATH}", refuse)
    await canned.goto(f"/models/{MODEL}")
    await canned.get_by_role("button", name="Delete…").click()
    dialog = canned.get_by_role("dialog")
    await dialog.get_by_label("Reason").fill("renamed")
    await dialog.get_by_label(f"Type {MODEL} to confirm").fill(MODEL)
    async with canned.expect_request(lambda request: request.method == "DELETE") as sent:
        await dialog.get_by_role("button", name="Delete for good").click()

    assert json.loads((await sent.value).post_data or "") == {"name": MODEL, "reason": "renamed"}
    await expect(dialog.get_by_role("alert")).to_contain_text("Method Not Allowed")


@pytest.mark.parametrize("address", [f"/models/{MODEL}/versions/1", f"/datasets/{MODEL}/{DIGEST}", f"/models/{MODEL}"])
async def test_nobody_else_is_offered_to_delete(canned: Page, address: str) -> None:
    """A key without the scope admin, however much else it may."""
    scopes = ["predict", "read", "ingest", "train", "promote"]
    await answer(canned, told() | {"/session": {"name": "bob", "scopes": scopes}})
    await canned.goto(address)

    await expect(canned.get_by_role("heading", level=1)).to_be_visible()
    await expect(canned.locator("dl.facts").first).to_be_visible()
    assert await canned.get_by_role("button", name="Delete…").count() == 0


@pytest.mark.parametrize(("number", "archived"), [(2, WHEN), (3, WHEN), (None, None)])
async def test_what_serves_or_waits_is_not_offered(canned: Page, number: int | None, archived: str | None) -> None:
    """A champion and a version that waits for an approval stay; so does a model that is not archived."""
    known = told()
    known[PATH] |= {"archived_at": archived}
    await answer(canned, known)
    await canned.goto(f"/models/{MODEL}" + (f"/versions/{number}" if number else ""))

    await expect(canned.locator("dl.facts").first).to_be_visible()
    assert await canned.get_by_role("button", name="Delete…").count() == 0
