from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlock_contracts.cron import Cron

NOW = datetime(2026, 11, 21, 8, 36, 10, tzinfo=UTC)  # a Saturday
MONTH = NOW - timedelta(days=40)


@pytest.mark.parametrize(
    ("schedule", "last"),
    [
        ("0 3 * * *", "2026-11-21T03:00"),
        ("*/5 * * * *", "2026-11-21T08:35"),
        ("36 8 * * *", "2026-11-21T08:36"),
        ("37 8 * * *", "2026-11-20T08:37"),
        ("0 0 * * 1-5", "2026-11-20T00:00"),
        ("0 0 * * 7", "2026-11-15T00:00"),
        ("0 0 * * 0", "2026-11-15T00:00"),
        ("30 22 15,31 * *", "2026-11-15T22:30"),
        ("0 0 13 * 5", "2026-11-20T00:00"),
        ("10-20/5 6 * 11 *", "2026-11-21T06:20"),
        ("50/5 7 * * *", "2026-11-21T07:55"),
    ],
)
def test_the_last_tick_is_the_one_that_cron_would_have_run(schedule: str, last: str) -> None:
    """Fields, ranges, steps and lists mean what they mean in cron; two restricted days are an either-or."""
    assert Cron(schedule).last(NOW, since=MONTH) == datetime.fromisoformat(last).replace(tzinfo=UTC)


def test_what_was_not_due_since_is_no_tick() -> None:
    """A schedule that is declared after its hour waits for the next; the bound itself is past."""
    three = NOW.replace(hour=3, minute=0, second=0)

    assert Cron("0 3 * * *").last(NOW, since=three) is None
    assert Cron("0 3 * * *").last(NOW, since=three - timedelta(seconds=1)) == three
    assert Cron("0 0 30 2 *").last(NOW, since=NOW - timedelta(days=3)) is None


def test_schedules_are_in_utc() -> None:
    """Whatever the zone of the clock that is asked."""
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))

    assert Cron("0 3 * * *").last(tokyo, since=MONTH) == Cron("0 3 * * *").last(NOW, since=MONTH)


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        ("* * * *", "4 fields"),
        ("60 * * * *", "minute of a schedule: they go from 0 to 59"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of month"),
        ("* * * JAN *", "month"),
        ("* * * * 8", "day of week"),
        ("*/0 * * * *", "'\\*/0' is no minute"),
        ("5-1 * * * *", "'5-1' is no minute"),
        ("1,,2 * * * *", "'' is no minute"),
        ("-1 * * * *", "'-1' is no minute"),
        ("\u0661 * * * *", "is no minute"),
    ],
)
def test_what_is_no_schedule_is_refused_in_words(schedule: str, why: str) -> None:
    """The part at fault is named."""
    with pytest.raises(ValueError, match=why):
        Cron(schedule)


@given(st.text(max_size=20))
def test_any_text_is_a_schedule_or_a_value_error(text: str) -> None:
    """Nothing else ever comes out."""
    try:
        Cron(text)
    except ValueError:
        return
    assert len(text.split()) == 5
