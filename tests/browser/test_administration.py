"""The audit log, the keys, and what a key sees that may do little, from made answers."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from interlock_contracts.access import AuditEntry, KeyMade, KeyView, Scope
from playwright.async_api import Page, Route, expect

from tests.browser.canned import ORIGIN, answer
from tests.browser.looks import Looks

NOW = datetime.now(UTC)
RUN = "7f000000-0000-4000-8000-000000000000"
SECRET = "ilk_" + "a" * 40
MILLISECOND = timedelta(milliseconds=1)
"""What times of a browser are cut to."""


def entry(number: int, by: str, action: str, subject: str, **details: Any) -> dict[str, Any]:
    made = AuditEntry(
        id=number, at=NOW - timedelta(hours=9 - number), by=by, action=action, subject=subject, details=details,
        trace_id="ab" * 16 if number % 2 else None,
    )  # fmt: skip
    return made.model_dump(mode="json")


def key(name: str, *scopes: Scope, **changes: Any) -> KeyView:
    known: dict[str, Any] = {"name": name, "scopes": scopes, "created_at": NOW - timedelta(days=1), "created_by": "ada"}
    return KeyView.model_validate(known | changes)


ENTRIES = [
    entry(9, "ada", "version.approved", "model/flights/3", promotion_seq=4),
    entry(8, "service/evaluation_gate", "version.promoted", "model/flights", version=3),
    entry(7, "ci", "run.requested", f"run/{RUN}", model="flights", reason="monthly"),
    entry(6, "admin", "key.created", "key/ci", scopes=["ingest", "train"]),
    entry(5, "admin", "dead_letter.discarded", "dead-letter/77", queue="registry.training.completed"),
]
KEYS = [
    key("ci", "ingest", "train"),
    key("guest", "read", expires_at=NOW - timedelta(hours=1)),
    key("demo", "predict", expires_at=NOW + timedelta(days=30)),
    key("old", "admin", revoked_at=NOW - timedelta(hours=3)),
]
ANSWERS = {"/gateway/audit": ENTRIES, "/gateway/keys": [each.model_dump(mode="json") for each in KEYS]}


@pytest.fixture
async def canned(canned: Page) -> Page:
    """Return the page with the answers about an administrator's things."""
    await answer(canned, ANSWERS)
    return canned


async def test_the_audit_log_says_who_did_what_and_leads_there(canned: Page, looks: Looks) -> None:
    """Each subject is a link to its page, each caller to what else it did."""
    await canned.goto("/audit")
    rows = canned.get_by_role("region", name="Audit log, newest first").locator("tbody tr")
    await expect(rows).to_have_count(5)
    links = [await row.locator("td:nth-child(4) a").get_attribute("href") for row in (await rows.all())[:4]]
    assert links == ["/models/flights/versions/3", "/models/flights", f"/runs/{RUN}", "/keys"]
    await expect(rows.nth(2)).to_contain_text("model: flights, reason: monthly")
    await expect(rows.nth(3)).to_contain_text("scopes: ingest + train")
    await expect(rows.nth(0).get_by_role("link", name="ada")).to_have_attribute("href", "/audit?by=ada")
    await looks.over(canned, "audit")


async def test_the_audit_log_is_filtered_by_the_registry(canned: Page) -> None:
    """Who, what, which model and when stand in the address; what fits nothing says so."""
    await canned.goto("/audit")
    await expect(canned.get_by_role("link", name="ada")).to_be_visible()
    await canned.keyboard.press("/")
    await canned.keyboard.type("ada")
    await canned.get_by_label("Model").fill("flights")
    before = datetime.now(UTC)
    async with canned.expect_request("**/gateway/audit?*since=*") as filtered:
        await canned.get_by_label("Time").select_option("24")
    await expect(canned).to_have_url(f"{ORIGIN}/audit?by=ada&model=flights&hours=24")
    await expect(canned.get_by_role("button", name="Clear filter")).to_be_visible()
    query = {name: value for name, [value] in parse_qs(urlsplit((await filtered.value).url).query).items()}
    since = datetime.fromisoformat(query.pop("since"))
    assert query == {"by": "ada", "model": "flights", "limit": "100"}
    assert before - MILLISECOND <= since + timedelta(hours=24) <= datetime.now(UTC)

    await answer(canned, {"/gateway/audit": []})
    await canned.goto("/audit?by=nobody")
    await expect(canned.get_by_role("heading", name="No entry matches the filter")).to_be_visible()


async def test_a_key_is_made_shown_once_and_revoked(canned: Page, looks: Looks) -> None:
    """With scopes and an end; whoever revokes one is asked first."""
    sent: list[tuple[str, str, Any]] = []

    async def to(route: Route) -> None:
        request = route.request
        if request.method == "GET":
            await route.fallback()
            return
        sent.append((request.method, urlsplit(request.url).path, json.loads(request.post_data or "null")))
        made = KeyMade(**KEYS[2].model_dump(), key=SECRET)
        await route.fulfill(body=made.model_dump_json(), content_type="application/json")

    await canned.route("**/gateway/keys**", to)
    await canned.goto("/keys")
    states = canned.locator("tbody td:nth-child(3) .badge")
    await expect(states).to_have_text(["active", "expired", "active", "revoked"])
    await expect(canned.get_by_label("Expires")).to_have_value("")
    await expect(canned.get_by_role("button", name="Revoke old")).to_have_count(0)

    await canned.keyboard.press("n")
    await canned.keyboard.type("demo")
    await canned.get_by_role("button", name="Create key").click()
    await expect(canned.get_by_role("alert")).to_contain_text("Choose a scope")
    await canned.get_by_label("predict").check()
    await canned.get_by_label("Expires").select_option("30")
    before = datetime.now(UTC)
    await canned.get_by_role("button", name="Create key").click()
    new = canned.get_by_role("region", name="New key")
    await expect(new).to_contain_text(SECRET)
    await expect(new.get_by_role("button", name="Copy the key")).to_be_visible()
    method, path, body = sent.pop()
    end = datetime.fromisoformat(body.pop("expires_at"))
    assert (method, path, body) == ("POST", "/gateway/keys", {"name": "demo", "scopes": ["predict"]})
    assert before - MILLISECOND <= end - timedelta(days=30) <= datetime.now(UTC)
    await looks.over(canned, "keys")

    await canned.get_by_role("button", name="Revoke ci").click()
    await canned.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(canned.get_by_role("status").filter(has_text="ci is revoked")).to_be_visible()
    assert sent == [("DELETE", "/gateway/keys/ci", None)]
    await new.get_by_role("button", name="I have copied it").click()
    await expect(canned.get_by_text(SECRET)).to_have_count(0)


async def test_what_a_key_may_not_is_not_offered(canned: Page, looks: Looks) -> None:
    """The places are those of its scopes; another page's address says which scope it needs."""
    await answer(canned, {"/session": {"name": "app", "scopes": ["predict"]}})
    await canned.goto("/")
    await expect(canned.get_by_text("needs a key with the scope read; app has predict")).to_be_visible()
    places = canned.get_by_role("navigation").get_by_role("link")
    await expect(places).to_have_text(["Predict"])
    await looks.over(canned, "closed")
