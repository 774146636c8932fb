"""Stored datasets on their way to an answer: by digest, told to a webhook, kept as long as wanted."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar, Request, post

from tests.integration.prediction.batch_lab import CSV, Lab
from tests.support.gateway_app import listening
from tests.support.waiting import until

pytestmark = pytest.mark.integration

JSON = "application/json"


async def test_a_stored_dataset_is_answered_by_its_digest(lab: Lab) -> None:
    """What was uploaded to train on need not be uploaded again."""
    digest = lab.predictions.store.put(CSV, holdout=True).sha256
    lab.peers.datasets[digest] = CSV

    view = await lab.upload(json.dumps({"dataset": digest}).encode(), JSON)
    assert (await lab.predictions.ended(UUID(view["id"])))["state"] == "completed"
    missing = await lab.upload(json.dumps({"dataset": "0" * 64}).encode(), JSON, status=404)
    assert missing["title"] == "Unknown dataset"


async def test_the_end_of_a_dataset_is_delivered_to_a_webhook_and_kept_as_long_as_wanted(lab: Lab) -> None:
    """As with rows; a file that fails is told as well, and a key that is used again for another wish is refused."""
    told: list[dict[str, Any]] = []

    @post("/hook")
    async def hook(request: Request[Any, Any, Any]) -> None:
        told.append(await request.json())

    good, bad = CSV, CSV + b"big,red,Joan\n"
    for content in (good, bad):
        lab.peers.datasets[lab.predictions.store.put(content, holdout=True).sha256] = content
    async with listening(Litestar([hook], openapi_config=None, logging_config=None)) as url:
        wanted = {"webhook": {"url": f"{url}/hook"}, "ttl_seconds": 60}
        bodies = [json.dumps(wanted | {"dataset": sha256(each).hexdigest()}).encode() for each in (good, bad)]
        views = [await lab.upload(each, JSON, key=f"key {n}") for n, each in enumerate(bodies)]
        assert (await lab.upload(bodies[0], JSON, key="key 0"))["id"] == views[0]["id"]
        other = bodies[0].replace(b"60", b"61")
        refused = await lab.upload(other, JSON, key="key 0", status=409)
        ended = [await lab.predictions.ended(UUID(each["id"])) for each in views]
        await until(lambda: len(told) == len(bodies))

    assert "ttl_seconds" in refused["detail"]
    assert [each["webhook"]["url"] for each in views] == [f"{url}/hook"] * 2
    assert [each["state"] for each in ended] == ["completed", "failed"]
    assert {each["data"]["id"]: each["type"] for each in told} == {
        views[0]["id"]: "prediction.completed",
        views[1]["id"]: "prediction.failed",
    }
    for each in ended:
        kept = datetime.fromisoformat(each["expires_at"]) - datetime.fromisoformat(each["ended_at"])
        assert kept == timedelta(seconds=60)
