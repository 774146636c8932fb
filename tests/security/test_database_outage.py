"""A connection to Postgres that breaks inside a request: every service asks the client to come again."""

import logging
from typing import Any

import httpx
import pytest
from interlock_contracts.deployment import POSTGRES, services_using
from interlock_contracts.mlflow import PREFIX
from interlock_runtime.reverse_proxy import ReverseProxy
from litestar import Litestar
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp
from sqlalchemy.exc import DBAPIError, IntegrityError

from tests.security.apps import Way, applications, ways
from tests.support.api_keys import KEY

WITH_DATABASE = services_using(POSTGRES)
SECRET = "SELECT 'what no client may see'"


class DriverError(Exception):
    """What a driver raises, with its SQLSTATE."""

    def __init__(self, state: str) -> None:
        super().__init__(f"the server says {state}")
        self.sqlstate = state


BROKEN = DBAPIError(SECRET, {}, DriverError("57P01"))
WRONG = IntegrityError(SECRET, {}, DriverError("23505"))


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Litestar]:
    return applications(tmp_path_factory.mktemp("work"))


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """Let every route end with the one error of the list."""
    errors: list[Exception] = [BROKEN]

    async def fail(*_: Any, **__: Any) -> Any:
        raise errors[0]

    monkeypatch.setattr(HTTPRoute, "_get_response_for_request", fail)
    return errors


async def ask(app: Litestar, way: Way) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        return await http.request(way.method, way.address, headers={"Authorization": f"Bearer {KEY}"})


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("service", WITH_DATABASE)
async def test_every_route_says_when_to_come_again(
    apps: dict[str, Litestar], service: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Problem details without the statement; the log has one line, in which the driver says what happened."""
    for way in ways({service: apps[service]}):
        caplog.clear()
        answer = await ask(apps[service], way)

        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2"), way.name
        if way.address.startswith(PREFIX):  # its clients know no problem details
            assert answer.json()["error_code"] == "TEMPORARILY_UNAVAILABLE", way.name
        else:
            assert answer.headers["content-type"] == "application/problem+json", way.name
            assert answer.json()["title"] == "A dependency is down"
        assert SECRET not in answer.text
        lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert len(lines) == 1, way.name
        assert "57P01" in lines[0].getMessage()
        assert SECRET not in caplog.text


async def test_another_error_of_the_database_is_an_internal_one(
    apps: dict[str, Litestar], failing: list[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    """To come again would not help."""
    failing[0] = WRONG
    way = next(ways({"registry": apps["registry"]}))
    answer = await ask(apps["registry"], way)

    assert answer.status_code == 500
    assert SECRET not in answer.text
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.usefixtures("failing")
async def test_the_gateway_forwards_the_refusal_as_it_is(apps: dict[str, Litestar]) -> None:
    """It is the other service that answers, header and all, and the gateway has nothing to add."""
    behind = httpx.ASGITransport(apps["registry"])  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=behind) as client:
        proxy = ReverseProxy("registry", "http://127.0.0.1", client, httpx.Timeout(5))
        answer = await _through(proxy.forward, "/models")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"] == "A dependency is down"


async def _through(app: ASGIApp, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        return await http.get(path, headers={"Authorization": f"Bearer {KEY}"})
