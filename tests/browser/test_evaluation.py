"""A file of one's own that judges: which pages, and which report, name it, on the real stack."""

from pathlib import Path

import pytest
from interlock_cli.report.command import report
from playwright.async_api import Page, expect

from tests.browser.looks import Looks
from tests.support.stack_user import PATIENCE, User, csv

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

SOON = 20_000


def reported(version: str, folder: Path) -> dict[str, str]:
    """Return the report as the command line writes it, Markdown and HTML."""
    report(version, to=folder)
    return {each.suffix: each.read_text(encoding="utf-8") for each in folder.iterdir()}


async def test_an_evaluation_file_is_named_where_it_judges(
    page: Page, user: User, looks: Looks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the list of files over its own page to the version that was judged on it, and in that version's report."""
    model = await user.apply()
    await user.ingest(model, csv(300, seed=1, noise=0.5))
    file = await user.ingest(model, csv(120, seed=2, noise=0.5), role="evaluation", file_name="certified.csv")
    short = file["digest"][:12]
    ended = await user.ended(await user.retrain(model))
    assert (ended["state"], ended["evaluation"]) == ("succeeded", file["digest"])

    await page.goto(f"/datasets?pipeline={model}")
    await expect(page.get_by_role("row", name="certified.csv")).to_contain_text("evaluation")
    await looks.over(page, "datasets-evaluation")
    await page.get_by_role("link", name="certified.csv").click()
    about = page.locator("dl.facts").first
    await expect(about).to_contain_text("never trained on, all rows held out")
    await expect(about).to_contain_text("0 / 120")
    await about.get_by_role("link", name="v1").click(timeout=PATIENCE * 1000)

    await expect(page.get_by_role("heading", name="Passed the gate")).to_contain_text("120 rows", timeout=SOON)
    lineage = page.get_by_role("list", name="From data to workers")
    await expect(lineage.get_by_role("listitem").filter(has_text="evaluation file")).to_contain_text(short)
    await looks.over(page, "version-evaluation")

    for name in ("INTERLOCK_GATEWAY_URL", "INTERLOCK_API_KEY"):
        monkeypatch.setenv(name, user.env[name])
    for kind, text in reported(f"{model}/1", tmp_path).items():
        assert "evaluation file" in text, kind
        assert short in text, kind
