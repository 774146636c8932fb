"""Two worker processes, a real broker and a real store: every worker swaps, and nobody who asks notices."""

import asyncio
import os
import signal
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from interlock_contracts import telemetry
from interlock_contracts.event import run_id
from interlock_contracts.models import ModelLoadFailed, ModelServing
from interlock_modeling.engines import LinearEngine

from tests.support.gateway_app import client
from tests.support.gateway_process import Gateway, ModelEvents, store_of
from tests.support.stored_models import REGRESSION, ROW, put, put_model, version_of
from tests.support.waiting import until

pytestmark = pytest.mark.integration


async def test_every_worker_swaps_under_load_and_no_request_fails(
    gateway: Gateway, events: ModelEvents, servers: dict[str, str]
) -> None:
    """Each promotion reaches both workers; every answer's numbers are of the version that it names."""
    store, model = store_of(servers), events.model
    await events.promote(put_model(store, 1, model=model), 1)
    await events.all_serve(1)
    answers: list[tuple[int, int]] = []
    done = asyncio.Event()

    async def ask(*, anew: bool) -> None:
        async with client(gateway.url) as http:
            while not done.is_set():
                options = {"Connection": "close"} if anew else {}
                answer = await http.post(f"/models/{model}/predict", json={"rows": [ROW] * 3}, headers=options)
                assert answer.status_code == 200, answer.text
                body = answer.json()
                answers.extend((body["version"], version_of(value)) for value in body["predictions"])

    clients = [asyncio.create_task(ask(anew=bool(each % 2))) for each in range(4)]
    for seq in range(2, 12):
        await events.promote(put_model(store, seq, model=model), seq)
        await events.all_serve(seq)
    done.set()
    await asyncio.gather(*clients)

    assert all(named == answered for named, answered in answers)
    assert {named for named, _ in answers} <= set(range(1, 12))
    assert len(answers) > 100
    assert {serving[model] for serving in (await gateway.workers()).values()} == {11}


async def test_promotions_out_of_order_and_repeated_never_go_back(
    gateway: Gateway, events: ModelEvents, servers: dict[str, str]
) -> None:
    """The broker may deliver late and twice; the sequence number decides."""
    store, model = store_of(servers), events.model
    refs = {seq: put_model(store, seq, model=model) for seq in range(1, 6)}
    for seq in (2, 1, 5, 3, 5, 4, 1):
        await events.promote(refs[seq], seq)
    await events.all_serve(5)
    await events.promote(put_model(store, 9, model=model), 6)
    await events.all_serve(6)

    assert {serving[model] for serving in (await gateway.workers()).values()} == {9}
    published = [event for _, event in events.received if isinstance(event, ModelServing)]
    for worker in {event.worker for event in published}:
        seqs = [event.promotion_seq for event in published if event.worker == worker]
        assert seqs == sorted(set(seqs))


async def test_one_changed_byte_is_refused_by_every_worker(
    gateway: Gateway, events: ModelEvents, servers: dict[str, str]
) -> None:
    """The old version serves on, and the event says why the new one does not."""
    store, model = store_of(servers), events.model
    await events.promote(put_model(store, 1, model=model), 1)
    await events.all_serve(1)
    bad = put_model(store, 2, model=model, intercept=float(uuid4().int % 1000))
    data = store.fetch(bad.artifact)
    store.put_latest(bad.artifact.key, data.replace(b"size", b"sizf", 1))
    await events.promote(bad, 2)
    await until(lambda: len(events.workers("model.load_failed", 2)) == 2)

    (reason,) = {event.reason for _, event in events.received if isinstance(event, ModelLoadFailed)}
    assert reason.startswith("CorruptArtifactError")
    assert {serving[model] for serving in (await gateway.workers()).values()} == {1}


async def test_a_model_that_fails_the_smoke_test_is_refused_by_every_worker(
    gateway: Gateway, events: ModelEvents, servers: dict[str, str]
) -> None:
    """Sound bytes of a model without a finite answer: tested in a process of its own, once for both workers."""
    store, model = store_of(servers), events.model
    await events.promote(put_model(store, 1, model=model), 1)
    await events.all_serve(1)
    engine = LinearEngine(np.full((1, 3), 1e308), np.array([1e308]), "identity")
    await events.promote(put(store, REGRESSION, engine, version=2, model=model), 2)
    await until(lambda: len(events.workers("model.load_failed", 2)) == 2)

    (reason,) = {event.reason for _, event in events.received if isinstance(event, ModelLoadFailed)}
    assert reason.startswith("RefusedModelError: InvalidRowsError")
    assert {serving[model] for serving in (await gateway.workers()).values()} == {1}


async def test_a_killed_worker_comes_back_with_what_was_promoted(
    gateway: Gateway, events: ModelEvents, servers: dict[str, str]
) -> None:
    """The parent starts another, which asks the registry before it takes its first request."""
    ref = put_model(store_of(servers), 3, model=events.model)
    gateway.behind.promote(ref, seq=1)
    await events.promote(ref, 1)
    await events.all_serve(1)
    before = set(await gateway.workers())
    victim = gateway.children()[0]
    os.kill(victim, signal.SIGKILL)

    async def both_serve() -> bool:
        now = await gateway.workers()
        return len(now) == 2 and set(now) != before and all(each.get(events.model) == 3 for each in now.values())

    await until(both_serve, seconds=90)
    assert victim not in gateway.children()
    # It serves before its queue is bound: what is promoted until then reaches it by reconcile, not by event.
    await until(gateway.is_subscribed, seconds=90)


async def test_a_retrain_request_is_the_root_of_its_trace(gateway: Gateway, events: ModelEvents) -> None:
    """The event carries the trace that run, promotion and swap will belong to, and gives the run the answer's id."""
    gateway.behind.pipelines.add(events.model)
    gateway.behind.trainable.add(events.model)
    answer = await gateway.ask("POST", f"/models/{events.model}/retrain", json={"reason": "a test"})
    assert answer.status_code == 202, answer.text
    ((envelope, _),) = await until(lambda: events.received)

    assert answer.json()["run_id"] == str(run_id(envelope.id, events.model))
    assert envelope.traceparent is not None
    _, trace_id, span_id, _ = envelope.traceparent.split("-")

    def roots() -> list[dict[str, Any]]:
        return [each for each in gateway.spans() if each["trace_id"] == trace_id and each["parent_id"] is None]

    (root,) = await until(roots)  # a span is written after its answer
    assert (root["name"], root["span_id"]) == (telemetry.SPAN_RETRAIN, span_id)


async def test_a_swap_belongs_to_the_trace_of_its_promotion(
    gateway: Gateway, events: ModelEvents, servers: dict[str, str]
) -> None:
    """In every worker, so that one trace tells when the last of them had the new version."""
    ref = put_model(store_of(servers), 1, model=events.model)
    traceparent = f"00-{uuid4().hex}-b7ad6b7169203331-01"
    await events.promote(ref, 1, traceparent=traceparent)
    await events.all_serve(1)
    trace_id = traceparent.split("-")[1]

    def swapped() -> set[str]:
        swaps = [each for each in gateway.spans() if each["trace_id"] == trace_id and each["name"] == "swap"]
        return {each["attributes"]["interlock.worker"] for each in swaps}

    await until(lambda: swapped() == events.workers("model.serving", 1))
    published = [envelope.traceparent for envelope, _ in events.received]
    assert all(each is not None and each.split("-")[1] == trace_id for each in published)
