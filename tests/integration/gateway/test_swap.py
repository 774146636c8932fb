"""Swaps that nobody notices, in the size of CI; tests/benchmarks/test_swap.py measures fifty of each."""

from pathlib import Path

import pytest

from tests.benchmarks import results
from tests.benchmarks import test_swap as benchmark
from tests.benchmarks.completeness import gaps
from tests.support.forests import put_forest
from tests.support.gateway_process import Gateway, ModelEvents, store_of
from tests.support.hot_swap import Watched, swap
from tests.support.stored_models import put_model

pytestmark = pytest.mark.integration

BUSY = 10.0
"""How many times as long as on a quiet machine things may take in CI, which runs on what there is."""


def unnoticed(watched: Watched) -> None:
    """Check what must hold for every swap."""
    print(watched.table("swaps"))
    assert len(watched.answers) > 100
    assert not watched.failures()
    assert not watched.backwards()
    for version in list(watched.promoted)[1:]:
        assert watched.first(version) < watched.load_seconds[version] + 0.5 * BUSY
    assert watched.silence() < 0.05 * BUSY


async def test_nobody_notices_swaps_of_a_small_model(
    gateway: Gateway, events: ModelEvents, servers: dict[str, str]
) -> None:
    """No request fails, no answer is older after a newer one, and answers never stop."""
    store = store_of(servers)
    unnoticed(await swap(gateway, events, lambda each: put_model(store, each, model=events.model), swaps=6, pause=0.1))


async def test_nobody_notices_swaps_of_a_large_forest(
    gateway: Gateway, events: ModelEvents, servers: dict[str, str]
) -> None:
    """A file of 50 MB is fetched, verified, tried and mapped beside the serving path."""
    store = store_of(servers)
    size = 50 * 1024**2

    watched = await swap(
        gateway, events, lambda each: put_forest(store, each, model=events.model, size=size), swaps=2, pause=0.5
    )
    unnoticed(watched)


async def test_the_benchmark_of_swaps_measures_them(
    gateway: Gateway, events: ModelEvents, servers: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two swaps by the benchmark's own code: answers of every version, none wrong, none older after a newer one."""
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    store = store_of(servers)
    put = lambda each: put_model(store, each, model=events.model)  # noqa: E731
    figures = await benchmark.measured(gateway, events, put, 2, "small model", before=0.1)
    assert results.recorded("swap") == {"small model": figures}
    assert (figures["swaps"], figures["failed"]) == (2, 0)
    assert not list(gaps(figures))
