"""`tag`: what people say of a model or a version."""

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import model, version


def test_tag_changes_only_what_is_named(stub: StubGateway) -> None:
    """A tag without a value is one; an empty description removes."""
    stub.respond("PATCH /models/m/versions/3", version("passed", 3, tags={"audited": "", "stage": "pilot"}))
    ended = interlock("tag", "m/3", "audited", "stage=pilot", "--remove", "old", "--description", "")

    assert stub.requests[-1].json == {"description": None, "tags": {"audited": "", "stage": "pilot", "old": None}}
    assert ended.out == "tags: audited, stage=pilot\n"


def test_tag_shows_what_is_said_of_a_model(stub: StubGateway) -> None:
    """Also when nothing is changed."""
    said = {"description": "Delays from New York", "owner": "ops@example.org"}
    stub.respond("PATCH /models/m", {**model(None), **said})

    assert interlock("tag", "m").out == "Delays from New York\nowner: ops@example.org\n"
    assert interlock("tag", "m", "--owner", "ops@example.org").code == 0
    assert [each.json for each in stub.requests] == [{}, {"owner": "ops@example.org"}]


def test_lists_show_and_filter_by_tags(stub: StubGateway) -> None:
    """With a value, or with any."""
    stub.respond("GET /models", [{**model(None), "owner": "ada", "tags": {"team": "x"}}])
    stub.respond("GET /models/m/versions", [version("passed", 3, tags={"audited": ""})])
    models = interlock("models", "--owner", "ada", "--tag", "team=x", "--tag", "audited")
    versions = interlock("versions", "m", "--tag", "audited")

    assert ("ada" in models.out, "team=x" in models.out, "audited" in versions.out) == (True, True, True)
    assert [each.query for each in stub.requests] == ["owner=ada&tag=team%3Ax%2Caudited", "tag=audited"]


def test_archive_and_back(stub: StubGateway) -> None:
    """Archived models are listed when they are asked for, and show how they come back."""
    archived = {**model(None), "archived_at": "2026-11-30T00:00:00Z"}
    stub.respond("PATCH /models/m", archived)
    stub.respond("PATCH /models/m", model(None))
    stub.respond("GET /models", [archived])
    stub.respond("GET /models/m", archived)

    assert "model m is archived" in interlock("archive", "m").out
    assert "model m is back" in interlock("archive", "m", "--undo").out
    assert [each.json for each in stub.requests] == [{"archived": True}, {"archived": False}]
    assert interlock("models", "--archived").code == 0
    assert stub.requests[-1].query == "archived=true"
    assert "interlock archive m --undo" in interlock("show", "m").out
