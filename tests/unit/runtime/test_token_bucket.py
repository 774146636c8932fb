"""Token buckets: what is taken, when it comes back, and who is forgotten."""

import pytest
from interlock_runtime.token_bucket import MAX_KEYS, TokenBuckets


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_request_for_more_than_there_is_gets_what_there_is() -> None:
    """Of a request's rows the first are sampled; each key has a bucket of its own."""
    buckets = TokenBuckets(2.0, 10, Clock())

    assert [buckets.take("one", 7), buckets.take("one", 7), buckets.take("one", 7)] == [7, 3, 0]
    assert buckets.take("other", 7) == 7


def test_tokens_come_back_at_the_rate_and_never_more_than_a_burst() -> None:
    """Parts of a token count, but only whole ones are taken."""
    clock = Clock()
    buckets = TokenBuckets(2.0, 10, clock)
    buckets.take("one", 10)
    clock.now = 1.75

    assert buckets.take("one", 10) == 3
    assert buckets.wait("one") == pytest.approx(0.25), "half a token is left"
    clock.now = 1000.0
    assert buckets.wait("one") == 0
    assert buckets.take("one", 100) == 10


def test_a_clock_that_stands_still_gives_nothing_back() -> None:
    """Whoever holds what was taken decides when there is room again."""
    buckets = TokenBuckets(1e9, 10, Clock())

    assert [buckets.take("one", 6), buckets.take("one", 6), buckets.take("one", 6)] == [6, 4, 0]


def test_only_full_buckets_are_forgotten() -> None:
    """A key that is known no more starts with a full bucket, so nothing changes for it."""
    clock = Clock()
    buckets = TokenBuckets(1.0, 2, clock)
    for number in range(MAX_KEYS):
        buckets.take(number)
    clock.now = 0.5
    buckets.take("busy", 2)
    clock.now = 1.0
    buckets.take("another")

    assert buckets._left.keys() == {"busy", "another"}
    assert buckets.take("busy") == 0
