"""The models that a run works with, made by the real services: all but the training, which is played here."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import numpy as np
from interlock_contracts.event import Envelope
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.refs import ArtifactRef, DatasetRef
from interlock_contracts.training import TrainingCompleted

from tests.chaos.bus import Publisher
from tests.chaos.stack import Stack
from tests.support.stored_models import ROW, put_model
from tests.support.waiting import until

ASK = {"rows": [ROW]}
ANYTHING = -1e18
"""What a gate asks for that lets everything through: what is tested here is that its verdict arrives."""


def pipeline(name: str) -> dict[str, Any]:
    """Return a pipeline for the models of :mod:`tests.support.stored_models`, none of which its gate refuses."""
    return {
        "name": name,
        "task": "regression",
        "target": "price",
        "data": {
            "columns": {
                "size": {"type": "number", "min": 0, "max": 100},
                "color": {"type": "category", "values": ["red", "green"], "max_null_fraction": 1.0},
                "price": {"type": "number"},
            },
            "rules": {"min_rows": 20},
        },
        "training": {"trigger": ["event"], "candidates": ["linear"], "folds": 2, "trials": 0},
        "gate": {
            "metrics": {"r2": {"min": ANYTHING}},
            "champion": {"metric": "r2", "min_improvement": ANYTHING},
        },
    }


def csv(seed: int, rows: int = 120) -> bytes:
    """Return a file that ``pipeline`` accepts; another seed, another file."""
    random = np.random.default_rng(seed)
    lines = [f"{random.uniform(0, 100):.6f},red,{random.normal():.6f}" for _ in range(rows)]
    return "\n".join(["size,color,price", *lines, ""]).encode()


@dataclass
class Scene:
    """Pipelines of one run: ``rolled`` have two versions that have served, ``grown`` get more, the rest have none."""

    stack: Stack
    publisher: Publisher
    rolled: list[str] = field(default_factory=list)
    grown: list[str] = field(default_factory=list)
    empty: str = ""
    filled: str = ""
    digests: dict[str, str] = field(default_factory=dict)
    dataset: DatasetRef | None = None
    versions: dict[str, int] = field(default_factory=dict)

    @classmethod
    async def made(cls, stack: Stack, publisher: Publisher, *, rolled: int = 2, grown: int = 1) -> "Scene":
        """Apply the pipelines, bring one file in, and let two versions of each ``rolled`` model serve in turn."""
        name = f"c-{uuid4().hex[:6]}"
        scene = cls(
            stack,
            publisher,
            rolled=[f"{name}-rolled-{n}" for n in range(rolled)],
            grown=[f"{name}-grown-{n}" for n in range(grown)],
            empty=f"{name}-empty",
            filled=f"{name}-filled",
        )
        async with stack.client(30) as http:
            for each in scene.models:
                answer = await http.put(f"/pipelines/{each}", json=pipeline(each))
                assert answer.is_success, answer.text
                scene.digests[each] = answer.json()["digest"]
            scene.dataset = await scene._brought_in(http)
            for each in scene.rolled:
                for version in (1, 2):
                    await scene.trained(each, version, uuid4())
                    await scene.serves(http, each, version)
        return scene

    @property
    def models(self) -> list[str]:
        """Return every name of this run."""
        return [*self.rolled, *self.grown, self.empty, self.filled]

    async def _brought_in(self, http: httpx.AsyncClient) -> DatasetRef:
        async def taken() -> httpx.Response | None:  # ingest knows a pipeline a moment after its registry
            answer = await http.post(f"/datasets/{self.filled}", content=csv(0), headers={"Content-Type": "text/csv"})
            return answer if answer.status_code == 202 else None

        answer = await until(taken, seconds=60)

        async def accepted() -> dict[str, Any] | None:
            view: dict[str, Any] = (await http.get(answer.headers["location"])).json()
            assert view.get("state") != "rejected", view
            return view if view.get("state") == "accepted" else None

        view = await until(accepted, seconds=60)
        return DatasetRef.model_validate(view["dataset"])

    async def trained(self, model: str, version: int, run: UUID) -> bool:
        """Say that a ``run`` has made ``version``; return whether the broker has confirmed it.

        What is not confirmed may have arrived: whoever says it again has to name the same ``run``.
        """
        event = await asyncio.to_thread(self._completed, model, version, run)
        envelope = Envelope.of(event, source="train_dispatch", cause=str(run), now=datetime.now(UTC))
        return await self.publisher.publish(event.type, event.body(), dict(envelope.headers()))

    def _completed(self, model: str, version: int, run: UUID) -> TrainingCompleted:
        assert self.dataset is not None, "one file was brought in first"
        store = self.stack.store("train_dispatch")
        artifact = put_model(store, version, model=model).artifact
        manifest = TrainingManifest(
            status="succeeded",
            run_id=run,
            attempt=1,
            pipeline=model,
            pipeline_digest=self.digests[model],
            datasets=[self.dataset.digest],
            artifact=artifact,
            metric="r2",
            score=0.0,
        )
        stored: ArtifactRef = store.put(manifest.model_dump_json().encode())
        return TrainingCompleted(
            run_id=run,
            model=model,
            attempt=1,
            pipeline_digest=self.digests[model],
            manifest=stored,
            artifact=artifact,
            datasets=[self.dataset],
        )

    async def serves(self, http: httpx.AsyncClient, model: str, version: int, *, seconds: float = 60) -> None:
        """Wait until the gateway answers with ``version``."""

        async def look() -> bool:
            answer = await http.post(f"/models/{model}/predict", json=ASK)
            return answer.is_success and json.loads(answer.content)["version"] == version

        await until(look, seconds=seconds)

    async def promotions(self) -> dict[str, int]:
        """Return the newest promotion number of each ``rolled`` model, as the registry has it."""
        numbers: dict[str, int] = {}
        async with self.stack.client(30) as http:
            for each in self.rolled:
                numbers[each] = (await http.get(f"/models/{each}")).json()["serving"]["promotion_seq"]
        return numbers

    async def truths(self) -> dict[str, int]:
        """Return how many truths of this run, all about rows that nobody predicted, the prediction log has."""
        async with self.stack.client(30) as http:
            seen = (await http.get(f"/models/{self.empty}/quality", params={"window": "24h"})).json()
        return {self.empty: seen["unmatched"]}
