"""The demo's steps: each is announced, timed and, at the end, listed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from interlock_cli.terminal import Terminal


class Clock:
    """Times the steps of a story."""

    def __init__(self, terminal: Terminal, steps: int) -> None:
        self._terminal = terminal
        self._steps = steps
        self.taken: list[tuple[str, float]] = []

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Announce a step, and say how long it took once it is done."""
        self._terminal.say(f"\n[{len(self.taken) + 1}/{self._steps}] {what}", style="bold")
        begin = time.monotonic()
        yield
        self.taken.append((what, time.monotonic() - begin))
        self._terminal.say(f"      {self.taken[-1][1]:.1f} s", style="dim")

    @property
    def total(self) -> float:
        """Return the seconds of all steps."""
        return sum(seconds for _, seconds in self.taken)

    def table(self) -> None:
        """Print every step with its time."""
        rows = [(number, what, f"{seconds:.1f}") for number, (what, seconds) in enumerate(self.taken, 1)]
        self._terminal.say("")
        self._terminal.table(("", "step", "seconds"), [*rows, ("", "together", f"{self.total:.1f}")])
