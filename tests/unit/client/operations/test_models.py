"""Models and versions: asked for in the service's words."""

from datetime import UTC, datetime

from tests.unit.cli.views import model, version
from tests.unit.client.conftest import Call, Service


def test_two_versions_are_compared_by_their_numbers(service: Service, call: Call) -> None:
    """Whether their metrics say anything of each other is part of the answer."""
    service.respond(
        "GET /models/m/compare",
        {
            "model": "m",
            "a": version("retired", 1),
            "b": version("champion", 2),
            "comparable": False,
            "note": "other rows",
            "datasets": {},
        },
    )
    found = call("compare", "m", 1, 2)

    assert (found.comparable, found.note, found.b.version) == (False, "other rows", 2)
    assert dict(service.requests[-1].url.params) == {"a": "1", "b": "2"}


def test_lists_are_asked_for_in_pages_and_by_filters(service: Service, call: Call) -> None:
    """One name or several; what is not given is not sent."""
    for route in ("GET /models", "GET /models/m/versions", "GET /datasets/m", "GET /runs"):
        service.respond(route, [])
    since = datetime(2026, 11, 1, tzinfo=UTC)
    call("models", after="l", serving=True, limit=2)
    call("versions", "m", stage=["passed", "refused"], at_least={"r2": 0.8}, since=since, before=7)
    call("datasets", "m", state="rejected", before=since)
    call("runs", "m", since=since, limit=3)

    assert [dict(each.url.params) for each in service.requests] == [
        {"serving": "true", "after": "l", "limit": "2"},
        {"stage": "passed,refused", "since": "2026-11-01T00:00:00+00:00", "min": "r2:0.8", "before": "7"},
        {"state": "rejected", "before": "2026-11-01T00:00:00+00:00"},
        {"model": "m", "since": "2026-11-01T00:00:00+00:00", "limit": "3"},
    ]


def test_a_description_is_a_merge_patch(service: Service, call: Call) -> None:
    """What is left out is not sent; an empty text and None of a tag remove."""
    service.respond("PATCH /models/m", model(None))
    service.respond("PATCH /models/m/versions/3", version("passed", 3))
    assert call("describe", "m", description="", owner="ada").name == "m"
    assert service.json() == {"description": None, "owner": "ada"}
    assert call("describe", "m", 3, tags={"a": "b", "c": None}).version == 3
    assert service.json() == {"tags": {"a": "b", "c": None}}


def test_a_model_is_archived_and_brought_back(service: Service, call: Call) -> None:
    """One request each, which may be repeated."""
    service.refuse("PATCH /models/m", 503)
    service.respond("PATCH /models/m", model(None))
    call("archive", "m")
    call("archive", "m", archived=False)

    assert [service.json(number) for number in range(3)] == [
        {"archived": True},
        {"archived": True},
        {"archived": False},
    ]


def test_a_version_is_deleted_even_if_the_first_answer_is_lost(service: Service, call: Call) -> None:
    """A repeated request says the same."""
    deleted = {
        "model": "m",
        "version": 3,
        "deleted_at": "2026-11-30T08:00:00Z",
        "deleted_by": "ada",
        "objects_gone_after": "2026-11-30T09:00:00Z",
    }
    service.refuse("DELETE /models/m/versions/3", 503)
    service.respond("DELETE /models/m/versions/3", deleted)

    assert call("delete_version", "m", 3).objects_gone_after == datetime(2026, 11, 30, 9, tzinfo=UTC)
    assert len(service.requests) == 2


def test_a_model_is_deleted_by_its_name_said_again(service: Service, call: Call) -> None:
    """The body repeats it, with the reason where one is given."""
    deleted = {
        "model": "m",
        "versions": 2,
        "deleted_at": "2026-11-30T08:00:00Z",
        "deleted_by": "ada",
        "objects_gone_after": "2026-11-30T09:00:00Z",
    }
    service.respond("DELETE /models/m", deleted)

    assert call("delete_model", "m", reason="old").versions == 2
    call("delete_model", "m")
    assert [service.json(number) for number in range(2)] == [{"name": "m", "reason": "old"}, {"name": "m"}]
