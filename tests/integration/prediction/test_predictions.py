"""Asynchronous predictions by two replicas, which share the work, are killed, and still answer everything once."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from interlock_contracts.predictions import PredictionCompleted, PredictionFailed
from litestar import Litestar, Request, Response, post

from tests.support.bad_models import missing
from tests.support.gateway_app import client, listening
from tests.support.prediction_process import Predictions, running
from tests.support.stored_models import ROW, put_classifier
from tests.support.waiting import until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
async def predictions(servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Predictions]:
    async with running(servers, tmp_path_factory.mktemp("prediction"), prediction_batch="16") as predictions:
        yield predictions


@pytest.fixture
def model(predictions: Predictions) -> str:
    name = f"m-{uuid4().hex[:8]}"
    predictions.serve(name)
    return name


async def test_an_answer_is_stored_and_published(predictions: Predictions, model: str) -> None:
    """Any replica tells the result, and the event carries it."""
    asked = await predictions.ask(model, [ROW, {**ROW, "size": 5.0}])

    seen = await predictions.ended(asked, replica=1)

    assert seen["state"] == "completed"
    assert seen["answer"] == {"id": str(asked), "model": model, "version": 1, "predictions": [1003.0, 1005.0]}
    (event,) = await until(lambda: predictions.events(asked))
    assert isinstance(event, PredictionCompleted)
    assert event.answer == seen["answer"]


async def test_a_threshold_chooses_the_label(predictions: Predictions) -> None:
    """As it does at the gateway, and in the prediction log."""
    name = f"m-{uuid4().hex[:8]}"
    predictions.served[name] = put_classifier(predictions.store, model=name, threshold=0.3)
    asked = await predictions.ask(name, [{**ROW, "size": 1.0}, {**ROW, "size": 1.5}])

    assert (await predictions.ended(asked))["answer"]["predictions"] == [False, True]
    (event,) = await until(lambda: [each for each in predictions.logged if each.model == name])
    assert [row.answer for row in event.rows] == [False, True]


async def test_an_answer_is_in_the_prediction_log(predictions: Predictions, model: str) -> None:
    """Feedback finds it by the prediction's id, as it finds what the gateway answers by itself."""
    asked = await predictions.ask(model, [ROW, ROW])
    await predictions.ended(asked)

    (event,) = await until(lambda: [each for each in predictions.logged if each.model == model])
    assert (event.version, event.answered, event.dropped) == (1, 2, 0)
    assert [row.prediction for row in event.rows] == [f"{asked}/0", f"{asked}/1"]


async def test_what_is_not_known_yet_may_come(predictions: Predictions) -> None:
    """A client that looks at once after the 202 is told to look again."""
    answer = await predictions.read(uuid4())

    assert answer.status_code == 404
    assert answer.headers["Retry-After"] == "1"


async def test_one_bad_request_harms_none_that_waits_with_it(predictions: Predictions, model: str) -> None:
    """They are answered by one engine call unless one of them does not fit."""
    good = [await predictions.ask(model, [{**ROW, "size": float(n)}]) for n in range(20)]
    bad = await predictions.ask(model, [ROW, {**ROW, "size": "seven"}])
    unknown = await predictions.ask(f"m-{uuid4().hex[:8]}")

    answers = [(await predictions.ended(each))["answer"]["predictions"] for each in good]
    refused, nowhere = await predictions.ended(bad), await predictions.ended(unknown)

    assert answers == [[1000.0 + n] for n in range(20)]
    assert refused["state"] == nowhere["state"] == "failed"
    assert refused["errors"][0]["row"] == 1
    assert "size" in refused["reason"]
    assert "no version" in nowhere["reason"]
    (event,) = await until(lambda: predictions.events(bad))
    assert isinstance(event, PredictionFailed)


async def test_a_model_that_cannot_be_loaded_fails_its_predictions_with_the_reason(predictions: Predictions) -> None:
    """Nobody waits for bytes that are not there; a sound version that is promoted next answers."""
    name = f"m-{uuid4().hex[:8]}"
    predictions.served[name] = missing(predictions.store, name)

    failed = await predictions.ended(await predictions.ask(name))

    assert failed["state"] == "failed"
    assert f"no version of {name!r} can be loaded: MissingArtifactError: " in failed["reason"]
    await predictions.promote(name, 3)

    async def answered() -> bool:
        seen = await predictions.ended(await predictions.ask(name))
        return bool(seen["version"] == 3)

    await until(answered)


async def test_a_large_answer_lies_in_the_store(predictions: Predictions, model: str) -> None:
    """Events and table stay small; whoever asks gets it all the same."""
    rows = [{**ROW, "size": float(n % 100)} for n in range(20_000)]
    ref = await asyncio.to_thread(predictions.store.put, msgspec.json.encode({"rows": rows}))
    asked = await predictions.ask(model, input=ref)

    seen = await predictions.ended(asked)

    assert seen["answer"]["predictions"] == [1000.0 + n % 100 for n in range(20_000)]
    (event,) = await until(lambda: predictions.events(asked))
    assert event.answer is None
    assert predictions.store.fetch(event.result)


async def test_the_same_request_again_has_no_second_effect(predictions: Predictions, model: str) -> None:
    """Neither a message delivered twice nor another body under the same id changes an answer."""
    asked = await predictions.ask(model)
    first = await predictions.ended(asked)
    await predictions.ask(model, prediction_id=asked)
    await predictions.ask(model, [{**ROW, "size": 9.0}], prediction_id=asked, n=1)
    after = await predictions.ask(model)
    await predictions.ended(after)

    assert (await predictions.ended(asked))["answer"] == first["answer"]
    await until(lambda: predictions.events(asked) and predictions.events(after))
    assert len(predictions.events(asked)) == 1


async def test_what_is_cancelled_in_time_is_never_computed(predictions: Predictions, model: str) -> None:
    """A cancellation may even overtake its request, and is published then; one that is too late is refused."""
    early, late = uuid4(), await predictions.ask(model)
    cancelled = await predictions.http("POST", f"/predictions/{early}/cancel")
    await predictions.ask(model, prediction_id=early)
    await predictions.ended(late)
    await predictions.ended(await predictions.ask(model))

    too_late = await predictions.http("POST", f"/predictions/{late}/cancel")

    (published,) = await until(lambda: predictions.events(early))
    assert (published.outcome, published.model) == ("cancelled", model)
    await predictions.ask(model, prediction_id=early)
    await predictions.ended(await predictions.ask(model))
    assert len(predictions.events(early)) == 1
    assert cancelled.json()["state"] == "cancelled"
    assert (await predictions.http("POST", f"/predictions/{early}/cancel")).is_success
    assert (await predictions.ended(early))["answer"] is None
    assert too_late.status_code == 409


async def test_a_result_is_kept_as_long_as_was_asked(predictions: Predictions, model: str) -> None:
    """Then it is gone, and 410 says that it was there."""
    asked = await predictions.ask(model, ttl_seconds=5)
    await predictions.ended(asked)

    async def gone() -> bool:
        return (await predictions.read(asked)).status_code == 410

    await until(gone)


async def test_a_promotion_is_consumed_by_every_replica(predictions: Predictions, model: str) -> None:
    """What is asked after it is answered by the new version, whichever replica takes it."""
    assert (await predictions.ended(await predictions.ask(model)))["version"] == 1
    await predictions.promote(model, 2)

    async def all_answer_with_two() -> bool:
        asked = [await predictions.ask(model) for _ in range(20)]
        return {(await predictions.ended(each))["version"] for each in asked} == {2}

    await until(all_answer_with_two)


async def test_a_webhook_is_signed_and_tried_again(predictions: Predictions, model: str) -> None:
    """The receiver verifies it as Standard Webhooks say; a first refusal is not the end."""
    received: list[tuple[dict[str, str], bytes]] = []

    @post("/hook")
    async def hook(request: Request[Any, Any, Any]) -> Response[None]:
        received.append((dict(request.headers), await request.body()))
        return Response(None, status_code=500 if len(received) == 1 else 204)

    async with listening(Litestar([hook], openapi_config=None, logging_config=None)) as receiver:
        asked = await predictions.ask(model, webhook=f"{receiver}/hook")

        async def delivered() -> bool:
            seen = (await predictions.ended(asked))["webhook"]
            return bool(seen and seen["state"] == "delivered")

        await until(delivered)
        answer = await predictions.http("GET", "/webhooks/secret", params={"url": f"{receiver}/any"})

    secret = base64.b64decode(answer.json()["secret"].removeprefix("whsec_"))
    assert len(received) == 2
    for headers, body in received:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
    assert received[0][0]["webhook-id"] == received[1][0]["webhook-id"]
    assert json.loads(received[1][1])["data"]["answer"]["predictions"] == [1003.0]


async def test_a_stream_tells_the_end_of_what_is_not_known_yet(predictions: Predictions, model: str) -> None:
    """A stream opened before the request arrives gets its end from any replica, and then the stream ends."""
    asked, lines = uuid4(), list[str]()
    async with (
        client(predictions.replicas[1].url) as http,
        http.stream("GET", f"/predictions/{asked}/events") as stream,
    ):
        async for line in stream.aiter_lines():
            if line.startswith(":") and not lines:
                await predictions.ask(model, prediction_id=asked)
            lines.append(line)

    assert stream.headers["content-type"].startswith("text/event-stream")
    assert "event: completed" in lines
    assert "id: completed" in lines


async def test_an_open_stream_does_not_hold_up_a_stop(predictions: Predictions) -> None:
    """A replica ends its streams at the first word of a stop; clients come back by themselves."""
    replica = predictions.replicas[1]
    async with client(replica.url) as http, http.stream("GET", f"/predictions/{uuid4()}/events") as stream:
        lines = stream.aiter_lines()
        await anext(lines)
        asked = time.monotonic()
        await asyncio.gather(replica.stop(), _exhaust(lines))
        took = time.monotonic() - asked
    replica.start()

    assert took < 8
    await until(replica.ready, seconds=60)


async def _exhaust(lines: AsyncIterator[str]) -> None:
    async for _ in lines:
        pass


async def test_everything_is_answered_once_whatever_is_killed(predictions: Predictions, model: str) -> None:
    """A replica killed in the middle of its work leaves nothing behind and loses nothing."""
    victim = predictions.replicas[1]
    asked = []
    for n in range(240):
        asked.append(await predictions.ask(model, [{**ROW, "size": float(n % 100)}]))
        if n in (80, 160):
            os.kill(victim.process.pid, signal.SIGKILL)
            await asyncio.to_thread(victim.process.wait)
            victim.start()

    answers = [(await predictions.ended(each, seconds=60))["answer"]["predictions"] for each in asked]

    assert answers == [[1000.0 + n % 100] for n in range(240)]
    await until(lambda: all(predictions.events(each) for each in asked))
    assert {len({event.body() for event in predictions.events(each)}) for each in asked} == {1}
    await until(victim.ready, seconds=60)


async def test_the_beginning_of_a_predictions_id_is_enough_to_read_it(predictions: Predictions, model: str) -> None:
    """Its state, its events and a file's result; what is cancelled is named whole."""
    first = uuid4()
    second = UUID(int=first.int ^ 1)
    for asked in (first, second):
        await predictions.ask(model, prediction_id=asked)
        await predictions.ended(asked)
    begun = str(first)[:-1]
    several = await predictions.http("GET", f"/predictions/{begun}")
    addresses = [f"/predictions/{str(uuid4())[:8]}{rest}" for rest in ("", "/result", "/events")]

    assert several.status_code == 409
    assert {each["id"] for each in several.json()["errors"]} == {str(first), str(second)}
    for address in addresses:
        unknown = await predictions.http("GET", address)
        assert (unknown.status_code, unknown.json()["title"]) == (404, "Unknown prediction")
    assert (await predictions.http("POST", f"/predictions/{begun}/cancel")).status_code == 404

    alone = await predictions.ask(model)
    await predictions.ended(alone)
    assert (await predictions.http("GET", f"/predictions/{alone.hex[:31]}")).json()["id"] == str(alone)
    assert (await predictions.http("GET", f"/predictions/{alone.hex[:31]}/result")).status_code == 409
