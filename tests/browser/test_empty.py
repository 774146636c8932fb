"""Empty pages say what is going on, and pages that wait say for whom, from made answers."""

from datetime import UTC, datetime

from interlock_contracts.console import HealthView, OverviewView, RunLine, StatusView
from interlock_contracts.deployment import OUTAGES
from playwright.async_api import Page, Route, expect

from tests.browser.canned import answer
from tests.browser.looks import Looks

NOW = datetime.now(UTC)
RUN = "7f000000-0000-4000-8000-000000000000"
PROGRESS = {"stage": "search", "trials_done": 3, "trials_total": 8, "best_score": 0.9, "metric": "r2"}
TRAINING = RunLine.model_validate(
    {"run_id": RUN, "model": "flights", "state": "running", "requested": NOW, "started": NOW, "progress": PROGRESS}
)
OVERVIEW = OverviewView(last_runs=[TRAINING], in_progress=[TRAINING], waiting=[], failures=[], hours=24)


async def test_a_run_that_is_training_is_named_where_its_model_is_missing(canned: Page, looks: Looks) -> None:
    """With its progress and a link; another model's run is none of its business."""
    known = {"/view/overview": OVERVIEW.model_dump(mode="json"), "/gateway/v2/repository/index": []}
    await answer(canned, known)
    await canned.goto("/try/flights")
    await expect(canned.get_by_text("flights is being trained:")).to_be_visible()
    await expect(canned.get_by_text("is running, search · 3 of 8 trials · best R² 0.9")).to_be_visible()
    await expect(canned.get_by_role("link", name=RUN[:8])).to_have_attribute("href", f"/runs/{RUN}")
    await looks.over(canned, "empty-training")
    await canned.goto("/try/stars")
    await expect(canned.get_by_role("heading", name="No version of stars is serving yet")).to_be_visible()
    await expect(canned.get_by_text("is being trained")).to_have_count(0)


async def test_a_page_that_waits_for_a_registry_that_hangs_says_so(canned: Page, looks: Looks) -> None:
    """Its request is still open; the console knows who does not answer, and that predictions go on."""
    registry = HealthView(
        name="registry", health="unreachable", since=NOW, detail="no answer within 4 s", means=OUTAGES["registry"]
    )
    status = StatusView(services=[registry], servers=[], traffic=[])
    await answer(canned, {"/view/status": status.model_dump(mode="json")})
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await canned.route("**/gateway/models", hold)
    await canned.goto("/models")
    notice = canned.get_by_role("alert")
    await expect(notice).to_contain_text("Registry has not answered since")
    await expect(notice).to_contain_text("Predictions go on with the loaded versions")
    await looks.over(canned, "waiting-for-registry")
    for route in held:
        await route.fulfill(json=[])
    await expect(notice).to_have_count(0)
    await expect(canned.get_by_role("heading", name="No models yet")).to_be_visible()
