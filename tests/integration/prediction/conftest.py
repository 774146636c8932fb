"""Replicas of prediction for the tests of whole files, started once for each of their files."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.prediction.batch_lab import Lab, Peers, started_with_peers
from tests.support.prediction_process import Predictions


@pytest.fixture(scope="module")
async def started(
    servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Predictions, Peers]]:
    async with started_with_peers(servers, tmp_path_factory.mktemp("batches")) as both:
        yield both


@pytest.fixture
def lab(started: tuple[Predictions, Peers]) -> Lab:
    return Lab(*started)
