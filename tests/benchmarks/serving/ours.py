"""Our gateway as users run it: exported by the trainer's own export, with authentication, metrics and sampling on."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock_artifacts import ArtifactStore
from interlock_contracts.refs import ArtifactRef, ModelRef
from interlock_trainer.export import export

from tests.benchmarks.serving.peer import Row
from tests.benchmarks.serving.reference import MODELS, Reference
from tests.benchmarks.serving.targets import Running
from tests.support.gateway_app import KEY, client
from tests.support.gateway_process import Gateway, running, store_of
from tests.support.waiting import until

_MANIFEST = ArtifactRef(sha256="0" * 64, bytes=1)


@dataclass(frozen=True)
class OursTarget:
    """One gateway with one worker, that serves every reference model; ``servers`` are its broker and store."""

    reference: Reference
    servers: dict[str, str]
    name: str = "interlock"
    title: str = "Interlock"
    engine: str = "own"
    models: tuple[str, ...] = tuple(MODELS)

    def path(self, model: str) -> str:
        return f"/models/{model}/predict"

    def body(self, row: Row) -> Any:
        return {"rows": [row]}

    def value(self, answer: Any) -> float:
        return float(answer["predictions"][0])

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Running]:
        store = store_of(self.servers)
        # A folder of its own each time: nothing is there already from an earlier round.
        with tempfile.TemporaryDirectory() as folder:
            settings = {"gateway_workers": "1", "gateway_reconcile_seconds": "1"}
            async with running(self.servers, Path(folder), **settings) as gateway:
                for name in self.models:
                    gateway.behind.promote(exported(self.reference, name, store, Path(folder)), 1)
                await until(lambda: _serves(gateway, set(self.models)), seconds=90)
                yield Running(gateway.url, gateway.process.pid, KEY)


def exported(reference: Reference, name: str, store: ArtifactStore, folder: Path, version: int = 1) -> ModelRef:
    """Export a reference model as a training does, and return what a promotion names."""
    fitted, rows = reference.ours[name], reference.table
    done = export(MODELS[name], fitted, reference.signature, rows, store=store, folder=folder, seed=42)
    return ModelRef(model=name, version=version, artifact=done.artifact, manifest=_MANIFEST)


async def _serves(gateway: Gateway, names: set[str]) -> bool:
    if not await gateway.ready():
        return False
    async with client(gateway.url) as http:
        view = await http.get("/serving")
    return view.is_success and names <= {each["name"] for each in view.json()["models"] if each["version"]}
