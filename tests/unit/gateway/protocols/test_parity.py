"""A few of the random pipelines of ``make bench-parity``: one row is answered as scikit-learn does, in every way in."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from interlock_trainer.export import TOLERANCE

from tests.benchmarks.parity import page
from tests.benchmarks.parity.cases import ROWS, asked, difference
from tests.support.gateway_app import Door, bound, opened

WAYS = 6


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Door, grpc.aio.Channel]]:
    with bound() as sock:
        port = sock.getsockname()[1]
    async with (
        opened(tmp_path_factory.mktemp("models"), grpc_port=port) as door,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield door, channel


@pytest.mark.parametrize("number", [2, 7, 8, 14, 15, 21])
async def test_a_row_is_answered_as_it_was_learned_in_every_way_in(
    served: tuple[Door, grpc.aio.Channel], tmp_path: Path, number: int
) -> None:
    """Wild cells included; the page counts what it is told."""
    found = await asked(number, *served, tmp_path)

    assert len(found["ways"]) == WAYS, found
    assert 0 < found["rows"] <= ROWS
    assert max(found["ways"].values()) <= TOLERANCE, found
    assert f"1 pipelines, 1 served, {found['rows']} rows in each way" in page.written([found])


def test_a_difference_would_be_seen() -> None:
    """Of numbers relative to their spread, of probabilities as it is, of labels by how much less probable they are."""
    known = np.array([1.0, 2.0, -4.0])
    assert difference(known + 1e-3, known, 0.5, 0) == pytest.approx(1e-3)
    assert difference(known + 1e-3, known, 100.0, 0) == pytest.approx(1e-5)
    shares = np.array([[0.9, 0.1], [0.4, 0.6]])
    assert difference(shares[:, ::-1], shares, 1.0, 2) == pytest.approx(0.8)
    assert difference(["label 0", "label 0"], shares, 1.0, 2) == pytest.approx(0.2)
    assert difference(["label 0", "label 1"], shares, 1.0, 2) == 0.0
