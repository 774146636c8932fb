"""The job's phases with their times, for the trace: `train_dispatch` makes spans of them (see decision 0095)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from interlock_contracts import telemetry
from interlock_contracts.manifest import Phase

Attribute = str | int | float | bool


@dataclass
class _Open:
    name: str
    parent: str | None
    start_ns: int
    attributes: dict[str, Attribute]
    end_ns: int | None = None
    timed: bool = True


@dataclass
class Phases:
    """What the job has done so far; a parent always stands before its children."""

    _all: list[_Open] = field(default_factory=list)
    _stack: list[str] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str) -> Iterator[dict[str, Attribute]]:
        """Record the enclosed work; what is put into the yielded dictionary becomes an attribute."""
        phase = _Open(name, self._stack[-1] if self._stack else None, time.time_ns(), {})
        self._all.append(phase)
        self._stack.append(name)
        try:
            yield phase.attributes
        finally:
            self._stack.pop()
            phase.end_ns = time.time_ns()

    def record(
        self, name: str, start_ns: int, end_ns: int, attributes: dict[str, Attribute], *, error: str | None = None
    ) -> None:
        """Add a part of the phase that is open, one of several of that name: a candidate, a trial."""
        about = attributes | ({telemetry.ERROR_TYPE: error} if error else {})
        self._all.append(_Open(name, self._stack[-1] if self._stack else None, start_ns, about, end_ns, timed=False))

    def spans(self) -> list[Phase]:
        """Return all phases; those still open end now."""
        now = time.time_ns()
        return [
            Phase(name=p.name, parent=p.parent, start_ns=p.start_ns, end_ns=p.end_ns or now, attributes=p.attributes)
            for p in self._all
        ]

    def seconds(self) -> dict[str, float]:
        """Return the duration of each phase in seconds; phases that were only recorded are left out."""
        now = time.time_ns()
        return {phase.name: ((phase.end_ns or now) - phase.start_ns) / 1e9 for phase in self._all if phase.timed}
