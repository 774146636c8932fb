"""A registry that listens, whose versions are exported with the command as a user runs it."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from interlock_artifacts import MemoryStore
from interlock_contracts.refs import ArtifactRef
from interlock_messaging import Bus
from interlock_registry import promotion, store
from interlock_registry.app import create_app
from interlock_registry.settings import RegistrySettings
from interlock_registry.store import VersionRow

from tests.support.api_keys import KEY, SETTINGS
from tests.support.dependencies import dependency
from tests.support.gateway_app import listening
from tests.support.signing import SETTINGS as SIGNING
from tests.support.signing import SIGNER


class Exports:
    """The versions of one model, of which the first so many are promoted."""

    def __init__(self, url: str, model: str) -> None:
        self.url = url
        self.model = model

    def export(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command as a user does; the registry is asked as the gateway would ask it."""
        own = {"INTERLOCK_GATEWAY_URL": self.url, "INTERLOCK_API_KEY": KEY}
        command = [sys.executable, "-m", "interlock_cli", "export", self.model, *words]
        return subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=False, timeout=100)


@asynccontextmanager
async def exporting(
    servers: dict[str, str], artifacts: MemoryStore, versions: Sequence[ArtifactRef], *, promoted: int
) -> AsyncIterator[Exports]:
    """Run a registry that knows stored descriptions as the versions 1, 2, … of a model, the first ones promoted."""
    model = f"m-{uuid4().hex[:8]}"
    given: dict[str, Any] = {name.removeprefix("INTERLOCK_").lower(): value for name, value in servers.items()}
    app = create_app(RegistrySettings(**given | SETTINGS | SIGNING), artifacts=artifacts)
    async with listening(app) as url:
        async with dependency(app, Bus).transaction() as session:
            row = await store.lock_model(session, model)
            manifest = artifacts.put(b'{"status": "succeeded"}').model_dump(mode="json")
            for number, artifact in enumerate(versions, 1):
                version = VersionRow(
                    model=model,
                    version=number,
                    stage="registered",
                    run_id=uuid4(),
                    pipeline_digest="b" * 64,
                    artifact=artifact.model_dump(mode="json"),
                    manifest=manifest,
                    datasets=[],
                    report=manifest,
                )
                session.add(version)
                await session.flush()
                if number <= promoted:
                    await promotion.promote(session, row, version, how="gate", cause=str(uuid4()), signer=SIGNER)
        yield Exports(url, model)
