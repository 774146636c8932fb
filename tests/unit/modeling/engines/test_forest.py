import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from interlock_modeling.engines import load_engine

from tests.unit.modeling.engines.forests import random_forest

LONGEST_TURN = 0.02
"""Seconds of computing during which nobody else gets the interpreter."""

ATTEMPTS = 8


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of 100 MB; the kernel for it is loaded."""
    path = tmp_path_factory.mktemp("large") / "engine"
    random_forest(trees=16, features=3, depth=18, precision="float32").save(path)
    return path


def turns_of(work: Callable[[], object]) -> list[float]:
    """Return how long ``work`` computed in its thread between each two turns of this one, in processor seconds.

    Processor time, not time: on a busy machine both threads wait for a core, which says nothing about the interpreter.
    """
    thread = threading.Thread(target=work)
    thread.start()
    assert thread.ident is not None
    clock = time.pthread_getcpuclockid(thread.ident)
    spent = [0.0]
    while thread.is_alive():
        with suppress(OSError):  # it has just ended
            spent.append(time.clock_gettime(clock))
        time.sleep(0.0001)
    thread.join()
    return np.diff(spent).tolist()


def test_loading_a_large_forest_leaves_the_interpreter_to_others(large: Path) -> None:
    """Requests are answered while a forest is mapped and checked: no turn is long, or most of the work."""
    attempts = [turns_of(lambda: load_engine("forest", 2, large)) for _ in range(ATTEMPTS)]

    best = min(attempts, key=max)  # this thread may have had no core, while the other one had
    assert max(best) < LONGEST_TURN
    assert max(best) < sum(best) / 2


def test_a_loaded_forest_is_not_copied(large: Path) -> None:
    """Its arrays are the file's pages, which all processes of a machine share."""
    before = private_bytes()
    engine = load_engine("forest", 2, large)
    engine.predict(np.zeros((1, 3)))

    assert private_bytes() - before < 10e6 < large.stat().st_size / 5


def private_bytes() -> int:
    """Return how much memory belongs to this process alone, as Linux counts it."""
    fields = dict(line.split(":") for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    return int(fields["Anonymous"].split()[0]) * 1024
