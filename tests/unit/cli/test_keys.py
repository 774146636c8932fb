"""`interlock keys` and `interlock audit`."""

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway

KEY = {"name": "ci", "scopes": ["train"], "created_at": "2026-11-21T11:00:00Z", "created_by": "admin"}


def test_a_key_is_shown_when_it_is_made(stub: StubGateway) -> None:
    """The scopes and the end are asked for, and the key is printed."""
    stub.respond("POST /keys", KEY | {"key": "ilk_new"}, status=201)
    ended = interlock("keys", "create", "ci", "--scope", "train", "--scope", "read", "--days", 1)

    assert ended.code == 0, ended.err
    assert "ilk_new" in ended.out
    asked = stub.requests[0].json
    assert (asked["name"], asked["scopes"]) == ("ci", ["train", "read"])
    assert asked["expires_at"].endswith("+00:00")


def test_a_scope_that_is_none_is_not_asked_for(stub: StubGateway) -> None:
    """A slip is told with the words that there are."""
    ended = interlock("keys", "create", "ci", "--scope", "write")

    assert ended.code == 2
    assert "predict" in ended.err
    assert not stub.requests


def test_keys_are_listed_with_their_end(stub: StubGateway) -> None:
    """Which work, which are over, which were revoked."""
    ends: list[dict[str, str]] = [{"expires_at": "2020-01-01T00:00:00Z"}, {"revoked_at": "2020-01-02T00:00:00Z"}, {}]
    stub.respond("GET /keys", [KEY | end for end in ends])
    shown = interlock("keys", "list").out

    for state in ("expired 2020-01-01", "revoked 2020-01-02", "active"):
        assert state in shown


def test_a_key_is_revoked_by_its_name(stub: StubGateway) -> None:
    """One word is enough."""
    stub.respond("DELETE /keys/ci", KEY | {"revoked_at": "2026-11-21T12:00:00Z"})

    assert "revoked" in interlock("keys", "revoke", "ci").out


def test_the_audit_log_is_asked_with_filters(stub: StubGateway) -> None:
    """Who did what to a model."""
    entry = {"id": 7, "at": "2026-11-21T12:00:00Z", "by": "ada", "action": "version.approved", "subject": "model/m/2"}
    stub.respond("GET /audit", [entry | {"details": {"promotion_seq": 3}}])
    ended = interlock("audit", "--subject", "model/m", "--by", "ada", "--model", "m")

    assert "version.approved" in ended.out
    assert "promotion_seq 3" in ended.out
    assert stub.requests[0].query == "by=ada&subject=model%2Fm&model=m&limit=50"


def test_tags_in_the_audit_log_are_shown_as_they_are_set(stub: StubGateway) -> None:
    """One that was removed has a minus before it."""
    entry = {"id": 7, "at": "2026-11-21T12:00:00Z", "by": "ada", "action": "model.described", "subject": "model/m"}
    stub.respond("GET /audit", [entry | {"details": {"tags": {"team": "pricing", "audited": "", "old": None}}}])
    assert "tags team=pricing audited -old" in interlock("audit").out


def test_a_missing_scope_is_told_with_the_way_out(stub: StubGateway) -> None:
    """A 403 names the scope, and who can help."""
    stub.respond_error("POST /models/m/rollback", 403, "this needs the scope 'promote'; 'ci' has train")
    ended = interlock("rollback", "m")

    assert ended.code == 1
    assert "'promote'" in ended.err
    assert "interlock keys create" in ended.err
