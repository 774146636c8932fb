"""Ingest as most tests have it, with an object store in memory; and a bucket for those that need a real one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from interlock_artifacts import S3Store

from tests.support.gateway_process import store_of
from tests.support.ingest_service import Ingest, ingesting


@pytest.fixture
async def ingest(servers: dict[str, str], tmp_path: Path) -> AsyncIterator[Ingest]:
    async with ingesting(servers, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def bucket(servers: dict[str, str]) -> S3Store:
    return store_of(servers)
