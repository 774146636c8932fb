"""The page of a run whose events the console does not have: not yet, or no longer."""

from typing import Any
from uuid import UUID

import pytest
from interlock_contracts.console import RunLanes
from interlock_contracts.http import RunView
from playwright.async_api import Page, expect

from tests.browser.canned import answer
from tests.browser.looks import Looks
from tests.browser.reports import WHEN, sha

RUN = UUID(int=7)
EMPTY: dict[str, Any] = {"/view/events": {"events": [], "before": None}}


def known(state: str, **more: Any) -> dict[str, Any]:
    """Return what the dispatcher says of the run."""
    asked = {"cause": str(UUID(int=3)), "requested_by": "ada", "request_reason": "a new month", "created_at": WHEN}
    run = {"run_id": RUN, "model": "flights", "state": state, "attempt": 1, "pipeline_digest": sha("flights")}
    view = RunView.model_validate(run | asked | more)
    return {f"/gateway/runs/{RUN}": view.model_dump(mode="json")}


async def test_a_run_is_queued_from_the_moment_of_its_request(canned: Page, looks: Looks) -> None:
    """The dispatcher has it before its first event has come here; the page goes on by itself once that is there."""
    await answer(canned, EMPTY | known("queued"))
    await canned.goto(f"/runs/{RUN}")
    await expect(canned.get_by_text("queued", exact=True)).to_be_visible()
    await expect(canned.get_by_text("a new month")).to_be_visible()
    await expect(canned.get_by_text("The first steps appear here in a moment")).to_be_visible()
    await expect(canned.get_by_role("alert")).to_have_count(0)
    await expect(canned.get_by_text(str(UUID(int=3)))).to_have_count(0)
    await looks.over(canned, "run-queued")

    run = {"run_id": RUN, "model": "flights", "state": "running", "requested": WHEN, "started": WHEN}
    seen = RunLanes.model_validate({**run, "lanes": [], "open": [], "attempt": 1})
    await answer(canned, EMPTY | {f"/view/runs/{RUN}": seen.model_dump(mode="json")})
    await expect(canned.get_by_text("running", exact=True)).to_be_visible()
    await expect(canned.get_by_text("The first steps appear here in a moment")).to_have_count(0)


@pytest.mark.parametrize("answers", [EMPTY | known("failed", reason="the deadline passed", ended_at=WHEN), EMPTY])
async def test_a_run_of_long_ago_and_one_that_never_was(canned: Page, answers: dict[str, Any]) -> None:
    """Of the first is said what the dispatcher keeps, of the second that there is none."""
    await answer(canned, answers)
    await canned.goto(f"/runs/{RUN}")
    words = "the deadline passed" if len(answers) > 1 else "Not Found"
    await expect(canned.get_by_text(words)).to_be_visible()
    assert await canned.get_by_text("no longer stored").count() == (len(answers) > 1)
