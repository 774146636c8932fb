"""The published benchmarks in their tiny form: each runs its real code, and fails when it measures nothing.

How fast anything is, nobody asks here. Swaps are in ``tests/integration/gateway/test_swap.py``; chaos, outages and
soak in ``tests/chaos/test_chaos.py``; the hot path in ``tests/unit/benchmarks``; from a retraining to the first answer
in ``tests/e2e``.
"""

import os
from collections.abc import Iterator

import pytest

from tests.benchmarks import test_console as console
from tests.benchmarks.completeness import gaps
from tests.benchmarks.serving import machine, page
from tests.benchmarks.serving.bars import OURS
from tests.benchmarks.serving.cells import TINY
from tests.benchmarks.serving.reference import MODELS, Reference
from tests.benchmarks.serving.sections import Run
from tests.benchmarks.serving.store import Results
from tests.support.debian_programs import program
from tests.support.span_console import console_in

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Run:
    """Return a tiny run of Interlock alone: peers are not installed for a test."""
    folder = tmp_path_factory.mktemp("bench")
    about = {"machine": machine.description(), "versions": machine.versions()}
    results = Results(folder / "serving.json", dict(about))
    return Run(TINY, [OURS], None, results, work=folder, stack=pytestconfig.getoption("--servers"))


@pytest.fixture(scope="module")
def known(run: Run) -> Reference:
    """Return the reference models, fitted as for a run that is published."""
    return run.reference()


@pytest.fixture(scope="module")
def leased(run: Run, servers: dict[str, str]) -> Iterator[dict[str, str]]:
    """Return the settings of the tests' own servers as a run leases them: with rights that a run needs, or without."""
    with run.servers() as settings:
        assert settings["INTERLOCK_S3_ENDPOINT"] == servers["INTERLOCK_S3_ENDPOINT"]
        yield settings


async def measured(run: Run, name: str, known: Reference, servers: dict[str, str]) -> None:
    """Measure a section, and see that it is there and that the page can show it."""
    before = run.results.data.get("failures", [])
    await run.section(name, known, servers)
    assert run.results.data.get("failures", []) == before
    assert run.missing([name]) == []
    assert page.write(Results.read(run.results.path)).read_text()


async def test_serving_is_measured(run: Run, known: Reference, leased: dict[str, str]) -> None:
    """One second of wrk for each reference model at our own gateway: right answers, and none that failed."""
    program("wrk", "wrk")
    await measured(run, "http", known, leased)
    cells = run.results.data["cells"]
    assert [(cell["model"], cell["errors"]) for cell in cells] == [(name, 0) for name in MODELS]
    assert "| **Interlock** | own |" in run.results.path.with_name("serving.md").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="py-spy may look into other processes as root only")
async def test_where_the_time_goes_is_measured(run: Run, known: Reference, leased: dict[str, str]) -> None:
    """A second of samples of the gateway's worker under load."""
    program("wrk", "wrk")
    await measured(run, "profile", known, leased)
    assert run.results.data["profile"]["self_per_cent"]


async def test_asynchronous_predictions_are_measured(run: Run, known: Reference, leased: dict[str, str]) -> None:
    """A queue is filled while our service is down, and worked off from the tenth part to the last."""
    await measured(run, "asynchronous", known, leased)
    assert list(run.results.data["asynchronous"]["ways"]) == [OURS]


async def test_files_are_measured(run: Run, known: Reference, leased: dict[str, str]) -> None:
    """The scorer, one vectorised call and a loop of chunks answer the same rows of both formats alike."""
    await measured(run, "batch", known, leased)
    speeds = run.results.data["batch"]["rows_per_second"]
    assert set(speeds) == {"parquet", "csv"}
    assert all(set(ways) == {OURS, "limit", "scikit-learn"} for ways in speeds.values())


async def test_a_flood_of_spans_is_measured(servers: dict[str, str]) -> None:
    """Four batches of each packing at the console: all spans are kept, and every query is answered."""
    async with console_in(servers) as one:
        seen = await console.measured(one, count=4)
    assert seen["over"] == 2 * 4 * console.BATCH
    assert not list(gaps(seen))
