"""Runs by the beginning of their ids."""

from uuid import UUID

import pytest

from tests.unit.cli.conftest import interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import DIGEST, RUN, dataset, pipeline, run, version

LIKE = UUID("0b7c0a52-0000-5b0c-a3c1-6e6f0a4b8f11")
OTHER = UUID("1b7c0a52-9f39-5b0c-a3c1-6e6f0a4b8f11")


@pytest.fixture
def known(stub: StubGateway) -> StubGateway:
    """Return a gateway with three runs, two of which begin alike."""
    stub.respond("GET /runs", [run("failed", reason="x", run_id=each) for each in (RUN, LIKE, OTHER)])
    stub.respond(f"GET /runs/{OTHER}", run("failed", reason="out of memory", run_id=OTHER))
    stub.respond(f"POST /runs/{OTHER}/cancel", run("failed", reason="cancelled", run_id=OTHER))
    return stub


@pytest.mark.parametrize("text", ["1b7c", "1B7C0A52", "1b7c0a52-9f39", str(OTHER)])
def test_the_beginning_of_an_id_is_enough(known: StubGateway, text: str) -> None:
    """In any case of its digits; a whole id is asked for at once."""
    ended = interlock("watch", text)

    assert "out of memory" in ended.out
    asked = [request.route for request in known.requests]
    assert ("GET /runs" in asked) == (text != str(OTHER))


def test_every_command_that_takes_a_run_takes_its_beginning(known: StubGateway) -> None:
    """Not only those that show one."""
    assert f"cancellation of run {OTHER} is requested" in interlock("cancel", "1b7c").out
    assert known.requests[-1].route == f"POST /runs/{OTHER}/cancel"
    assert "was not traced" in interlock("trace", "1b7c").err


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("0b7c", 1, f"2 runs have an id that begins with 0b7c: {RUN} (m), {LIKE} (m)"),
        ("abcd", 1, "none of the 3 newest runs has an id that begins with abcd"),
        ("1b7", 2, "'1b7' is no run's id, nor the beginning of one"),
        ("flights-1", 2, "'flights-1' is no run's id, nor the beginning of one"),
    ],
)
def test_what_means_no_run_or_several_is_told(text: str, code: int, told: str) -> None:
    """And nothing is followed."""
    ended = interlock("watch", text)

    assert ended.code == code
    assert told in " ".join(ended.err.replace("│", " ").split())


def test_a_training_takes_the_digests_that_lists_show(stub: StubGateway) -> None:
    """Of a file and of a spec, of which a version may know one that is not the newest."""
    stub.respond("POST /models/m/retrain", {"run_id": str(RUN), "run": f"/runs/{RUN}"}, status=202)
    stub.respond("GET /datasets/m", [dataset("accepted")])
    stub.respond("GET /pipelines/m", pipeline())
    stub.respond("GET /models/m/versions", [version("champion", pipeline_digest="cd" * 32)])
    interlock("retrain", "m", "--dataset", DIGEST[:12], "--pipeline", "CDCD")

    assert stub.requests[-1].json == {"dataset": DIGEST, "pipeline": "cd" * 32}
    assert "no files have a digest that begins with 'ff'" in interlock("retrain", "m", "--dataset", "ff").err
    assert stub.requests[-1].route == "GET /datasets/m"
    interlock("retrain", "m", "--dataset", "ef" * 32)
    assert stub.requests[-1].json == {"dataset": "ef" * 32}
