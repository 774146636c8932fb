"""`delete`: asked before, and told what is gone when."""

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import DIGEST, dataset

DELETED = {
    "model": "m",
    "version": 3,
    "deleted_at": "2026-11-30T08:00:00Z",
    "deleted_by": "ada",
    "objects_gone_after": "2026-11-30T09:00:00Z",
}


def test_a_version_is_deleted_once_that_is_confirmed(stub: StubGateway) -> None:
    """By a word at the terminal, or by --yes; the question stands beside the result, not in it."""
    stub.respond("DELETE /models/m/versions/3", DELETED)
    refused = interlock("delete", "m/3", stdin="n\n")
    assert (refused.code, stub.requests) == (1, [])
    assert "Delete version 3 of m for good?" in refused.err

    assert "version 3 of m is deleted" in interlock("delete", "m/3", stdin="y\n").out
    assert interlock("delete", "m/3", "--yes", "--json").json["deleted_by"] == "ada"
    assert [each.route for each in stub.requests] == ["DELETE /models/m/versions/3"] * 2


def test_a_refusal_is_told_and_a_version_must_be_named(stub: StubGateway) -> None:
    """What serves stays; a model alone is no version."""
    stub.respond_error("DELETE /models/m/versions/3", 409, "version 3 of 'm' serves")
    refused = interlock("delete", "m/3", "--yes")

    assert (refused.code, "version 3 of 'm' serves" in refused.err) == (1, True)
    assert "name a version, for instance m/2" in interlock("delete", "m", "--yes").err


def test_a_dataset_is_deleted_by_the_beginning_of_its_digest(stub: StubGateway) -> None:
    """It is asked with the name that people know it by; a version is none."""
    gone = {name: DELETED[name] for name in ("deleted_at", "deleted_by", "objects_gone_after")}
    path = f"/datasets/m/{DIGEST}"
    stub.respond("GET /datasets/m", [dataset("accepted", file_name="may.csv")])
    stub.respond(f"DELETE {path}", {"pipeline": "m", "digest": DIGEST, **gone})
    refused = interlock("delete", "m", "--dataset", DIGEST[:8], stdin="n\n")
    assert refused.code == 1
    assert f"Delete file {DIGEST[:12]} of m (may.csv) for good?" in refused.err

    ended = interlock("delete", "m", "--dataset", DIGEST[:8], "--yes")
    assert f"file {DIGEST[:12]} of m is deleted; what is stored of it is gone soon after 2026-11-30" in ended.out
    assert [each.route for each in stub.requests] == ["GET /datasets/m"] * 2 + [f"DELETE {path}"]
    assert "name the pipeline alone, m" in interlock("delete", "m/3", "--dataset", DIGEST, "--yes").err
    assert "no files have a digest" in interlock("delete", "m", "--dataset", "0123", "--yes").err


def test_a_model_is_deleted_once_its_name_is_typed_again(stub: StubGateway) -> None:
    """A slip of the pen, a version forgotten, deletes no model; the reason is sent along."""
    stub.respond("DELETE /models/m", {**DELETED, "versions": 3, "reason": "old"})
    refused = interlock("delete", "m", "--model", stdin="n\n")
    assert (refused.code, stub.requests) == (1, [])
    assert "Delete model m, with its versions, files and predictions, for good? Type its name" in refused.err

    ended = interlock("delete", "m", "--model", "--reason", "old", stdin="m\n")
    assert "model m is deleted; what is stored of it is gone soon after 2026-11-30" in ended.out
    assert interlock("delete", "m", "--model", "--yes", "--json").json["versions"] == 3
    assert [each.json for each in stub.requests] == [{"name": "m", "reason": "old"}, {"name": "m"}]
    assert "name the model alone, m" in interlock("delete", "m/3", "--model", "--yes").err
    assert "not both" in interlock("delete", "m", "--model", "--dataset", DIGEST, "--yes").err
    assert "say --model for all of it" in interlock("delete", "m", "--yes").err


def test_a_value_to_erase_is_no_argument(stub: StubGateway) -> None:
    """It is read from standard input, sent in the body, and not shown again."""
    stub.respond("POST /models/m/predictions/erase", {"model": "m", "column": "mail", "rows": 1200, "truths": 3})
    ended = interlock("erase", "m", "mail", stdin="ada@example.org\n")

    assert ended.out == "erased 1,200 logged rows and 3 ground truths of m by mail\n"
    assert "ada" not in ended.out + ended.err
    assert stub.requests[-1].json == {"column": "mail", "value": "ada@example.org"}
    assert interlock("erase", "m", "mail", stdin="").code == 2
    assert len(stub.requests) == 1
