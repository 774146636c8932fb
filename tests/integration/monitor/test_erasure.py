"""A subject's rows are erased from the prediction log, in a real database, and nothing tells who the subject was."""

import logging
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from faststream.rabbit import RabbitRouter
from interlock_contracts.predictions import Feedback, FeedbackReceived, LoggedPrediction, PredictionLogged
from interlock_messaging import Bus
from interlock_monitor import erasure, routes, store
from interlock_runtime.database import Database
from interlock_runtime.http import http_app
from sqlalchemy import text

from tests.integration.monitor.test_prediction_log import NOW
from tests.support.api_keys import KEY, letting_in

pytestmark = pytest.mark.integration

ADA = "ada@example.org"


class Log:
    """The prediction log in a schema of its own, and the routes that erase from it and measure by it."""

    def __init__(self, servers: dict[str, str]) -> None:
        self.schema = f"log-{uuid4().hex[:8]}"
        self.database = Database(servers["INTERLOCK_POSTGRES_URL"], self.schema)
        bus = Bus(
            servers["INTERLOCK_AMQP_URL"], service="monitor", router=RabbitRouter(), sessions=self.database.sessions
        )
        app = http_app(
            "monitor",
            letting_in(),
            routes=[*erasure.ROUTES, *routes.ROUTES],
            pings={},
            lifespan=[],
            dependencies={"database": self.database, "bus": bus},
        )
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),  # type: ignore[arg-type]
            base_url="http://monitor",
            headers={"Authorization": f"Bearer {KEY}"},
        )

    async def logged(self, model: str, features: list[str], rows: dict[str, list[Any]], *, version: int = 1) -> None:
        """Log rows by their names, each with ground truth but one."""
        logged = [
            LoggedPrediction(prediction=f"{name}/0", at=NOW, values=row, answer=1.0) for name, row in rows.items()
        ]
        event = PredictionLogged(
            model=model,
            version=version,
            promotion_seq=version,
            worker="w",
            until=NOW,
            ratio=1.0,
            answered=len(rows),
            features=features,
            rows=logged,
        )
        truths = [Feedback(prediction=f"{name}/0", actual=2.0) for name in rows if name != "no-truth"]
        async with self.database.sessions() as session, session.begin():
            await store.record_logged(session, event)
            await store.record_feedback(session, FeedbackReceived(model=model, feedback=truths, at=NOW))

    async def erase(self, model: str, **body: Any) -> httpx.Response:
        return await self.http.post(f"/models/{model}/predictions/erase", json=body)

    async def left(self, table: str, model: str) -> list[str]:
        async with self.database.sessions() as session:
            query = f"select prediction from {table} where model = :model order by 1"
            found = await session.scalars(text(query), {"model": model})
            return [each.removesuffix("/0") for each in found]

    async def everything(self) -> str:
        """Return all that the schema holds, as text."""
        async with self.database.sessions() as session:
            named = "select table_name from information_schema.tables where table_schema = :schema"
            tables = (await session.scalars(text(named), {"schema": self.schema})).all()
            found = [(await session.scalars(text(f'select t::text from "{each}" t'))).all() for each in tables]
            payloads = await session.scalars(text("select convert_from(payload, 'UTF8') from outbox"))
            return "\n".join(str(each) for each in (*found, payloads.all()))


@pytest.fixture
async def log(servers: dict[str, str]) -> AsyncIterator[Log]:
    made = Log(servers)
    async with made.database.ready("interlock_messaging", "interlock_monitor"), made.http:
        yield made


async def test_every_row_of_a_subject_goes_with_its_truth_and_no_other(
    log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    """In every version, wherever it has the column; nothing that is kept or logged holds the value."""
    caplog.set_level(logging.DEBUG)
    await log.logged("m", ["mail", "size"], {"a": [ADA, 1], "b": ["bob", 2], "no-truth": [ADA, 3]})
    await log.logged("m", ["size", "mail"], {"c": [4, ADA], "d": [5, None]}, version=2)
    await log.logged("m", ["size", "name"], {"e": [6, ADA]}, version=3)
    answer = await log.erase("m", column="mail", value=ADA)

    assert (answer.status_code, answer.json()) == (200, {"model": "m", "column": "mail", "rows": 3, "truths": 2})
    assert await log.left("logged", "m") == ["b", "d", "e"], "e has it in another column, which was not named"
    assert await log.left("truth", "m") == ["b", "d", "e"]
    assert (await log.erase("m", column="name", value=ADA)).json()["rows"] == 1
    everything = await log.everything()
    assert "predictions.erased" in everything
    assert ADA not in everything + caplog.text


async def test_other_models_keep_their_rows(log: Log) -> None:
    """Each is asked for by its name."""
    for model in ("m", "n"):
        await log.logged(model, ["mail"], {"a": [ADA]})
    await log.erase("m", column="mail", value=ADA)

    assert (await log.left("logged", "m"), await log.left("logged", "n")) == ([], ["a"])
    assert (await log.left("truth", "m"), await log.left("truth", "n")) == ([], ["a"])


@pytest.mark.parametrize(
    ("value", "gone"),
    [
        (3, ["float", "int", "text"]),
        ("3", ["float", "int", "text"]),
        (3.0, ["float", "int"]),
        ("3.50", ["decimals", "half"]),
        (True, ["bool", "true"]),
        ("true", ["bool", "true"]),
        ("nan", ["nan"]),
        (0, []),
        ("", []),
        ("' or true --", []),
        (10**30, ["large"]),
        ("1e30", ["large"]),
        ("3_0", []),
        (" 3", []),
        ("1e999999999", []),
        ("9" * 10_000, []),
    ],
)
async def test_a_value_is_found_however_it_is_written(log: Log, value: Any, gone: list[str]) -> None:
    """Whoever asks need not know the column's type; what is no number is compared as text."""
    rows: dict[str, list[Any]] = {
        "int": [3],
        "float": [3.0],
        "text": ["3"],
        "half": [3.5],
        "decimals": ["3.50"],
        "bool": [True],
        "true": ["true"],
        "nan": ["nan"],
        "null": [None],
        "large": [10**30],
    }
    await log.logged("m", ["x"], rows)
    answer = await log.erase("m", column="x", value=value)

    assert answer.status_code == 200, answer.text
    assert set(rows) - set(await log.left("logged", "m")) == set(gone)


@pytest.mark.parametrize(
    ("model", "body", "status", "told"),
    [
        ("m", {"column": "mial", "value": ADA}, 404, "no logged version of 'm' has the column 'mial'; there are mail"),
        ("n", {"column": "mail", "value": ADA}, 404, "nothing is logged of model 'n'"),
        ("m", {"column": "mail"}, 400, "value"),
        ("m", {"column": "mail", "value": None}, 400, "value"),
        ("m", {"column": "mail", "value": [ADA]}, 400, "value"),
        ("m", {"column": "mail", "value": f"{ADA}\0"}, 400, "NUL"),
        ("m", {"column": "mail", "valeu": ADA}, 400, "valeu"),
    ],
)
async def test_what_cannot_be_erased_is_told_and_changes_nothing(
    log: Log, caplog: pytest.LogCaptureFixture, model: str, body: dict[str, Any], status: int, told: str
) -> None:
    """The refusal names the column, and its log no value."""
    caplog.set_level(logging.DEBUG)
    await log.logged("m", ["mail"], {"a": [ADA]})
    answer = await log.erase(model, **body)

    assert (answer.status_code, told in answer.text) == (status, True), answer.text
    assert await log.left("logged", "m") == ["a"]
    assert ADA not in caplog.text
