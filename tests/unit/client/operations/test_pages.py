"""Lists that are longer than one request's answer."""

from typing import Any

import pytest
from interlock_client import flows

from tests.unit.cli.views import dataset, model, promotion, run, version
from tests.unit.client.conftest import Call, Service


def asked(service: Service) -> list[dict[str, str]]:
    return [dict(each.url.params) for each in service.requests]


@pytest.fixture(autouse=True)
def page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "PAGE", 2)


@pytest.mark.parametrize(
    ("operation", "route", "item", "cursor"),
    [
        ("runs", "GET /runs", run("failed"), "before"),
        ("versions", "GET /models/m/versions", version("refused"), "before"),
        ("datasets", "GET /datasets/m", dataset("accepted"), "before"),
        ("models", "GET /models", model(1), "after"),
        ("promotions", "GET /models/m/promotions", promotion(1), "before"),
    ],
)
def test_as_many_requests_as_the_limit_takes(
    service: Service, call: Call, operation: str, route: str, item: dict[str, Any], cursor: str
) -> None:
    """Each begins behind the last of the page before, with the filters of the first; a short page is the last one."""
    for count in (2, 2, 1):
        service.respond(route, [item] * count)
    name = [] if operation in ("models", "runs") else ["m"]

    assert len(call(operation, *name, limit=20)) == 5
    first, *later = asked(service)
    assert first["limit"] == "2"
    assert cursor not in first
    assert [each.keys() - first.keys() for each in later] == [{cursor}, {cursor}]


def test_no_more_is_asked_for_than_wanted(service: Service, call: Call) -> None:
    """The last request asks for what is missing."""
    service.respond("GET /runs", [run("failed")] * 2)
    service.respond("GET /runs", [run("failed")])
    assert len(call("runs", "m", state="failed", limit=3)) == 3
    assert [each["limit"] for each in asked(service)] == ["2", "1"]
    assert {(each["model"], each["state"]) for each in asked(service)} == {("m", "failed")}


def test_without_a_limit_the_service_decides(service: Service, call: Call) -> None:
    """One request, however many it answers with."""
    service.respond("GET /models/m/versions", [version("refused")] * 5)
    assert len(call("versions", "m")) == 5
    assert asked(service) == [{}]
