"""A start that takes long is told from one that has stopped, on an idle machine and on a busy one."""

import os

import pytest
from interlock_localstack import stall
from interlock_localstack.stall import LONGEST_SECONDS, STALL_SECONDS, StallDetector, format_load, is_busy

LOOK = 3.0


class Machine:
    """A machine of two cores; the processes in ``rates`` use so many seconds of processor time a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.load = 1.0
        self.rates: dict[int, float] = {}
        self.used: dict[int, float] = {}
        monkeypatch.setattr(stall, "_load", lambda: self.load)
        monkeypatch.setattr(stall, "_cores", lambda: 2)
        monkeypatch.setattr(stall, "_cpu_seconds", self.used.get)
        self.detector = StallDetector(clock=lambda: self.now)

    def stalls_after(self, seconds: float, *, preparing: bool = False) -> float | None:
        """Return after how many seconds the start counts as stalled, None when it does not within ``seconds``."""
        begin = self.now
        while self.now < begin + seconds:
            self.now += LOOK
            for pid, rate in self.rates.items():
                self.used[pid] = self.used.get(pid, 0.0) + rate * LOOK
            if self.detector.observe(self.rates, otherwise_moving=preparing):
                return self.now - begin
        return None


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_a_process_that_works_is_waited_for(machine: Machine) -> None:
    """Ten minutes of a server that uses most of a core are no stall."""
    machine.rates = {1: 0.7}
    assert machine.stalls_after(600) is None


def test_a_process_that_idles_has_stalled(machine: Machine) -> None:
    """One that waits for what never comes uses a little time for its loops, and is given up."""
    machine.rates = {1: 0.02, 2: 0.05}
    assert machine.stalls_after(600) == pytest.approx(STALL_SECONDS, abs=2 * LOOK)


def test_a_busy_machine_leaves_less_to_each(machine: Machine) -> None:
    """What would be idling elsewhere is all that a process gets beside forty others."""
    machine.load = 40.0
    machine.rates = {1: 0.05}
    assert machine.stalls_after(600) is None
    machine.rates = {1: 0.001}
    assert machine.stalls_after(600) == pytest.approx(STALL_SECONDS, abs=2 * LOOK)


def test_a_process_that_ends_and_is_started_again_makes_progress(machine: Machine) -> None:
    """Its successor has used nothing yet, which is no step back."""
    machine.rates = {1: 0.7}
    assert machine.stalls_after(60) is None
    machine.rates = {2: 0.7}
    assert machine.stalls_after(60) is None


def test_steps_beside_the_processes_count_as_progress(machine: Machine) -> None:
    """While packages are fetched, no process has to use anything."""
    assert machine.stalls_after(600, preparing=True) is None


def test_no_start_is_waited_for_without_end(machine: Machine) -> None:
    """One that is busy for half an hour will not come."""
    machine.rates = {1: 1.0}
    assert machine.stalls_after(2 * LONGEST_SECONDS) == pytest.approx(LONGEST_SECONDS, abs=2 * LOOK)


def test_the_load_is_said_beside_the_cores(machine: Machine) -> None:
    """A load of three is much for two cores, and little for eight."""
    machine.load = 3.1
    assert is_busy()
    assert format_load() == "load 3.1 on 2 cores"
    machine.load = 2.5
    assert not is_busy()


def test_the_time_of_real_processes_is_read() -> None:
    """This one has used some; one that has ended has none."""
    assert (stall._cpu_seconds(os.getpid()) or 0) > 0
    assert stall._cpu_seconds(2**22 + 1) is None
