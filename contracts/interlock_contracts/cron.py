"""Cron schedules: five fields, in UTC, and when one is due."""

from datetime import UTC, datetime, timedelta

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
_MINUTE = timedelta(minutes=1)


class Cron:
    """``minute hour day month weekday``: numbers, ``*``, ranges ``a-b``, steps ``*/n`` and ``a-b/n``, lists of those.

    Sunday is 0 or 7. As in cron, where both days are restricted, either is enough.
    """

    def __init__(self, text: str) -> None:
        """Read the five fields; ValueError says what is wrong with which."""
        fields = text.split()
        if len(fields) != len(_FIELDS):
            raise ValueError(f"{text!r} is no schedule: it has {len(fields)} fields, not minute hour day month weekday")
        sets = [_parsed(field, *bounds) for field, bounds in zip(fields, _FIELDS, strict=True)]
        self._minutes, self._hours, self._days, self._months, weekdays = sets
        self._weekdays = {day % 7 for day in weekdays}
        self._either = fields[2] != "*" and fields[4] != "*"

    def last(self, now: datetime, *, since: datetime) -> datetime | None:
        """Return the last moment up to ``now`` at which it was due, after ``since``; both timezone-aware."""
        moment = now.astimezone(UTC).replace(second=0, microsecond=0)
        while moment > since:
            if self.due(moment):
                return moment
            moment -= _MINUTE
        return None

    def due(self, moment: datetime) -> bool:
        """Return whether a minute is one of the schedule's."""
        day, weekday = moment.day in self._days, (moment.weekday() + 1) % 7 in self._weekdays
        return (
            moment.minute in self._minutes
            and moment.hour in self._hours
            and moment.month in self._months
            and (day or weekday if self._either else day and weekday)
        )


def _parsed(field: str, name: str, low: int, high: int) -> set[int]:
    values: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        bounds = [str(low), str(high)] if span == "*" else [first, last if dash else first]
        if not all(number.isdecimal() and number.isascii() for number in [*bounds, *([step] if slash else [])]):
            raise ValueError(f"{part!r} is no {name} of a schedule")
        begin, end = map(int, bounds)
        if slash and not dash and span != "*":
            end = high
        if not low <= begin <= end <= high or (slash and not int(step)):
            raise ValueError(f"{part!r} is no {name} of a schedule: they go from {low} to {high}")
        values.update(range(begin, end + 1, int(step) if slash else 1))
    return values
