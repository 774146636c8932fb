import logging

import pytest
from interlock_artifacts import MemoryStore
from interlock_jobs.progress import ProgressWriter

KEY = "runs/x/1/progress.json"


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


class Unreachable(MemoryStore):
    """A store that does not answer."""

    def put_latest(self, key: str, data: bytes) -> None:
        """Fail."""
        raise ConnectionError(f"no answer for {len(data)} bytes at {key}")


def test_throttled_writes_are_an_interval_apart() -> None:
    """The first is written at once; what comes too early is not even made."""
    store, clock, made = MemoryStore(), Clock(), []

    def body() -> bytes:
        made.append(clock.now)
        return str(clock.now).encode()

    writer = ProgressWriter(store, "runs/x/1", 0.5, clock)
    for clock.now in (100.0, 100.25, 100.5, 100.75, 101.0):
        writer.write_throttled(body)

    assert made == [100.0, 100.5, 101.0]
    assert store.read(KEY) == b"101.0"


def test_a_write_is_never_held_back_and_holds_back_those_after_it() -> None:
    """As at the end of a job, which may come right after a throttled write."""
    store, clock = MemoryStore(), Clock()
    writer = ProgressWriter(store, "runs/x/1", 0.5, clock)
    writer.write_throttled(lambda: b"first")
    writer.write(b"second")
    assert store.read(KEY) == b"second"

    clock.now += 0.25
    writer.write_throttled(lambda: b"third")
    assert store.read(KEY) == b"second"


def test_progress_is_expendable(caplog: pytest.LogCaptureFixture) -> None:
    """Where the store does not answer, the job goes on; its log has a warning, one for each interval."""
    writer = ProgressWriter(Unreachable(), "runs/x/1", 0.5, Clock())
    with caplog.at_level(logging.WARNING):
        writer.write_throttled(lambda: b"12")
        writer.write_throttled(lambda: b"345")

    assert caplog.messages == [f"progress could not be written: no answer for 2 bytes at {KEY}"]
