"""Fifty swaps of a small model and fifty of a 200 MB forest, under load: what clients notice.

Ten of the forests are new to the host, so they are fetched, verified and tried; the others were here before, as after
a rollback, and are only mapped. Every figure is printed; what must hold on any machine is checked.
"""

import statistics
from collections.abc import Callable

import pytest
from interlock_contracts.refs import ModelRef

from tests.benchmarks.results import record, recorded
from tests.support.forests import put_forest
from tests.support.gateway_process import Gateway, ModelEvents, store_of
from tests.support.hot_swap import Watched, swap
from tests.support.stored_models import put_model

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

SWAPS = 50
LARGE = 200 * 1024**2


KNOWN = 3
"""Different files among which the swaps of what the host knows go round."""


async def measured(
    gateway: Gateway,
    events: ModelEvents,
    put: Callable[[int], ModelRef],
    swaps: int,
    name: str,
    told: dict[int, int] | None = None,
    *,
    before: float = 10.0,
) -> dict[str, float]:
    """Swap under load, print and record what clients noticed, and return it; ``before`` the first, seconds pass."""
    watched = await swap(gateway, events, put, swaps=swaps, pause=0.2, before=before)
    watched.told = told or {}
    print(watched.table(name))
    figures = _figures(watched)
    record("swap", (recorded("swap") or {}) | {name: figures})
    assert not watched.failures()
    assert not watched.backwards()
    return figures


def _figures(watched: Watched) -> dict[str, float]:
    versions = sorted(watched.promoted)[1:]
    waits = sorted(each.at - each.sent for each in watched.answers)
    return {
        "swaps": len(versions),
        "requests": len(waits),
        "failed": len(watched.failures()),
        "older_after_newer": watched.backwards(),
        "promoted_to_first_new_answer_p50_ms": statistics.median(watched.first(each) for each in versions) * 1000,
        "promoted_to_first_new_answer_max_ms": max(watched.first(each) for each in versions) * 1000,
        "request_p99_ms": waits[len(waits) * 99 // 100] * 1000,
        "longest_silence_ms": watched.silence() * 1000,
    }


async def test_swaps_of_a_small_model(gateway: Gateway, events: ModelEvents, servers: dict[str, str]) -> None:
    """A linear model of a few kilobytes."""
    store = store_of(servers)
    await measured(gateway, events, lambda each: put_model(store, each, model=events.model), SWAPS, "small model")


async def test_swaps_of_a_small_forest(gateway: Gateway, events: ModelEvents, servers: dict[str, str]) -> None:
    """A forest of 5 MB, about the reference forest."""
    store = store_of(servers)
    size = 5 * 1024**2
    put = lambda each: put_forest(store, each, model=events.model, size=size, depth=12)  # noqa: E731
    await measured(gateway, events, put, SWAPS, "forest of 5 MB")


async def test_swaps_of_a_large_forest(gateway: Gateway, events: ModelEvents, servers: dict[str, str]) -> None:
    """New bytes every time: fetched, verified, tried in a process of their own, mapped."""
    store = store_of(servers)
    put = lambda each: put_forest(store, each, model=events.model, size=LARGE)  # noqa: E731
    await measured(gateway, events, put, 10, "forest of 200 MB, new to the host")


async def test_swaps_between_large_forests_that_the_host_knows(
    gateway: Gateway, events: ModelEvents, servers: dict[str, str]
) -> None:
    """As after a rollback: verified and tried before, so they are mapped and asked, no more."""
    store = store_of(servers)
    refs = [put_forest(store, each, model=events.model, size=LARGE) for each in range(1, KNOWN + 1)]

    def put(version: int) -> ModelRef:
        return refs[version % KNOWN].model_copy(update={"version": version})

    told = {version: version % KNOWN + 1 for version in range(1, SWAPS + 2)}
    await measured(gateway, events, put, SWAPS, "forest of 200 MB, known to the host", told=told)
