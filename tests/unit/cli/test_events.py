"""`events` and `open`: what the console tells, and the way into it."""

import json
from urllib.parse import parse_qs

import pytest

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import RUN

PROMOTED = {
    "id": "e1",
    "type": "model.promoted",
    "source": "/registry",
    "subject": "model/m",
    "time": "2026-11-21T12:00:00.250Z",
    "model": "m",
    "run_id": str(RUN),
    "trace_id": "a" * 32,
    "data": {"version": 2, "cause": "gate"},
}
SOON = "2026-11-21T12:10:00Z"
REFUSED = {**PROMOTED, "id": "e0", "type": "evaluation.failed", "time": "2026-11-21T11:59:00Z", "data": {}}


@pytest.fixture(autouse=True)
def console(stub: StubGateway, monkeypatch: pytest.MonkeyPatch) -> StubGateway:
    monkeypatch.setenv("INTERLOCK_CONSOLE_URL", stub.url)
    monkeypatch.setattr("interlock_client.client.RECONNECT_SECONDS", 0.001)
    return stub


def stream(*said: tuple[str, str]) -> bytes:
    return "".join(f": still here\n\nid: 7\nevent: {name}\ndata: {data}\n\n" for name, data in said).encode()


def test_past_events_come_first_the_oldest_first(console: StubGateway) -> None:
    """What it is, of which model and run, and what about it; only what was asked for."""
    console.respond(
        "GET /view/events",
        {"events": [PROMOTED, {**REFUSED, "data": {"reasons": ["r2 is too low", {"message": "far"}]}}]},
    )
    ended = interlock("events", "--model", "m", "--last", 5, "--no-follow")
    first, second = ended.out.splitlines()

    assert "evaluation.failed" in first
    assert "r2 is too low; far" in first
    assert second.split()[1:] == ["model.promoted", "m", "version=2", "cause=gate", "run", str(RUN)]
    (query,) = (parse_qs(asked.query) for asked in console.requests)
    assert (query["model"], query["limit"]) == (["m"], ["5"])


def test_ephemeral_events_have_to_be_asked_for(console: StubGateway) -> None:
    """A tail that a busy gateway fills tells nothing; by name, or with a word, it is there."""
    console.respond("GET /view/events", {"events": []})
    for more in ((), ("--frequent",), ("--type", "prediction.logged", "--type", "model.promoted")):
        interlock("events", "--no-follow", *more)
    plain, every, named = (parse_qs(asked.query).get("type", [""])[0].split(",") for asked in console.requests)

    assert "model.promoted" in plain
    assert "prediction.logged" not in plain
    assert every == [""]
    assert named == ["prediction.logged", "model.promoted"]


def test_with_json_every_event_is_a_line(console: StubGateway) -> None:
    """A program reads along, line by line, and gets the whole content."""
    console.respond("GET /view/events", {"events": [PROMOTED]})
    ended = interlock("events", "--no-follow", "--json")

    assert ended.json["data"] == {"version": 2, "cause": "gate"}
    assert ended.out.count("\n") == 1


def test_the_tail_goes_on_where_it_broke_off(console: StubGateway) -> None:
    """By the id that it heard last; what was shown as an earlier event is not shown again."""
    console.respond("GET /view/events", {"events": [PROMOTED]})
    console.respond("GET /view/live", stream(("model.promoted", json.dumps(PROMOTED))))
    console.respond("GET /view/live", stream(("evaluation.failed", json.dumps(REFUSED))))
    console.respond_error("GET /view/live", 403, "the key is revoked")  # or it would go on for ever
    ended = interlock("events", "--model", "m", "--frequent")

    assert [line.split()[1] for line in ended.out.splitlines() if "  m  " in line] == [
        "model.promoted",
        "evaluation.failed",
    ]
    assert "the key is revoked" in ended.err
    assert [asked.query for asked in console.requests[1:]] == ["model=m"] * 3
    assert [asked.headers.get("last-event-id") for asked in console.requests[1:]] == [None, "7", "7"]


def test_a_console_that_is_down_is_exit_code_three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts can tell what may help itself from what is refused."""
    monkeypatch.setenv("INTERLOCK_CONSOLE_URL", "http://127.0.0.1:1")
    ended = interlock("events")

    assert ended.code == 3
    assert "nothing answers at http://127.0.0.1:1" in ended.err


def test_an_unknown_event_is_wrong_usage() -> None:
    """The types there are stand in the answer."""
    ended = interlock("events", "--type", "model.promotd")

    assert ended.code == 2
    assert "model.promoted" in ended.err


def test_open_prints_an_address_that_signs_in(console: StubGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ticket is asked for with the caller's own key, for the run's page; without a desktop nothing is started."""
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    console.respond(
        "POST /session/tickets",
        {"address": f"{console.url}/enter?ticket=t&to=/runs/{RUN}", "expires_at": SOON},
        status=201,
    )
    ended = interlock("open", RUN)

    assert ended.out.splitlines()[0] == f"{console.url}/enter?ticket=t&to=/runs/{RUN}"
    assert console.requests[0].json == {"to": f"/runs/{RUN}"}


def test_open_starts_a_browser_where_one_can_be_seen(console: StubGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a desktop, unless it is asked not to."""
    opened: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", opened.append)
    console.respond("POST /session/tickets", {"address": "http://there", "expires_at": SOON})
    assert interlock("open", "--page", "/events").code == 0
    assert interlock("open", "--no-browser").code == 0

    assert opened == ["http://there"]
    assert [asked.json["to"] for asked in console.requests] == ["/events", "/"]


def test_open_leads_nowhere_else() -> None:
    """A page is a path of the console."""
    assert interlock("open", "--page", "http://elsewhere").code == 2
    assert interlock("open", RUN, "--page", "/events").code == 2
