"""Random tables whose cells nobody would choose: at the edge of a float64, in other zones, in other scripts."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np

from tests.unit.trainer.test_served_equals_trained import Table

KINDS = ("number", "number", "integer", "boolean", "category", "datetime")
NUMBERS = (1e300, -1e300, 1e308, -1.7e308, 5e-324, 1e-300, 2.0**53 + 2, 1e22, 0.1 + 0.2, -0.0, 3.4028235677973366e38)
INTEGERS = (2**53, -(2**53), 2**53 + 1, 2**62, -(2**62), 0)
TEXTS = (
    "❄",
    "e\u0301",
    "\u00e9",
    "\u200b",
    "Ä b",
    "NaN",
    "null",
    "true",
    "1",
    "日本",
    " a",
    "a ",
    "'",
    '"',
    ";",
    "x" * 300,
)
TIMES = (
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1901, 2, 3, 4, 5, 6, 789, UTC),
    datetime(2199, 12, 31, 23, 59, tzinfo=UTC),
)


class WildTable(Table):
    """A table whose odd rows have wild cells; with ``learned`` some of its training rows do as well."""

    def __init__(self, number: int) -> None:
        rng = np.random.default_rng([2026, number])
        self._learned = rng.random() < 0.3
        super().__init__(
            [str(kind) for kind in rng.choice(KINDS, int(rng.integers(1, 7)))],
            labels=int(rng.choice([0, 0, 2, 3])),
            rows=int(rng.integers(20, 120)),
            seed=int(rng.integers(2**32)),
            missing=float(rng.choice([0.0, 0.1, 0.4])),
        )

    def _cell(self, kind: str, *, odd: bool) -> Any:
        wild = odd or (self._learned and self._rng.random() < 0.02)
        if not wild or kind == "boolean" or self._rng.random() < 0.3:
            return super()._cell(kind, odd=odd)
        if kind == "category":
            return TEXTS[self._rng.integers(len(TEXTS))]
        if kind == "integer":
            return INTEGERS[self._rng.integers(len(INTEGERS))]
        if kind == "datetime":
            zone = timezone(timedelta(minutes=int(self._rng.integers(-14 * 60, 14 * 60))))
            return TIMES[self._rng.integers(len(TIMES))].astimezone(zone)
        number = float(NUMBERS[self._rng.integers(len(NUMBERS))])
        return number if odd else number / 1e200
