"""What the home page says of services and servers, whatever they answer."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_console.home import status
from interlock_console.home.health import Probe, server_health, service_health
from interlock_console.home.status import StatusMonitor
from interlock_console.settings import ConsoleSettings
from interlock_contracts.deployment import NAMES, OUTAGES, SERVERS

from tests.support.api_keys import SERVICE_KEYS, SETTINGS

Answer = Callable[[httpx.Request], httpx.Response]


async def well() -> None:
    """Answer a ping."""


def console_settings(**changes: Any) -> ConsoleSettings:
    """Return settings with an address for every service, which is its name."""
    addresses = {f"{name}_url": f"http://{name.replace('_', '-')}" for name in NAMES if name != "console"}
    given: dict[str, Any] = {
        **SETTINGS, "service_key": SERVICE_KEYS["console"], "amqp_url": "amqp://broker",
        "postgres_url": "postgresql://database/x", **addresses, **changes,
    }  # fmt: skip
    return ConsoleSettings(**given)


def ready(request: httpx.Request) -> httpx.Response:
    """Answer as a service all of whose dependencies answer; the gateway has no metrics yet."""
    if request.url.path == "/metrics":
        return httpx.Response(200, text="")
    return httpx.Response(200, json={"rabbitmq": "ok", "postgres": "ok", "s3": "ok", "ray": "ok"})


def monitored(answers: dict[str, Answer], **changes: Any) -> StatusMonitor:
    """Return a monitor of services that answer as told by host, else as if all were well."""

    def answer(request: httpx.Request) -> httpx.Response:
        return answers.get(request.url.host, ready)(request)

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return StatusMonitor(console_settings(**changes), client, {"postgres": well, "rabbitmq": well})


def hang(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("it hangs", request=request)


def stray(_: httpx.Request) -> httpx.Response:
    return httpx.Response(502, text="<html>")


def down(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused", request=request)


async def test_everything_is_ready() -> None:
    """Each service of the deployment and each server once, in the order of the flow."""
    monitor = monitored({})
    await monitor.poll()
    seen = monitor.view()

    assert [each.name for each in seen.services] == [*NAMES]
    assert [each.name for each in seen.servers] == [server.name for server in SERVERS]
    assert {each.health for each in (*seen.services, *seen.servers)} == {"ready"}


@pytest.mark.parametrize(
    ("answer", "health", "detail"),
    [
        (hang, "unreachable", "no answer within 4 seconds"),
        (down, "unreachable", "no connection: connection refused"),
        (stray, "unreachable", "what answers at its address is no service: status 502"),
        (lambda _: httpx.Response(503, json={"s3": "TimeoutError: ", "rabbitmq": "ok"}), "degraded", "waits for s3"),
    ],
)  # fmt: skip
async def test_a_registry_that_is_not_well_is_told_as_that(answer: Answer, health: str, detail: str) -> None:
    """With what is wrong, and since when; the others are what they are."""
    monitor = monitored({"registry": answer})
    await monitor.poll()
    first = {each.name: each for each in monitor.view().services}
    assert first["registry"].means == (OUTAGES["registry"] if health == "unreachable" else None)
    await monitor.poll()
    then = {each.name: each for each in monitor.view().services}

    assert (first["registry"].health, first["registry"].detail) == (health, detail)
    assert then["registry"].since == first["registry"].since
    assert then["ingest"].health == "ready"


async def test_the_time_is_that_of_the_change() -> None:
    """Down, then well again: since the poll that found it well."""
    answers: dict[str, Answer] = {"registry": down}
    monitor = monitored(answers)
    await monitor.poll()
    before = monitor.view().services
    answers.clear()
    await monitor.poll()
    after = monitor.view().services

    changed = [old.name for old, new in zip(before, after, strict=True) if new.since > old.since]
    assert changed == ["registry"]


async def test_a_service_that_never_answers_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll takes as long as an answer may, and not as long as the slowest service likes."""
    monkeypatch.setattr(status, "ANSWER_SECONDS", 0.05)

    async def never() -> None:
        await asyncio.Event().wait()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "registry":
            await never()
        return ready(request)

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    monitor = StatusMonitor(console_settings(), client, {"postgres": well, "rabbitmq": never})
    async with asyncio.timeout(20):
        await monitor.poll()

    seen = {each.name: each.health for each in monitor.view().services}
    assert (seen["registry"], seen["console"], seen["ingest"]) == ("unreachable", "degraded", "ready")


async def test_a_service_without_an_address_is_unknown() -> None:
    """A deployment of the last release gives the console fewer addresses."""
    monitor = monitored({}, monitor_url=None)
    await monitor.poll()

    seen = {each.name: each for each in monitor.view().services}
    assert (seen["monitor"].health, seen["monitor"].detail) == ("unknown", "its address is not set for the console")


async def test_metrics_are_asked_for_with_the_console_s_own_key() -> None:
    """On another machine the gateway tells them to nobody without one; what it told last stays while it is down."""
    asked: list[str] = []

    def gateway(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/metrics":
            return ready(request)
        asked.append(request.headers["authorization"])
        text = f'interlock_predict_requests_total{{model="m",protocol="x",status="200",worker="w"}} {len(asked) * 5}\n'
        return httpx.Response(200, text=text)

    answers: dict[str, Answer] = {"gateway": gateway}
    monitor = monitored(answers)
    await monitor.poll()
    await monitor.poll()
    measured = monitor.view()
    answers["gateway"] = down
    await monitor.poll()

    assert asked == [f"Bearer {SERVICE_KEYS['console']}"] * 2
    assert [(each.model, each.requests) for each in measured.traffic] == [("m", 5)]
    assert monitor.view().measured_at == measured.measured_at
    assert monitor.view().traffic == measured.traffic


REPORTS = st.dictionaries(
    st.sampled_from(NAMES),
    st.none()
    | st.builds(Probe, st.dictionaries(st.sampled_from([each.name for each in SERVERS]), st.sampled_from(["ok", "no"])))
    | st.builds(Probe, st.just({}), st.just("no answer")),
)


@settings(max_examples=100)
@given(REPORTS, st.sampled_from([each.name for each in SERVERS]))
def test_a_server_is_what_those_who_use_it_report(probes: dict[str, Probe | None], server: str) -> None:
    """Unreachable where nobody reaches it, degraded where some do not, and never well on nobody's word."""
    health, detail = server_health(server, probes)
    reports = [probe.dependencies[server] for probe in probes.values() if probe and server in probe.dependencies]

    assert (health == "ready") <= ("ok" in reports and "no" not in reports)
    assert (health == "unreachable") <= ("no" in reports)
    assert (health == "unknown") == (detail == "no service that uses it answers")
    assert all(service_health(probe)[0] in ("ready", "degraded", "unreachable", "unknown") for probe in probes.values())
