"""Traffic is what the gateway's workers have counted in the window, no more and no less."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_console.home.traffic import WINDOW_SECONDS, Counters, TrafficWindow, quantile, samples_of
from interlock_gateway.observe.metrics import Metrics
from interlock_runtime.metrics import Given
from prometheus_client import generate_latest

ALIVE = 30.0
REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(["flights", "stars"]),
        st.sampled_from(["w1", "w2"]),
        st.sampled_from([200, 422, 429, 503]),
        st.integers(0, 40),
    ),
    max_size=40,
)
"""Model, worker, status, and the step of time at which each is answered."""


def scrape(metrics: Metrics) -> dict[str, dict[str, Counters]]:
    return samples_of(generate_latest(Given(metrics.families())).decode())


def test_what_workers_count_is_read_from_their_metrics(tmp_path: Path) -> None:
    """All protocols and versions together; what clients make up has no name, and is left out."""
    metrics = Metrics("w1", tmp_path)
    window = TrafficWindow()
    window.record(0.0, scrape(metrics))
    for status in (200, 200, 422, 503):
        metrics.of("flights", 3).count(status, rows=1, seconds=0.002)
    metrics.of("flights", 4, protocol="mlflow").count(200, rows=1, seconds=0.002)
    metrics.of("", 0).count(404, rows=0, seconds=0.0)
    window.record(10.0, scrape(metrics))

    [flights] = window.traffic(ALIVE)

    assert (flights.model, flights.requests, flights.refused, flights.errors) == ("flights", 5, 1, 1)
    assert flights.p50_seconds == pytest.approx(0.00175)
    assert (window.seconds, window.workers(ALIVE)) == (10.0, 1)


@settings(max_examples=60)
@given(REQUESTS)
def test_only_requests_within_the_window_count(requests: list[tuple[str, str, int, int]]) -> None:
    """Whenever they came, at whichever worker; a sum over workers misses none that was seen after the first scrape."""
    step = WINDOW_SECONDS / 20
    window, last = TrafficWindow(), 40
    for at in range(last + 1):
        window.record(at * step, {worker: counted(requests, worker, until=at) for worker in ("w1", "w2")})

    expected = Counter(model for model, _, _, at in requests if last - 20 < at <= last)
    errors = Counter(model for model, _, status, at in requests if last - 20 < at <= last and status >= 500)

    traffic = {each.model: each for each in window.traffic(ALIVE)}
    assert {model: each.requests for model, each in traffic.items() if each.requests} == dict(expected)
    assert {model: each.errors for model, each in traffic.items() if each.errors} == dict(errors)
    assert window.seconds == WINDOW_SECONDS


def counted(requests: list[tuple[str, str, int, int]], worker: str, *, until: int) -> Mapping[str, Counters]:
    """Return the counters of a worker, which only grow; a model appears with its first request."""
    found: dict[str, Counters] = {}
    for model, where, status, at in requests:
        if where == worker and at <= until:
            found.setdefault(model, Counters()).count(status, 1)
    return found


def test_before_the_second_scrape_there_is_no_traffic_to_tell() -> None:
    """What was counted before this console looked is not of the last minutes."""
    window = TrafficWindow()
    assert window.seconds is None

    window.record(5.0, {"w1": {"flights": Counters(requests=1_000_000)}})

    assert window.seconds is None
    assert [each.requests for each in window.traffic(ALIVE)] == [0]


def test_a_worker_that_has_stopped_counts_until_its_requests_are_old() -> None:
    """Its last answers were given all the same; but it serves no version any more."""
    window = TrafficWindow()
    for at, requests in ((0.0, 0), (10.0, 7)):
        window.record(at, {"old": {"flights": Counters(requests=requests, version=1)}})
    window.record(60.0, {"new": {"flights": Counters(version=2)}})
    [flights] = window.traffic(ALIVE)
    assert (flights.requests, flights.versions, window.workers(ALIVE)) == (7, {2: 1}, 1)

    window.record(60.0 + WINDOW_SECONDS, {"new": {"flights": Counters(version=2)}})
    [flights] = window.traffic(ALIVE)
    assert (flights.requests, flights.versions) == (0, {2: 1})


@pytest.mark.parametrize(
    ("buckets", "share", "value"),
    [
        ([], 0.5, None),
        ([(0.1, 0.0), (float("inf"), 0.0)], 0.5, None),
        ([(0.1, 0.0), (0.2, 10.0), (float("inf"), 10.0)], 0.5, 0.15),
        ([(0.1, 5.0), (0.2, 10.0), (float("inf"), 10.0)], 0.5, 0.1),
        ([(0.1, 0.0), (float("inf"), 4.0)], 0.99, 0.1),
    ],
)
def test_quantiles_are_those_of_prometheus(
    buckets: list[tuple[float, float]], share: float, value: float | None
) -> None:
    """Interpolated within a bucket, and beyond the last bound that bound."""
    assert quantile(buckets, share) == (None if value is None else pytest.approx(value))
