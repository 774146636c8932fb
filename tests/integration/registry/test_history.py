"""What has served, and what came of a dataset: the registry as it runs, on a real database."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from interlock_contracts.http import VersionView
from interlock_contracts.rollout import PromotionView
from interlock_messaging.tables import OutboxRow
from interlock_registry import store
from interlock_registry.store import PromotionRow, SpecRow, VersionRow
from interlock_runtime.database import Database
from sqlalchemy import select, update

from tests.integration.registry.test_keys import SPEC, Office, opened
from tests.integration.registry.test_promotion import DATASET, REF
from tests.support.dependencies import dependency

pytestmark = pytest.mark.integration

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
async def office(servers: dict[str, str]) -> AsyncIterator[Office]:
    async with opened(servers) as made:
        yield made


@pytest.fixture
async def model(office: Office) -> str:
    """A model of two versions, promoted by the gate, by the gate, and by somebody's rollback."""
    name = f"m-{uuid4().hex[:8]}"
    ref, datasets = REF.model_dump(mode="json"), [DATASET.model_dump(mode="json")]
    async with dependency(office.app, Database).sessions() as session, session.begin():
        await store.keep_spec(session, SpecRow(pipeline=name, digest="d" * 64, spec={**SPEC, "name": name}, ref=ref))
        row = await store.lock_model(session, name)
        row.versions = 2
        for version, metrics in ((1, {"r2": 0.5}), (2, {"r2": 0.6})):
            session.add(
                VersionRow(
                    model=name,
                    version=version,
                    stage="retired",
                    run_id=uuid4(),
                    pipeline_digest="d" * 64,
                    artifact=ref,
                    manifest=ref,
                    datasets=datasets if version == 2 else [],
                    against=version - 1 or None,
                    metrics=metrics,
                )
            )
        await session.flush()
        parent = f"00-{TRACE}-b7ad6b7169203331-01"
        for seq, version, cause, by in ((1, 1, "gate", None), (2, 2, "gate", None), (3, 1, "rollback", "ada")):
            session.add(PromotionRow(model=name, seq=seq, version=version, cause=cause, by=by, traceparent=parent))
        await session.flush()
        gone = update(store.ChampionRow).where(store.ChampionRow.model == name).values(dropped=True)
        await session.execute(gone)  # its bytes are nowhere, so it does not serve
    return name


async def test_promotions_tell_what_served_since_when_and_who_decided(office: Office, model: str) -> None:
    """The newest first, page by page; the trace of each is a click away."""
    everything = await office.admin.get(f"/models/{model}/promotions")
    page = await office.admin.get(f"/models/{model}/promotions", params={"before": 3, "limit": 1})
    told = [PromotionView.model_validate(each) for each in everything.json()]

    assert [(each.promotion_seq, each.version, each.cause, each.by) for each in told] == [
        (3, 1, "rollback", "ada"),
        (2, 2, "gate", None),
        (1, 1, "gate", None),
    ]
    assert {each.trace_id for each in told} == {TRACE}
    assert [each["promotion_seq"] for each in page.json()] == [2]


async def test_a_dataset_leads_to_the_versions_that_were_trained_on_it(office: Office, model: str) -> None:
    """Lineage goes both ways; a list tells the gate's metrics, without a report for each."""
    everything = await office.admin.get(f"/models/{model}/versions")
    of_dataset = await office.admin.get(f"/models/{model}/versions", params={"dataset": DATASET.digest})
    told = [VersionView.model_validate(each) for each in everything.json()]

    measured = [(each.version, each.against, each.metrics) for each in told]
    assert measured == [(2, 1, {"r2": 0.6}), (1, None, {"r2": 0.5})]
    assert [each["version"] for each in of_dataset.json()] == [2]


async def test_every_version_is_on_one_page_whatever_the_filter(office: Office, model: str) -> None:
    """With each filter, and pages of any size: exactly those that a reader of the whole list would pick."""
    start, ref = datetime(2026, 11, 1, tzinfo=UTC), REF.model_dump(mode="json")
    values: list[dict[str, Any]] = [
        {
            "stage": ("registered", "passed", "refused", "retired")[number % 4],
            "metrics": {"r2": number % 4 / 4} if number % 3 else {"rmse": float(number)},
            "registered_at": start + timedelta(hours=number // 2),
        }
        for number in range(3, 21)
    ]
    async with dependency(office.app, Database).sessions() as session, session.begin():
        for number, value in enumerate(values, start=3):
            made = {"artifact": ref, "manifest": ref, "datasets": [], "run_id": uuid4(), "pipeline_digest": "d" * 64}
            session.add(VersionRow(model=model, version=number, **made, **value))
    filters: list[tuple[dict[str, Any], Callable[[VersionView], bool]]] = [
        ({}, lambda _: True),
        ({"stage": "refused,passed"}, lambda each: each.stage in ("refused", "passed")),
        ({"min": "r2:0.5"}, lambda each: each.metrics.get("r2", -1) >= 0.5),
        ({"max": "r2:1,rmse:9"}, lambda _: False),
        ({"max": "rmse:9"}, lambda each: each.metrics.get("rmse", 99) <= 9),
        ({"since": "2026-11-01T05:00:00Z"}, lambda each: each.registered_at >= start + timedelta(hours=5)),
        (
            {"stage": "retired", "min": "r2:0.5"},
            lambda each: each.stage == "retired" and each.metrics.get("r2", -1) >= 0.5,
        ),
    ]
    path = f"/models/{model}/versions"
    everything = [VersionView.model_validate(each) for each in (await office.admin.get(path)).json()]
    assert len(everything) == 20
    for params, wanted in filters:
        expected = [each.version for each in everything if wanted(each)]
        for limit in (1, 3, 20):
            found: list[int] = []
            page: list[int] | None = None
            while page is None or page:
                cursor = {"before": found[-1]} if found else {}
                answer = await office.admin.get(path, params={**params, **cursor, "limit": limit})
                page = [each["version"] for each in answer.json()]
                found += page
            assert found == expected, (params, limit)


async def test_models_are_listed_by_name_and_by_whether_they_serve(office: Office, model: str) -> None:
    """A part of the name, in any case; page by page."""

    async def names(**params: Any) -> list[str]:
        return [each["name"] for each in (await office.admin.get("/models", params=params)).json()]

    everything = await names()
    paged = [name for after in ["", *everything] for name in await names(after=after, limit=1)]

    assert (paged, model in everything) == (everything, True)
    assert await names(text=model[2:].upper(), serving=False) == [model]
    assert await names(text=model, serving=True) == []
    assert await names(text="%") == []


async def test_the_list_names_the_newest_version_that_was_not_deleted(office: Office, model: str) -> None:
    """And counts no workers for a model of which none serves."""

    async def listed() -> tuple[Any, Any]:
        (found,) = (await office.admin.get("/models", params={"text": model})).json()
        return found["newest"], found["rollout"]

    assert await listed() == ({"version": 2, "stage": "retired"}, None)
    assert (await office.admin.delete(f"/models/{model}/versions/2")).is_success
    assert await listed() == ({"version": 1, "stage": "retired"}, None)


async def test_what_is_said_of_a_model_and_a_version_is_kept_listed_and_audited(office: Office, model: str) -> None:
    """By whoever may promote; a merge patch is taken under either media type."""
    path, version = f"/models/{model}", f"/models/{model}/versions/2"
    name, decider = await office.make("promote")
    _, reader = await office.make("read", "train")
    async with decider, reader:
        published = {"description": "Delays", "owner": "ada", "tags": {"team": "x", "audited": ""}}
        assert (await reader.patch(path, json=published)).status_code == 403
        changed = await decider.patch(path, json=published)
        merge = {"Content-Type": "application/merge-patch+json"}
        await decider.patch(path, content=b'{"owner": null, "tags": {"audited": null}}', headers=merge)
        await decider.patch(version, json={"tags": {"stage": "pilot"}})
        refused = await decider.patch(version, json={"owner": "ada"})
        unknown = await decider.patch(f"/models/{model}/versions/9", json={})
        listed = [
            [each["name"] for each in (await reader.get("/models", params=params)).json()]
            for params in ({"tag": "team:x"}, {"tag": "team"}, {"tag": "team:y"}, {"owner": "ada"})
        ]
        versions = [
            [each["version"] for each in (await reader.get(f"{path}/versions", params={"tag": tag})).json()]
            for tag in ("stage:pilot", "stage,more")
        ]
        view = (await reader.get(path)).json()

    assert (changed.status_code, changed.json()["owner"]) == (200, "ada")
    assert (view["description"], view["owner"], view["tags"]) == ("Delays", None, {"team": "x"})
    assert (refused.status_code, "owner" in refused.text, unknown.status_code) == (400, True, 404)
    assert (listed, versions) == ([[model], [model], [], []], [[2], []])
    entries = await office.entries(subject=f"model/{model}", by=name)
    assert [(each.action, each.subject, each.details) for each in reversed(entries)] == [
        ("model.described", f"model/{model}", published),
        ("model.described", f"model/{model}", {"owner": "", "tags": {"audited": None}}),
        ("version.described", f"model/{model}/2", {"tags": {"stage": "pilot"}}),
    ]


async def test_an_archived_model_is_out_of_lists_until_it_is_back(office: Office, model: str) -> None:
    """Published once for each change, in a defined order, and audited; its description stays."""
    path, reader = f"/models/{model}", office.admin

    async def listed(**params: Any) -> bool:
        return model in [each["name"] for each in (await reader.get("/models", params=params)).json()]

    for archived in (True, True, False, True):
        answer = await office.admin.patch(path, json={"archived": archived, "owner": "ada"})
        assert (answer.status_code, bool(answer.json()["archived_at"])) == (200, archived)
        assert (await listed(), await listed(archived=True)) == (not archived, archived)
    assert (await reader.get(path)).json()["owner"] == "ada"
    async with dependency(office.app, Database).sessions() as session:
        query = select(OutboxRow).where(OutboxRow.type == "model.archived").order_by(OutboxRow.seq)
        bodies = [json.loads(row.payload) for row in await session.scalars(query)]
    published = [(each["seq"], each["archived"]) for each in bodies if each["model"] == model]
    assert published == [(1, True), (2, False), (3, True)]
    entries = await office.entries(subject=f"model/{model}")
    assert [each.action for each in reversed(entries)] == [
        "model.described",
        "model.archived",
        "model.restored",
        "model.archived",
    ]


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/models/nobody/promotions", 404, "no pipeline is called 'nobody'; apply one first"),
        ("/models/{model}s", 404, "did you mean '{model}'?"),
        ("/pipelines/{model}s", 404, "did you mean '{model}'?"),
        ("/models/{model}s/promotions", 404, "did you mean '{model}'?"),
        ("/models/{model}s/versions", 404, "did you mean '{model}'?"),
        ("/models/{model}s/rollout", 404, "did you mean '{model}'?"),
        ("/models/{model}s/versions/1", 404, "did you mean '{model}'?"),
        ("/models/{model}/versions/9", 404, "model '{model}' has no version 9; the newest is 2"),
        ("/models/{model}/compare?a=1&b=9", 404, "has no version 9"),
        ("/models/{model}/compare?a=1&b=0", 400, "b"),
        ("/models/{model}/compare?a=1", 400, "b"),
        ("/models/{model}/versions?stage=retierd", 400, "'retierd' is none of registered, passed"),
        ("/models/{model}/versions?min=r2", 400, "min: 'r2' is no bound of a metric; write for instance r2:0.8"),
        ("/models/{model}/versions?since=2026-11-01T00:00:00", 400, "since must have a time zone"),
        ("/models/{model}/promotions?limit=0", 400, "limit"),
        ("/models/{model}/promotions?before=99999999999999999999", 400, "before"),
        ("/models/{model}/versions?dataset=abc", 400, "dataset"),
    ],
)
async def test_what_cannot_be_told_is_a_problem_that_names_the_field(
    office: Office, model: str, path: str, status: int, told: str
) -> None:
    """Never a 500."""
    answer = await office.admin.get(path.replace("{model}", model))

    assert answer.status_code == status
    assert told.replace("{model}", model) in answer.text


@pytest.mark.parametrize(
    ("path", "told"), [("{model}/versions/9", "no version 9; the newest is 2"), ("{model}s/versions/1", "did you mean")]
)
async def test_an_approval_of_what_is_not_there_says_what_is(office: Office, model: str, path: str, told: str) -> None:
    """As a look at it does."""
    answer = await office.admin.post(f"/models/{path.replace('{model}', model)}/approve")

    assert answer.status_code == 404
    assert told in answer.text
