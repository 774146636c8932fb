"""Every route of every service, asked by nobody, by somebody wrong, with each scope alone, and by each service."""

import re
from collections.abc import Iterator

import httpx
import pytest
from interlock_console.pages import ADDRESSES
from interlock_contracts.access import SCOPES
from interlock_contracts.catalog import ROUTES
from interlock_contracts.deployment import NAMES, callers_of
from interlock_gateway.app import served
from interlock_gateway.fastpath.app import FastPathApp
from interlock_runtime.access import Access
from interlock_runtime.http import ANY, PUBLIC, SCOPE, SERVICES, http_app
from litestar import Litestar, get

from tests.security.apps import LET_IN, Way, applications, stopping_behind_the_guards, ways
from tests.support.api_keys import KEY, SERVICE_KEYS, letting_in
from tests.support.dependencies import dependency

PAGES = [*(re.sub(r":str", "", address) for address in ADDRESSES), "/static/{path}"]

OPEN = {
    *(f"{service} GET /health/{probe}" for service in NAMES for probe in ("live", "ready")),
    "gateway GET /v2/health/live",
    "gateway GET /v2/health/ready",
    # The console's page and its files; no data is in them.
    *(f"console GET {address}" for address in PAGES),
    # What opens a session, with a key or a ticket in its body, and what closes it.
    "console POST /session",
    "console POST /session/enter",
    "console DELETE /session",
    # What MLflow's probes ask.
    "gateway GET /ping",
    "gateway GET /health",
    "gateway GET /version",
    "gateway GET /models/{name}/version",
    # The gateway's own description; it is in the repository.
    *(f"gateway GET /schema{path}" for path in ("", "/openapi.json", "/{path}", "/assets/{name}")),
}
"""All that is answered without a key; `/metrics` is too, but to its own machine only."""

DECIDES = {
    f"{service} {way}"
    for service in ("gateway", "registry")
    for way in (
        "PUT /pipelines/{name}",
        "POST /models/{name}/versions/{number}/approve",
        "POST /models/{name}/versions/{number}/promote",
        "POST /models/{name}/rollback",
        "PATCH /models/{name}",
        "PATCH /models/{name}/versions/{number}",
    )
} | {
    # Whoever imports a model vouches for what the gate cannot prove: that it has not seen the held-out rows.
    f"{service} POST /models/{{name}}/import"
    for service in ("gateway", "train_dispatch")
}
"""All that the scope ``promote`` opens, and what nothing less than it opens."""

FOR_ANY_KEY = {
    "console GET /session",
    "console POST /session/tickets",
    *(f"console {method} /gateway/{{path}}" for method in ("GET", "POST", "PUT", "PATCH", "DELETE")),
}
"""What a key asks about itself, and what the gateway behind the console asks the same key's scopes for."""

SPANS = "console POST /v1/traces"

OF_SERVICES = {
    "gateway": {
        SPANS,
        "registry GET /keys/ring",
        "registry GET /serving",
        "registry PUT /workers/{worker}",
        "registry DELETE /workers/{worker}",
        "registry GET /models/{name}",
        "registry GET /pipelines/{name}",
        "train_dispatch GET /models/{name}/trainable",
    },
    "prediction": {
        SPANS,
        "registry GET /keys/ring",
        "registry GET /serving",
        "registry GET /models/{name}",
        "registry GET /pipelines",
        "registry GET /pipelines/{name}",
        "ingest GET /datasets/{name}",
        "ingest GET /datasets/{name}/{digest}",
    },
    "ingest": {
        SPANS,
        "registry GET /keys/ring",
        "registry GET /pipelines/{name}",
        "registry GET /models/{name}/versions",
        "train_dispatch GET /runs",
        "train_dispatch GET /models/{name}/unused-datasets",
    },
    "monitor": {SPANS, "registry GET /keys/ring", "registry GET /pipelines"},
    "console": {SPANS, "registry GET /keys/ring", "gateway GET /metrics"},
    "evaluation_gate": {SPANS, "registry GET /keys/ring"},
    "train_dispatch": {SPANS, "registry GET /keys/ring", "registry GET /pipelines/{name}"},
}
"""All that whoever has stolen a service's key can ask; nothing in it changes who serves."""


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Litestar]]:
    made = applications(tmp_path_factory.mktemp("apps"))
    for app in made.values():
        for scope in SCOPES:
            dependency(app, Access)._keys |= letting_in(f"only-{scope}", [scope])._keys
    with stopping_behind_the_guards():
        yield made


async def asked(apps: dict[str, Litestar], way: Way, key: str | None) -> httpx.Response:
    """Ask one route, from another machine."""
    headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
    transport = httpx.ASGITransport(app=apps[way.service], client=("10.0.0.7", 1))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as http:
        return await http.request(way.method, way.address)


async def opened(apps: dict[str, Litestar], key: str | None) -> set[str]:
    """Return every way that is open to a key, OPTIONS aside."""
    found = [way for way in ways(apps) if way.method != "OPTIONS"]
    assert len({way.service for way in found}) == len(apps)
    return {way.name for way in found if (await asked(apps, way, key)).status_code == LET_IN}


@pytest.mark.parametrize("key", [None, "wrong-key-of-some-length", KEY[:-1]])
async def test_without_a_key_nothing_is_open_but_what_is_listed(apps: dict[str, Litestar], key: str | None) -> None:
    """Everything else is a 401 that says how to come in; also OPTIONS."""
    assert await opened(apps, key) == OPEN
    for way in ways(apps):
        if way.name.replace("OPTIONS", "GET") not in OPEN:
            answer = await asked(apps, way, key)
            assert answer.status_code == 401, way.name
            assert answer.headers["www-authenticate"].startswith(("Bearer", "Basic")), way.name


@pytest.mark.parametrize("scope", SCOPES)
async def test_each_scope_opens_what_asks_for_it_and_nothing_else(apps: dict[str, Litestar], scope: str) -> None:
    """A scope that is missing is a 403 which names it."""
    for way in ways(apps):
        if way.method == "OPTIONS" or way.name in OPEN:
            continue
        answer, wanted = await asked(apps, way, f"only-{scope}"), way.handler.opt[SCOPE]
        if scope == "admin" or wanted in (scope, ANY):
            assert answer.status_code == LET_IN, way.name
        else:
            assert answer.status_code == 403, way.name
            assert repr(wanted) in answer.text.replace("\\", ""), way.name
            assert f'scope="{wanted}"' in answer.headers["www-authenticate"]


async def test_who_serves_is_decided_with_the_scope_promote_only(apps: dict[str, Litestar]) -> None:
    """Neither training nor ingesting nor reading decides anything."""
    others = [await opened(apps, f"only-{scope}") for scope in ("predict", "read", "ingest", "train")]

    assert await opened(apps, "only-promote") - OPEN - FOR_ANY_KEY == DECIDES
    assert not DECIDES & set().union(*others)


@pytest.mark.parametrize("service", SERVICE_KEYS)
async def test_a_stolen_service_key_opens_little_and_promotes_nothing(apps: dict[str, Litestar], service: str) -> None:
    """Exactly what that service asks of the others."""
    assert await opened(apps, SERVICE_KEYS[service]) - OPEN - FOR_ANY_KEY == OF_SERVICES[service]


async def test_the_door_asks_for_what_the_service_behind_asks_for(apps: dict[str, Litestar]) -> None:
    """Or a caller would be let in to be refused, or be refused what is theirs."""
    found = {way.name: way.handler.opt for way in ways(apps)}
    owners = [name for name in NAMES if "gateway" in callers_of(name)]
    doubles = {
        (name, f"{owner} {name.removeprefix('gateway ')}")
        for name in found
        for owner in owners
        if name.startswith("gateway ") and f"{owner} {name.removeprefix('gateway ')}" in found
    }
    compared = [(door, behind) for door, behind in doubles if SCOPE in found[door] and SCOPE in found[behind]]

    assert len(compared) > 20
    assert not [
        door for door, behind in compared if found[door][SCOPE] != found[behind][SCOPE] and "serving" not in door
    ]


@pytest.mark.parametrize("opt", [{}, {SCOPE: "everything"}, {SERVICES: ("gateway",)}, {PUBLIC: False}])
def test_a_service_with_a_route_that_says_nothing_does_not_start(opt: dict[str, object]) -> None:
    """Who forgets to say who may come in learns so at once."""

    @get("/forgotten", opt=opt)
    async def forgotten() -> None: ...

    with pytest.raises(ValueError, match="GET /forgotten"):
        http_app("test", letting_in(), routes=[forgotten], pings={}, lifespan=[])


def test_people_may_ask_for_four_things_on_the_bus() -> None:
    """Requests, none of which lets a model serve that the gate has not let in before."""
    assert {route.event.type for route in ROUTES if route.external} == {
        "dataset.submitted",
        "retrain.requested",
        "training.cancel_requested",
        "rollback.requested",
    }


async def test_the_short_way_asks_for_the_scope_as_well(apps: dict[str, Litestar]) -> None:
    """A prediction that never meets the framework is nobody's who may only read."""
    fast_path = FastPathApp.within(served(apps["gateway"]))
    assert fast_path is not None

    for key, may in (("only-predict", True), ("only-admin", True), ("only-read", False), ("wrong", False)):
        who = fast_path._who_may_predict({b"authorization": f"Bearer {key}".encode()})
        assert (who is not None) is may
    assert fast_path._who_may_predict({}) is None
