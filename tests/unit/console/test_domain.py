"""What events mean for a run, which requests a cookie counts for, and what of an event is shown to all."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from interlock_console.domain import columns, is_same_origin, may_follow, run_changes, scalar_fields
from interlock_contracts.evaluation import EvaluationFailed
from interlock_contracts.event import Envelope, run_id
from interlock_contracts.models import ModelPromoted
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.training import RetrainRequested, TrainingFailed, TrainingQueued, TrainingStarted

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
RUN = UUID("7f000000-0000-4000-8000-000000000001")
FILE = ArtifactRef(sha256="a" * 64, bytes=1)


def envelope(event: RetrainRequested | ModelPromoted, traceparent: str | None = None) -> Envelope:
    return Envelope.of(event, source="test", cause=str(uuid4()), now=NOW, traceparent=traceparent)


def test_a_request_is_an_event_of_the_run_that_follows_from_it() -> None:
    """Whoever looks for a run finds what it goes back to, in the trace that begins there."""
    event = RetrainRequested(model="flights", reason="a look")
    said = envelope(event, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    found = columns(event, said, NOW)

    assert found["run_id"] == run_id(said.id, "flights")
    assert found["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert (found["type"], found["model"], found["time"]) == ("retrain.requested", "flights", NOW)
    assert found["data"] == {"model": "flights", "reason": "a look"}


@pytest.mark.parametrize("time", ["0001-01-02T00:00:00Z", "1969-12-31T23:59:59Z", "2026-01-31T12:00:01Z"])
def test_an_event_from_another_age_has_happened_when_it_came(time: str) -> None:
    """It would stand at an end of every list for ever, and JSON's readers have no nanoseconds for the year 9999."""
    event = RetrainRequested(model="flights")
    said = envelope(event).model_copy(update={"time": datetime.fromisoformat(time)})

    assert columns(event, said, NOW)["time"] == NOW


@pytest.mark.parametrize(("cause", "run"), [("gate", RUN), ("approval", RUN), ("rollback", None)])
def test_a_roll_back_is_no_part_of_the_run_that_once_trained_the_version(cause: str, run: UUID | None) -> None:
    """Or that run would seem to end a second time."""
    event = ModelPromoted(
        model="flights", version=1, artifact=FILE, manifest=FILE, promotion_seq=3, run_id=RUN,
        cause=cause,  # type: ignore[arg-type]
    )  # fmt: skip

    assert columns(event, envelope(event), NOW)["run_id"] == run


def test_a_run_ends_as_its_last_event_says() -> None:
    """With the reason, so that a list of runs can tell it."""
    failed = TrainingFailed(run_id=RUN, model="flights", outcome="timed_out", reason="the deadline passed")
    changes = run_changes(failed, NOW)

    assert changes == {"state": "timed_out", "outcome": "none", "reason": "the deadline passed", "ended_at": NOW}


@pytest.mark.parametrize(
    ("state", "present", "comes"),
    [
        ("running", "queued", True),
        ("running", "coalesced", True),
        ("running", "succeeded", False),
        ("queued", "running", False),
        ("succeeded", "running", True),
        ("refused", "succeeded", True),
    ],
)
def test_late_news_takes_nothing_back(state: str, present: str, comes: bool) -> None:
    """Events of several services come in any order."""
    assert may_follow(state, present) is comes


@pytest.mark.parametrize(
    ("method", "headers", "counts"),
    [
        ("GET", {b"sec-fetch-site": b"cross-site"}, True),
        ("POST", {b"sec-fetch-site": b"same-origin"}, True),
        ("POST", {b"sec-fetch-site": b"same-site"}, False),
        ("POST", {b"sec-fetch-site": b"cross-site", b"origin": b"http://host:1"}, False),
        ("DELETE", {b"origin": b"http://host:1"}, True),
        ("DELETE", {b"origin": b"http://host:2"}, False),
        ("PUT", {b"origin": b"null"}, False),
        ("POST", {}, False),
    ],
)
def test_a_cookie_counts_for_changes_from_our_own_page_only(
    method: str, headers: dict[bytes, bytes], counts: bool
) -> None:
    """Another site's page can have a browser send a request with the cookie; it is not asked by us."""
    assert is_same_origin(method, {b"host": b"host:1", **headers}) is counts


def test_what_a_stranger_asked_is_not_shown_to_all() -> None:
    """Of frequent events only names and numbers are told: no rows, no answers, no address to be told at."""
    said = {
        "model": "flights",
        "rows": [{"secret": 1}],
        "webhook": {"url": "https://x"},
        "version": 3,
        "reason": "r" * 999,
    }

    assert scalar_fields(said) == {"model": "flights", "version": 3, "reason": "r" * 200}


def test_a_start_is_no_reason() -> None:
    """What an attempt before published is over when the next one starts."""
    started = TrainingStarted(run_id=RUN, model="flights", attempt=2, pipeline_digest="b" * 64, datasets=[])

    assert run_changes(started, NOW) == {"state": "running", "attempt": 2, "started_at": NOW, "reason": None}


def test_why_and_by_whom_a_run_was_asked_stays_whatever_comes_after() -> None:
    """The request says why, the dispatcher by whom; a start or an end writes over neither."""
    asked = run_changes(RetrainRequested(model="flights", reason="a look"), NOW)
    named = run_changes(TrainingQueued(run_id=RUN, model="flights", by="ada", reason="a look"), NOW)
    later = [
        TrainingStarted(run_id=RUN, model="flights", attempt=1, pipeline_digest="b" * 64, datasets=[]),
        TrainingFailed(run_id=RUN, model="flights", outcome="failed", reason="out of memory"),
    ]

    assert asked is not None
    assert asked["request_reason"] == "a look"
    assert "reason" not in asked
    assert named == {"requested_by": "ada"}
    assert not any({"request_reason", "requested_by"} & (run_changes(each, NOW) or {}).keys() for each in later)


def test_a_verdict_brings_the_metrics() -> None:
    """Also a refusal: what was measured is what one wants to compare."""
    verdict = EvaluationFailed(
        model="flights", version=2, run_id=RUN, report=FILE, reasons=["too low"], metrics={"r2": 0.4}
    )

    assert (run_changes(verdict, NOW) or {})["metrics"] == {"r2": 0.4}
