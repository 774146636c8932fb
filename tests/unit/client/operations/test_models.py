"""Models and versions: asked for in the service's words."""

from tests.unit.cli.views import version
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
