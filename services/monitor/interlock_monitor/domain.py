"""Decisions of the monitor: what a window is, and what is counted and compared within it."""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from interlock_contracts.predictions import Actual

DEFAULT_MAX_BUCKETS = 48
"""Buckets of a window at most, unless the request names their length."""

MAX_BUCKETS = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS = [timedelta(minutes=n) for n in (1, 5, 15, 30, 60, 180, 360, 720, 1440)]
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_SPAN = re.compile(r"([1-9][0-9]{0,4})([mhd])")


def parse_window(window: str, bucket: str | None, *, now: datetime) -> tuple[datetime, datetime, timedelta]:
    """Parse a window: return its begin, its end, and the length of a bucket, by default a round one.

    Buckets begin at whole multiples of their length, so that a request a minute later gets the same ones.

    Raises:
        ValueError: ``window`` or ``bucket`` is malformed, or there are too many buckets.
    """
    whole = _length("window", window)
    step = bucket_length(whole) if bucket is None else _length("bucket", bucket)
    if whole / step > MAX_BUCKETS:
        raise ValueError(f"{window} in buckets of {bucket} are more than {MAX_BUCKETS}; choose longer buckets")
    return _EPOCH + (now - whole - _EPOCH) // step * step, now, step


def _length(name: str, text: str) -> timedelta:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{name} is a number with m, h or d for minutes, hours or days, such as 30m or 7d; not {text!r}"
        )
    return int(match[1]) * _UNITS[match[2]]


def bucket_length(window: timedelta) -> timedelta:
    """Return the shortest round length with at most ``DEFAULT_MAX_BUCKETS`` buckets: from a minute to whole days."""
    fitting = next((step for step in _STEPS if step * DEFAULT_MAX_BUCKETS >= window), None)
    return fitting or timedelta(days=math.ceil(window / (DEFAULT_MAX_BUCKETS * _STEPS[-1])))


class Count(NamedTuple):
    """Row counts of one version in the bucket that begins at ``start``."""

    version: int
    start: datetime
    answered: int
    dropped: int
    logged: int


class Pair(NamedTuple):
    """An answer joined with its ground truth."""

    version: int
    at: datetime
    answer: Actual
    probabilities: Sequence[float] | None
    actual: Actual
