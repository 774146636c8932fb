"""What a request to score a stored dataset may say, and how what it may not is refused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from faststream.rabbit import RabbitRouter
from interlock_artifacts import MemoryStore
from interlock_contracts.data import Data
from interlock_contracts.http import DatasetView
from interlock_messaging import Bus
from interlock_prediction.batch.submission import Delivery, ScoringContext, ScoringOptions
from interlock_prediction.batch.subsystem import BatchSubsystem
from interlock_prediction.batch_routes import predict_file
from interlock_runtime.http import http_app
from interlock_runtime.problems import problem

from tests.support.api_keys import KEY, letting_in
from tests.support.stored_models import put_model

DIGEST = "0" * 64
WEBHOOK = {"url": "https://example.org/hook"}


class Submitter:
    """Knows every model and every dataset, and keeps what is submitted."""

    def __init__(self) -> None:
        self.ingest = self
        self.delivery: Delivery | None = None

    async def scoring_context(self, name: str) -> ScoringContext:
        data = Data.model_validate({"columns": {each: {"type": "number"} for each in ("size", "price")}})
        return ScoringContext(put_model(MemoryStore(), 1, model=name), 1, data)

    async def declared(self, dataset: DatasetView) -> Data:
        return (await self.scoring_context(dataset.pipeline)).data

    async def dataset(self, name: str, digest: str) -> DatasetView:
        now = datetime.now(UTC)
        about = {"pipeline": name, "digest": digest, "pipeline_digest": DIGEST, "state": "accepted", "bytes": 1}
        return DatasetView.model_validate(about | {"received_at": now})

    async def submit(self, *_: object, delivery: Delivery, options: ScoringOptions) -> None:
        del options
        self.delivery = delivery
        raise problem(503, "No database")


class NoDatabase(Bus):
    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        yield None


@pytest.fixture
def submitter() -> Submitter:
    return Submitter()


@pytest.fixture
async def http(submitter: Submitter, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    some: Any = submitter
    subsystem = BatchSubsystem(some, tmp_path, {}, some, some, launcher=None, threads={}, upload_bytes=1)
    bus = NoDatabase("amqp://nowhere", service="prediction", router=RabbitRouter(), sessions=None)
    given = {"bus": bus, "artifacts": MemoryStore(), "subsystem": subsystem}
    app: Any = http_app(
        "prediction", letting_in(scopes=["predict"]), routes=[predict_file], pings={}, lifespan=[], dependencies=given
    )
    headers, transport = {"Authorization": f"Bearer {KEY}"}, httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://prediction", headers=headers) as client:
        yield client


async def test_webhook_and_time_to_live_go_along(http: httpx.AsyncClient, submitter: Submitter) -> None:
    """They were dropped once, without a word."""
    wanted = {"dataset": DIGEST, "webhook": WEBHOOK, "ttl_seconds": 60}
    answer = await http.post("/models/flights/predictions", json=wanted)

    assert answer.json()["title"] == "No database"
    assert submitter.delivery == Delivery(WEBHOOK["url"], 60)


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("colour", {"dataset": DIGEST, "colour": 1}),
        ("rows", {"dataset": DIGEST, "rows": [{}]}),
        ("dataset", {"dataset": "my-file"}),
        ("dataset", {}),
        ("ttl_seconds", {"dataset": DIGEST, "ttl_seconds": 0}),
        ("ttl_seconds", {"dataset": DIGEST, "ttl_seconds": 31 * 24 * 3600}),
        ("webhook.url", {"dataset": DIGEST, "webhook": {"url": "ftp://example.org"}}),
        ("webhook.colour", {"dataset": DIGEST, "webhook": WEBHOOK | {"colour": 1}}),
    ],
)
async def test_what_does_not_fit_is_refused_by_its_name(http: httpx.AsyncClient, field: str, body: Any) -> None:
    """With what would be right; nothing is ignored."""
    answer = await http.post("/models/flights/predictions", json=body)

    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert answer.json()["detail"].startswith(f"{field}: ")
    assert '{"dataset": "<digest>"}' in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b""])
async def test_what_is_no_json_object_is_malformed(http: httpx.AsyncClient, body: bytes) -> None:
    """400, as everywhere."""
    answer = await http.post("/models/flights/predictions", content=body, headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["title"]) == (400, "Malformed request")
