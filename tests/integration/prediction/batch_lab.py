"""Two replicas of prediction that score files, and the registry and ingest that they need, played here."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from interlock_contracts.http import DatasetView, ModelView, PipelineView, ServingView
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ModelRef
from interlock_contracts.scoring import ScoringPart
from litestar import Litestar, Response, get
from litestar.params import FromPath

from tests.support.gateway_app import listening
from tests.support.prediction_process import Predictions, running
from tests.support.signing import serving

CSV = b"size,color,who\n3,red,Ada\n4.5,,Grace\n"
PARQUET = "application/vnd.apache.parquet"


class Peers:
    """Registry and ingest, as far as files need them; every model is read by the same spec."""

    def __init__(self) -> None:
        self.served: dict[str, ModelRef] = {}
        self.batches: dict[str, list[dict[str, Any]]] = {}
        self.datasets: dict[str, bytes] = {}
        self.applied_at = datetime.now(UTC) - timedelta(minutes=5)

    def pipeline(self, name: str) -> PipelineView:
        columns = {"size": {"type": "number"}, "color": {"type": "category"}, "price": {"type": "number"}}
        declared = {"name": name, "task": "regression", "target": "price", "data": {"columns": columns}}
        spec = Pipeline.model_validate(declared | {"batch": self.batches.get(name, [])})
        return PipelineView(
            name=name, digest=spec.digest, revision=1, applied_at=self.applied_at, changed=False, spec=spec
        )

    def app(self) -> Litestar:
        """Return what listens at both addresses."""

        @get("/serving")
        async def serving() -> list[ServingView]:
            return [_serving(ref) for ref in self.served.values()]

        @get("/pipelines")
        async def pipelines() -> list[PipelineView]:
            return [self.pipeline(name) for name in self.served]

        @get("/pipelines/{name:str}")
        async def pipeline(name: FromPath[str]) -> Response[PipelineView | None]:
            return Response(self.pipeline(name)) if name in self.served else Response(None, status_code=404)

        @get("/models/{name:str}")
        async def model(name: FromPath[str]) -> Response[ModelView | None]:
            if name not in self.served:
                return Response(None, status_code=404)
            return Response(ModelView(name=name, serving=_serving(self.served[name]), versions=1))

        @get("/datasets/{name:str}")
        async def datasets(name: FromPath[str]) -> list[DatasetView]:
            return [_dataset(name, digest, content) for digest, content in self.datasets.items()]

        @get("/datasets/{name:str}/{digest:str}")
        async def dataset(name: FromPath[str], digest: FromPath[str]) -> Response[DatasetView | None]:
            if digest not in self.datasets:
                return Response(None, status_code=404)
            return Response(_dataset(name, digest, self.datasets[digest]))

        routes = [serving, pipelines, pipeline, model, datasets, dataset]
        return Litestar(routes, openapi_config=None, logging_config=None)


def _serving(ref: ModelRef) -> ServingView:
    return serving(ref, ref.version)


def _dataset(name: str, digest: str, content: bytes) -> DatasetView:
    return DatasetView(
        pipeline=name,
        digest=digest,
        pipeline_digest="0" * 64,
        state="accepted",
        bytes=len(content),
        received_at=datetime.now(UTC),
    )


class Lab:
    """Two replicas, what is behind them, and a model of a test's own."""

    def __init__(self, predictions: Predictions, peers: Peers) -> None:
        self.predictions = predictions
        self.peers = peers
        self.model = f"m-{uuid4().hex[:8]}"
        predictions.serve(self.model, 2)
        peers.served[self.model] = predictions.served[self.model]

    async def upload(
        self, body: bytes, kind: str = "text/csv", *, status: int = 202, key: str | None = None, query: str = ""
    ) -> dict[str, Any]:
        headers = {"content-type": kind} | ({"idempotency-key": key} if key else {})
        path = f"/models/{self.model}/predictions{query}"
        answer = await self.predictions.http("POST", path, content=body, headers=headers, timeout=60)
        assert answer.status_code == status, answer.text
        view: dict[str, Any] = answer.json()
        if status == 202:
            assert answer.headers["location"] == f"/predictions/{view['id']}"
        return view

    async def result(self, view: dict[str, Any]) -> pa.Table:
        answer = await self.predictions.http("GET", view["links"]["result"], timeout=60)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == PARQUET
        return pq.read_table(io.BytesIO(answer.content))

    def noted(self, prediction_id: str) -> list[ScoringPart]:
        """Return the parts that are done, up to the first that is not."""
        parts: list[ScoringPart] = []
        while raw := self.predictions.store.read(f"predictions/{prediction_id}/parts/{len(parts):06}.json"):
            parts.append(ScoringPart.model_validate_json(raw))
        return parts


@asynccontextmanager
async def started_with_peers(servers: dict[str, str], folder: Path) -> AsyncIterator[tuple[Predictions, Peers]]:
    peers = Peers()
    async with (
        listening(peers.app()) as url,
        running(servers, folder, registry_url=url, ingest_url=url, batch_work_dir=str(folder)) as predictions,
    ):
        yield predictions, peers
