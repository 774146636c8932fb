"""Timer of the demo's steps: each is announced, timed and listed at the end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from interlock_localstack.demo.command_line import Output


class StepTimer:
    """Announces and times the steps of one demo."""

    def __init__(self, output: Output, steps: int) -> None:
        self._output = output
        self._steps = steps
        self.durations: list[tuple[str, float]] = []

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Announce a step, and print its duration once it is done."""
        self._output.echo(f"\n[{len(self.durations) + 1}/{self._steps}] {what}", style="bold")
        begin = time.monotonic()
        yield
        self.durations.append((what, time.monotonic() - begin))
        self._output.echo(f"      {self.durations[-1][1]:.1f} s", style="dim")

    @property
    def total(self) -> float:
        """Return the seconds of all steps."""
        return sum(seconds for _, seconds in self.durations)

    def table(self) -> None:
        """Print every step with its duration."""
        rows = [(number, what, f"{seconds:.1f}") for number, (what, seconds) in enumerate(self.durations, 1)]
        self._output.echo("")
        self._output.table(("", "step", "seconds"), [*rows, ("", "total", f"{self.total:.1f}")])
