"""What charts show of made-up numbers: same rows, whole numbers, few bars; and their tables, number by number."""

from uuid import uuid4

import pytest
from interlock_contracts.http import DatasetView
from playwright.async_api import Locator, Page, expect

from tests.browser.canned import Plain, answer
from tests.browser.looks import Looks
from tests.browser.reports import ROWS, WHEN, answers, report, version
from tests.unit.ingest.validation.judging import judge

MODEL = "flights"
NONE = "\N{EN DASH}"
APPROVAL = {"name": "approval", "state": "done", "start_ns": 10**18, "end_ns": 10**18 + 5400 * 10**9, "depth": 0}
"""Somebody took an hour and a half."""


async def table_of(page: Page, caption: str) -> list[list[str]]:
    """Open the table below the chart with these words in its caption, and return its cells."""
    chart: Locator = page.locator("figure.chart").filter(has=page.locator("figcaption", has_text=caption))
    await chart.get_by_text("Show as table").click()
    rows = chart.locator("tbody tr")
    await expect(rows.first).to_be_visible()
    return [(await row.locator("td").all_inner_texts()) for row in await rows.all()]


async def test_versions_are_drawn_beside_the_champion_on_the_same_rows(canned: Page) -> None:
    """A first version has none, nor has one that an older gate evaluated; each version number stands there once."""
    old = report(None, against=2, seed=2).model_dump(mode="json")
    old["champion"].pop("metrics")
    versions = [
        version(MODEL, 1, "retired", report(None)),
        version(MODEL, 2, "champion", report(None, against=1, seed=1)),
        version(MODEL, 3, "refused", old),
    ]
    await answer(canned, answers(MODEL, versions, champion=2))
    await canned.goto(f"/models/{MODEL}")

    rows = await table_of(canned, "of each version on its own held-out rows")
    theirs = versions[1].champion_metrics["r2"]
    assert [(row[0], row[2], row[4]) for row in rows] == [
        ("1", NONE, "retired"),
        ("2", "v1", "serving"),
        ("3", "v2", "refused"),
    ]
    assert float(rows[1][3]) == pytest.approx(theirs, abs=1e-4)
    assert [rows[0][3], rows[2][3]] == [NONE, NONE]
    ticks = canned.locator("figure.chart svg text")
    whole = [each for each in await ticks.all_text_contents() if each in ("1", "2", "3")]
    assert whole == ["1", "2", "3"]


async def test_every_metric_stands_beside_the_champions(canned: Page) -> None:
    """In its own direction, and with the interval of the one that decides."""
    told = version(MODEL, 2, "passed", report(None, against=1))
    await answer(canned, answers(MODEL, [version(MODEL, 1, "champion", report(None)), told], champion=1))
    await canned.goto(f"/models/{MODEL}/versions/2")

    table = canned.get_by_role("region", name="Metrics of candidate and champion on the same held-out rows")
    await expect(table.get_by_role("row")).to_have_count(6)
    await expect(table.get_by_role("row").nth(1)).to_contain_text("with 95 % confidence")
    for metric in ("R²", "RMSE", "MAE"):
        await expect(table.get_by_role("row").filter(has_text=metric)).to_contain_text("better")
    rmse = told.champion_metrics["rmse"]
    await expect(table.get_by_role("row").filter(has_text="RMSE")).to_contain_text(f"{rmse:.4f}"[:5])


async def test_precision_and_recall_follow_from_the_counts(canned: Page) -> None:
    """At the lowest threshold every row is taken, so precision is the label's share; each label has its row."""
    told = report([False, True], against=1)
    versions = [version(MODEL, 1, "champion", report([False, True])), version(MODEL, 2, "passed", told)]
    await answer(canned, answers(MODEL, versions, champion=1))
    await canned.goto(f"/models/{MODEL}/versions/2")

    rows = await table_of(canned, "Precision and recall")
    (curve,) = told.plots.roc
    assert rows[-1][1] == "1"
    assert float(rows[-1][2]) == pytest.approx(curve.rows / ROWS, abs=1e-3)
    matrix = told.plots.confusion
    assert matrix is not None
    right, support = matrix.counts[1][1], sum(matrix.counts[1])
    taken = matrix.counts[0][1] + right
    cells = (
        canned.get_by_role("region", name="Precision and recall by label").get_by_role("row").nth(2).get_by_role("cell")
    )
    found = await cells.all_inner_texts()
    assert found[:3] == ["true", str(support), str(taken)]
    assert [float(each) for each in found[3:5]] == pytest.approx([right / taken, right / support], abs=1e-4)


async def test_importance_is_drawn_with_its_spread(canned: Page, looks: Looks) -> None:
    """The greatest first, all of them in the table; a report of an older gate has none, and shows all else."""
    old = report(None).model_dump(mode="json")
    old.pop("importance")
    versions = [version(MODEL, 1, "champion", old), version(MODEL, 2, "passed", report(None, against=1))]
    await answer(canned, answers(MODEL, versions, champion=1))
    await canned.goto(f"/models/{MODEL}/versions/2")

    rows = await table_of(canned, "Permutation importance: how much worse R² gets")
    assert len(rows) == 18
    await looks.over(canned, "importance")
    assert rows[1] == ["color", "0.12", "0.01"]
    assert [float(row[1]) for row in rows] == sorted((float(row[1]) for row in rows), reverse=True)
    await canned.goto(f"/models/{MODEL}/versions/1")
    await expect(canned.get_by_text("Residuals, predicted minus actual")).to_be_visible()
    await expect(canned.locator("table").filter(has_text="Tuned")).to_contain_text("+0.01 ± 0.02, within noise")
    await expect(canned.get_by_text("Permutation importance")).to_have_count(0)


async def test_a_run_shows_its_candidates_and_trials(canned: Page, looks: Looks) -> None:
    """From the version that it has made."""
    made = version(MODEL, 1, "champion", report(None))
    run = {
        "run_id": str(made.run_id),
        "model": MODEL,
        "state": "succeeded",
        "version": 1,
        "requested": WHEN,
        "started": WHEN,
        "ended": WHEN,
        "lanes": [{"lane": "promotion", "steps": [APPROVAL]}],
        "open": [],
        "metrics": {},
    }
    await answer(canned, answers(MODEL, [made], champion=1) | {f"/view/runs/{made.run_id}": run})
    await canned.goto(f"/runs/{made.run_id}")

    await expect(canned.locator("dl > div").filter(has_text="Approval wait")).to_contain_text("1 h 30 m")
    folds = await table_of(canned, "Cross-validation: R² of each candidate in 3 folds")
    trials = await table_of(canned, "Hyperparameter search around xgboost: R² by trial")
    assert (len(folds), len(trials)) == (9, 12)
    assert trials[3][:5] == ["3", "0.78", "pruned", "2", "25"]
    parameters = await table_of(canned, "Parameters of the trials and their R²")
    assert parameters[3] == ["3", "5", "0.075", "dart", "0.78"]
    curve = await table_of(canned, "Learning curve: R² of xgboost by the rows that it was fitted on")
    assert [" ".join(row[:3]) for row in curve] == ["40 3 0.2", "100 3 0.56", "200 3 0.68", "400 3 0.74"]
    lines = canned.locator("figure.chart").filter(has_text="Parameters of the trials").locator("svg path[stroke-width]")
    assert await lines.count() >= 12
    await looks.over(canned, "run-trained")


async def test_a_search_is_drawn_while_it_goes_on(canned: Page, looks: Looks) -> None:
    """The best score so far by the trials that are done, of the attempt that runs now."""
    run = {"run_id": str(uuid4()), "model": MODEL, "state": "running", "requested": WHEN, "lanes": [], "open": []}
    steps = [(1, 9, 0.9), (2, 0, None), (2, 0, 0.5), (2, 0, 0.6), (2, 3, 0.7), (2, 5, 0.8)]
    events = [
        {"data": {"attempt": attempt, "trials_done": done, "trials_total": 9, "best_score": best, "metric": "r2"}}
        for attempt, done, best in reversed(steps)
    ]
    await answer(canned, {f"/view/runs/{run['run_id']}": run, "/view/events": {"events": events, "before": None}})
    await canned.goto(f"/runs/{run['run_id']}")

    rows = await table_of(canned, "best R² so far, higher is better")
    assert rows == [["0", "0.6"], ["3", "0.7"], ["5", "0.8"]]
    await looks.over(canned, "run-searching")


async def test_the_log_of_a_run_is_loaded_when_it_is_opened(canned: Page, looks: Looks) -> None:
    """Of the newest attempt at first; what may go on can be asked for again, and markup in it is text."""
    run_id = str(uuid4())
    run = {
        "run_id": run_id,
        "model": MODEL,
        "state": "running",
        "attempt": 2,
        "requested": WHEN,
        "lanes": [],
        "open": [],
    }
    log = f"/gateway/runs/{run_id}/logs"
    asked: list[str] = []
    canned.on("request", lambda request: asked.append(request.url) if "/logs" in request.url else None)
    going, ended = ({"Interlock-Log-Complete": told} for told in ("false", "true"))
    told = {log: Plain("read 150 rows\n<b>trial</b> 0\n", going), f"{log}?attempt=1": Plain("out of memory\n", ended)}
    await answer(canned, {f"/view/runs/{run_id}": run, **told})
    await canned.goto(f"/runs/{run_id}")
    card = canned.get_by_role("region", name="Log")
    await expect(card).to_be_visible()
    assert asked == []
    await card.get_by_text("What the training printed").click()

    await expect(card.get_by_label("Log of the training")).to_have_text("read 150 rows\n<b>trial</b> 0\n")
    await looks.over(canned, "run-log")
    await answer(
        canned,
        {log: Plain("read 150 rows\nthe best is xgboost\n", ended)} | {f"{log}?attempt=1": told[f"{log}?attempt=1"]},
    )
    await card.get_by_role("button", name="Refresh").click()
    await expect(card.get_by_label("Log of the training")).to_contain_text("the best is xgboost")
    await expect(card.get_by_text("More may follow.")).to_have_count(0)
    await card.get_by_label("Attempt").select_option("1")
    await expect(card.get_by_label("Log of the training")).to_have_text("out of memory\n")


async def test_a_run_without_a_version_has_no_charts(canned: Page) -> None:
    """Nothing was trained that could be drawn."""
    run = {"run_id": str(uuid4()), "model": MODEL, "state": "failed", "requested": WHEN, "lanes": [], "open": []}
    await answer(canned, {f"/view/runs/{run['run_id']}": run})
    await canned.goto(f"/runs/{run['run_id']}")

    await expect(canned.get_by_role("heading", name="Trace", exact=True)).to_be_visible()
    assert await canned.locator("figure.chart").count() == 0


async def test_whole_numbers_are_drawn_in_bins_of_whole_numbers(canned: Page, looks: Looks) -> None:
    """A bar for each of a few values, under its own number."""
    digest = "d" * 64
    rows = "".join(f"{place % 4},{place / 7}\n" for place in range(40))
    columns = {"stops": {"type": "integer"}, "price": {"type": "number"}}
    view = DatasetView(
        pipeline=MODEL,
        digest=digest,
        pipeline_digest=digest,
        state="accepted",
        bytes=12_345,
        received_at=WHEN,  # type: ignore[arg-type]
        profile=judge(f"stops,price\n{rows}", columns, "price").result.profile,
    )
    path = f"/gateway/datasets/{MODEL}/{digest}"
    await answer(canned, {path: view.model_dump(mode="json"), f"/gateway/models/{MODEL}/versions": []})
    await canned.goto(f"/datasets/{MODEL}/{digest}")

    ticks = (
        await canned.get_by_role("article", name="Column stops").locator("figure.chart svg text").all_text_contents()
    )
    assert [each for each in ticks if "." in each] == []
    assert await table_of(canned, "stops: 40 rows") == [[str(value), str(value), "10"] for value in range(4)]
    await looks.over(canned, "whole-numbers")


async def test_lineage_says_who_asked_and_keeps_within_its_boxes(canned: Page) -> None:
    """In words, not by the identity of an event; also where the boxes are as narrow as they get beside each other."""
    made = version(MODEL, 1, "champion", report(None))
    run = {
        "run_id": str(made.run_id),
        "cause": "/cron#1fa005db",
        "requested_by": "event//cron",
        "request_reason": "May",
    }
    rollout = {"serving": 2, "workers": 2, "converged": True, "by_worker": []}
    more = {f"/gateway/runs/{made.run_id}": run, f"/gateway/models/{MODEL}/rollout": rollout}
    await answer(canned, answers(MODEL, [made], champion=1) | more)
    await canned.set_viewport_size({"width": 1280, "height": 900})
    await canned.goto(f"/models/{MODEL}/versions/1")

    lineage = canned.get_by_role("list", name="From data to workers")
    await expect(lineage).to_contain_text("by event from /cron: May")
    await expect(lineage).not_to_contain_text("1fa005db")
    await expect(lineage).to_contain_text("2 of 2 workers")
    badge = lineage.locator(".badge")
    room = "badge => badge.closest('li').getBoundingClientRect().right - badge.getBoundingClientRect().right"
    assert await badge.evaluate(room) > 0


async def test_slices_have_intervals(canned: Page) -> None:
    """Where there are rows enough for one; the table has its ends."""
    versions = [version(MODEL, 1, "champion", report(None)), version(MODEL, 2, "passed", report(None, against=1))]
    await answer(canned, answers(MODEL, versions, champion=1))
    await canned.goto(f"/models/{MODEL}/versions/2")

    rows = await table_of(canned, "by color (rows), the weakest first; lines: 95 % interval")
    without = [row for row in rows if row[0].startswith("red ")]
    assert [row[3:] for row in without] == [["", ""]]
    for _, value, _, low, high in (row for row in rows if row not in without):
        assert float(low) < float(value) < float(high)
