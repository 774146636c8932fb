"""The fast path answers what the route would answer, only sooner; counted, and traced where somebody asked."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_gateway.observe.counts import BOUNDS
from interlock_gateway.observe.metrics import Metrics
from interlock_gateway.observe.trace_sampling import TraceSampler
from interlock_modeling.engines import LinearEngine
from interlock_runtime.metrics import Given
from interlock_serving.manager import ModelManager
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.dependencies import dependency
from tests.support.gateway_app import KEY, Door
from tests.support.stored_models import REGRESSION, ROW, put
from tests.support.waiting import until

PREDICT = "/models/{}/predict"


@pytest.fixture
async def behind(serving: Door) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the application without its fast path."""
    app: Any = serving.app
    transport = httpx.ASGITransport(app)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://behind", headers=headers) as client:
        yield client


def told(answer: httpx.Response) -> tuple[int, str, Any]:
    """Return all of an answer but its id."""
    body = answer.json()
    return answer.status_code, answer.headers["content-type"], {**body, "id": ""}


VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, True, "red", "violet", [], {}, 10**400, -0.0, 1e308]),
    st.floats(0, 100),
    st.integers(-5, 105),
    st.floats(),
)
ROWS = st.one_of(
    st.just(ROW), st.dictionaries(st.sampled_from(["size", "color", "other"]), VALUES), st.integers(), st.none()
)
BODIES = st.one_of(
    st.lists(ROWS, max_size=3).map(lambda rows: json.dumps({"rows": rows}).encode()),
    st.binary(max_size=20),
    st.sampled_from([b'{"rows": [{"size": 1, "size": 2}]}', b'{"rows": [{"size": 1}], "rows": []}', b"{}"]),
)


async def test_front_and_route_give_the_same_answers(serving: Door, behind: httpx.AsyncClient) -> None:
    """Status, type and every word of it, for ordinary requests as for rubbish."""
    bodies: list[bytes] = []

    @given(BODIES)
    @settings(max_examples=120, database=None)
    def collect(body: bytes) -> None:
        bodies.append(body)

    collect()
    statuses = set()
    for body in bodies:
        for model in ("flights", "sales"):
            fast = await serving.http.post(PREDICT.format(model), content=body)
            route = await behind.post(PREDICT.format(model), content=body)
            assert told(fast) == told(route), body
            statuses.add(fast.status_code)
    assert statuses == {200, 400, 422}


async def test_who_gets_no_finite_answer_is_told_so_and_nobody_else_notices(serving: Door) -> None:
    """That is known only once the engine has computed, for many requests at once; then it is begun anew."""
    features = [each.model_copy(update={"min": None, "max": None}) for each in REGRESSION.features]
    engine = LinearEngine(np.array([[10.0, 0.0, 0.0]]), np.array([0.0]), "identity")
    boundless = REGRESSION.model_copy(update={"features": features})
    serving.behind.promote(put(serving.store, boundless, engine, model="boundless"), seq=1)
    await serving.serves(1, model="boundless")
    sizes = [1.0, 1e308, 2.0, -1e308] * 5
    answers = await asyncio.gather(*(serving.predict({"size": size}, model="boundless") for size in sizes))

    for size, answer in zip(sizes, answers, strict=True):
        if abs(size) < 10:
            assert answer.json()["predictions"] == [size * 10]
        else:
            assert answer.status_code == 422
            assert "no finite answer" in answer.json()["detail"]


@pytest.mark.parametrize("color", ["green", "violet"])
async def test_a_body_in_parts_is_answered_by_front_and_route_alike(serving: Door, color: str) -> None:
    """What the fast path has read is not lost to the route that explains."""
    body = json.dumps({"rows": [ROW | {"color": color}]}).encode()

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 7):
            yield body[start : start + 7]

    answer = await serving.http.post(PREDICT.format("flights"), content=parts())

    assert answer.json()["predictions"] == [1003.0]
    assert ("warnings" in answer.json()) == (color == "violet")


@pytest.mark.parametrize("key", ["", "Bearer", f"Bearer {KEY}x", f"bearer {KEY}", f"Bearer {KEY[:-1]}é"])
async def test_a_wrong_key_gets_the_route_s_own_refusal(serving: Door, key: str) -> None:
    """The fast path lets nobody in that the guard would not."""
    headers = {b"Authorization": key.encode()}
    answer = await serving.http.post(PREDICT.format("flights"), json={"rows": [ROW]}, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_ids_are_uuids_and_never_repeat(serving: Door) -> None:
    """Feedback names rows by them."""
    answers = await asyncio.gather(*(serving.predict(ROW) for _ in range(150)))
    ids = [answer.json()["id"] for answer in answers]

    assert len(set(ids)) == 150
    assert all(len(each) == 36 and each[14] == "4" for each in ids)


async def test_who_finds_no_room_is_told_to_come_again(serving: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of a problem, and the next one is answered."""
    model = dependency(serving.app, ModelManager).choose_version("flights")
    assert model is not None
    batcher = model.batcher
    with monkeypatch.context() as patch:
        patch.setattr(batcher, "_limit", 0)
        refused = await serving.predict(ROW)
    answered = await serving.predict(ROW)

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["title"] == "Too many requests wait"
    assert answered.status_code == 200


async def test_a_scrape_counts_what_came_and_how_it_ended(serving: Door) -> None:
    """By model and status; names that clients make up are no labels."""
    before = await scraped(serving)
    await serving.predict(ROW, ROW)
    await serving.predict(ROW | {"color": "violet"})
    await serving.predict({"size": "big"})
    await serving.predict(ROW, model="made-up")
    after = await scraped(serving)

    def more(name: str, **labels: str) -> float:
        key = (name, *sorted(labels.items()))
        return after.get(key, 0.0) - before.get(key, 0.0)

    assert more("interlock_predict_requests_total", model="flights", protocol="interlock", status="200") == 2
    assert more("interlock_predict_requests_total", model="flights", protocol="interlock", status="422") == 1
    assert more("interlock_predict_requests_total", model="", protocol="interlock", status="404") == 1
    assert more("interlock_predict_rows_total", model="flights", protocol="interlock") == 3
    assert more("interlock_predict_seconds_count", model="flights", protocol="interlock") == 3
    assert more("interlock_predict_seconds_bucket", model="flights", protocol="interlock", le="+Inf") == 3
    assert not [key for key in after if "made-up" in str(key)]


async def scraped(door: Door) -> dict[tuple[Any, ...], float]:
    """Return the samples by name and labels, without the worker's."""
    text = (await door.http.get("/metrics", headers={"Authorization": ""})).text
    return {
        (sample.name, *sorted((name, value) for name, value in sample.labels.items() if name != "worker")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def written(metrics: Metrics) -> str:
    registry = CollectorRegistry()
    registry.register(Given(metrics.families()))
    return generate_latest(registry).decode()


async def test_one_worker_answers_for_its_siblings(tmp_path: Path) -> None:
    """A scrape reaches one of them; those that have ended are left out."""
    own, sibling = Metrics("w-1", tmp_path), Metrics("w-2", tmp_path)
    own.of("flights").count(200, 1, BOUNDS[0])
    sibling.of("flights").count(503, 0, 60.0)
    async with own.copying(), sibling.copying():
        text = await until(lambda: said if 'worker="w-2"' in (said := written(own)) else None)
        assert (
            'interlock_predict_requests_total{model="flights",protocol="interlock",status="200",worker="w-1"} 1.0'
            in text
        )
        assert (
            'interlock_predict_requests_total{model="flights",protocol="interlock",status="503",worker="w-2"} 1.0'
            in text
        )
        assert (
            'interlock_predict_seconds_bucket{le="0.0001",model="flights",protocol="interlock",worker="w-1"} 1.0'
            in text
        )
        assert (
            'interlock_predict_seconds_bucket{le="10.0",model="flights",protocol="interlock",worker="w-2"} 0.0' in text
        )
    assert 'worker="w-2"' not in written(own)


@pytest.mark.parametrize(
    ("traceparent", "ratio", "wanted"),
    [
        (b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 0.0, True),
        (b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03", 0.0, True),
        (b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", 1.0, False),
        (b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-zz", 1.0, True),
        (b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-zz", 0.0, False),
        (b"01", 1.0, True),
        (b"", 0.0, False),
        (None, 1.0, True),
        (None, 0.0, False),
    ],
)
def test_the_caller_s_word_decides_about_a_span_else_the_ratio(
    traceparent: bytes | None, ratio: float, *, wanted: bool
) -> None:
    """A trace is whole or not there; what is no traceparent decides nothing."""
    assert TraceSampler(ratio).wants(traceparent) is wanted


def test_the_ratio_is_kept() -> None:
    """About one in four, of many."""
    sampler = TraceSampler(0.25)

    assert 0.2 < sum(sampler.wants(None) for _ in range(10_000)) / 10_000 < 0.3
