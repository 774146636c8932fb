"""Logged predictions and ground truth in a real database: early, late, twice, out of order, and forgotten in time."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from interlock_contracts.predictions import Feedback, FeedbackReceived, LoggedPrediction, PredictionLogged
from interlock_contracts.quality import QualityView
from interlock_monitor import routes, store
from interlock_monitor.store import GroundTruthRow, LoggedCountRow, LoggedRow
from interlock_runtime.database import Database
from interlock_runtime.http import http_app
from sqlalchemy import select

from tests.support.api_keys import KEY, letting_in

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC)
MODEL = "prices"


class Log:
    """The prediction log in a schema of its own, and the route that reads it."""

    def __init__(self, servers: dict[str, str]) -> None:
        self.database = Database(servers["INTERLOCK_POSTGRES_URL"], f"log-{uuid4().hex[:8]}")
        app = http_app(
            "monitor",
            letting_in(),
            routes=[routes.read_quality],
            pings={},
            lifespan=[],
            dependencies={"database": self.database},
        )
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),  # type: ignore[arg-type]
            base_url="http://monitor",
            headers={"Authorization": f"Bearer {KEY}"},
        )

    async def logged(self, *rows: LoggedPrediction, version: int = 1, dropped: int = 0, **more: Any) -> None:
        until = max((row.at for row in rows), default=NOW)
        about = {"model": MODEL, "version": version, "promotion_seq": version, "worker": "w", "until": until}
        counts = {"ratio": 1.0, "answered": len(rows) + dropped, "dropped": dropped}
        event = PredictionLogged.model_validate(about | counts | {"features": ["size"], "rows": rows} | more)
        async with self.database.sessions() as session, session.begin():
            await store.record_logged(session, event)

    async def told(self, *, at: datetime = NOW, **truths: Any) -> None:
        feedback = [Feedback(prediction=_name(name), actual=actual) for name, actual in truths.items()]
        async with self.database.sessions() as session, session.begin():
            await store.record_feedback(session, FeedbackReceived(model=MODEL, feedback=feedback, at=at))

    async def quality(self, **params: str) -> QualityView:
        answer = await self.http.get(f"/models/{MODEL}/quality", params=params)
        assert answer.status_code == 200, answer.text
        return QualityView.model_validate(answer.json())

    async def truth(self, name: str) -> tuple[Any, int]:
        async with self.database.sessions() as session:
            row = await session.get_one(GroundTruthRow, (MODEL, _name(name)))
            return row.actual, row.corrections


def _name(name: str) -> str:
    return f"{name}/0"


def row(name: str, answer: Any, *, at: datetime = NOW, **more: Any) -> LoggedPrediction:
    return LoggedPrediction(prediction=_name(name), at=at, values=[1.5], answer=answer, **more)


@pytest.fixture
async def log(servers: dict[str, str]) -> AsyncIterator[Log]:
    made = Log(servers)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(made.database.ready("interlock_messaging", "interlock_monitor"))
        await stack.enter_async_context(made.http)
        yield made


async def test_truth_and_row_meet_whichever_comes_first(log: Log) -> None:
    """Early, late, or never: what has no partner is counted, and waits for it."""
    await log.told(early=2.0, never=9.0)
    await log.logged(row("early", 1.0), row("late", 3.0), row("unknown", 5.0), dropped=2)
    before = await log.quality()
    await log.told(late=3.5)
    after = await log.quality()

    assert (before.versions[0].joined, before.unmatched) == (1, 1)
    (version,) = after.versions
    assert (version.answered, version.dropped, version.logged, version.joined, version.n) == (5, 2, 3, 2, 2)
    assert version.coverage == pytest.approx(2 / 3)
    assert version.metrics["mae"] == pytest.approx(0.75)
    assert after.unmatched == 1


async def test_of_several_truths_the_newest_counts_whatever_comes_last(log: Log) -> None:
    """A correction stands against an older word that was delivered late; saying the same again changes nothing."""
    await log.told(x=1.0, at=NOW)
    await log.told(x=2.0, at=NOW + timedelta(seconds=2))
    await log.told(x=1.5, at=NOW + timedelta(seconds=1))
    await log.told(x=2.0, at=NOW + timedelta(seconds=3))
    assert await log.truth("x") == (2.0, 1)

    await log.told(x=1.0, at=NOW + timedelta(seconds=4))
    assert await log.truth("x") == (1.0, 2)


async def test_a_row_that_is_logged_again_stays_as_it_was(log: Log) -> None:
    """A client may choose ids, and choose one twice; the first answer keeps the name."""
    await log.logged(row("x", 1.0))
    await log.logged(row("x", 7.0), row("y", 2.0))
    async with log.database.sessions() as session:
        answers = (await session.scalars(select(LoggedRow.answer).order_by(LoggedRow.prediction))).all()

    assert answers == [1.0, 2.0]


async def test_labels_come_back_as_they_were(log: Log) -> None:
    """True, 1 and "1" are three labels, and the version remembers which are its own."""
    rows = [row("a", True, probabilities=[0.1, 0.9]), row("b", False, probabilities=[0.6, 0.4])]
    await log.logged(*rows, labels=[False, True])
    await log.told(a=True, b=True)
    (version,) = (await log.quality()).versions

    assert version.metrics["accuracy"] == 0.5
    assert version.metrics["roc_auc"] is None


async def test_quality_is_by_version_and_by_time_within_the_window(log: Log) -> None:
    """What is older than the window does not count, and each version answers for itself."""
    hour = timedelta(hours=1)
    await log.logged(row("old", 0.0, at=NOW - 30 * hour), row("then", 1.0, at=NOW - 5 * hour))
    await log.logged(row("now", 2.0), version=2)
    await log.told(old=50.0, then=2.0, now=2.0)
    found = await log.quality(window="24h", bucket="1h")

    newer, older = found.versions
    assert (newer.version, newer.metrics["mae"]) == (2, 0.0)
    assert (older.version, older.metrics["mae"], older.joined) == (1, 1.0, 1)
    (bucket,) = [each for each in older.buckets if each.joined]
    assert bucket.start <= NOW - 5 * hour < bucket.start + hour
    assert found.bucket_seconds == 3600


async def test_a_window_that_is_none_is_explained_and_an_unknown_model_is_empty(log: Log) -> None:
    """The words say what a span looks like."""
    wrong = await log.http.get(f"/models/{MODEL}/quality", params={"window": "yesterday"})

    assert wrong.status_code == 400
    assert "7d" in wrong.json()["detail"]
    assert (await log.quality()).versions == []


async def test_what_is_old_is_forgotten_bit_by_bit(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction deletes so many rows at most; what is young stays."""
    monkeypatch.setattr(store, "PRUNE_CHUNK", 2)
    old = NOW - timedelta(days=31)
    await log.logged(*(row(f"old{n}", 1.0, at=old) for n in range(5)))
    await log.logged(row("young", 1.0))
    await log.told(old0=1.0, old1=1.0, at=old)
    await log.told(young=1.0)
    gone: list[int] = []
    while not gone or gone[-1]:
        async with log.database.sessions() as session, session.begin():
            gone.append(await store.prune(session, NOW - timedelta(days=30), {}))

    assert gone == [4, 2, 1, 0]
    (version,) = (await log.quality(window="90d")).versions
    assert (version.logged, version.joined) == (1, 1)


@pytest.mark.parametrize(("days", "left"), [(None, [1, 10]), (90, [1, 10, 50]), (5, [1])])
async def test_each_model_is_kept_as_long_as_its_pipeline_says(log: Log, days: int | None, left: list[int]) -> None:
    """Longer or shorter than the others; rows, counts and ground truth, also truth of what was never logged."""
    by_model = {} if days is None else {MODEL: NOW - timedelta(days=days)}
    for age in (1, 10, 50, 100):
        at = NOW - timedelta(days=age)
        for model in (MODEL, "other"):
            await log.logged(row(f"d{age}", 1.0, at=at), model=model)
        await log.told(at=at, **{f"d{age}": 1.0, f"early{age}": 1.0})
    gone = 1
    while gone:
        async with log.database.sessions() as session, session.begin():
            gone = await store.prune(session, NOW - timedelta(days=30), by_model)

    async def ages(column: Any, model: str = MODEL) -> list[int]:
        async with log.database.sessions() as session:
            table = column.class_
            found = await session.scalars(select(column).where(table.model == model).distinct())
            return sorted(round((NOW - each).total_seconds() / 86_400) for each in found)

    for column in (LoggedRow.at, LoggedCountRow.minute, GroundTruthRow.at):
        assert await ages(column) == left
    assert await ages(LoggedRow.at, "other") == [1, 10]
