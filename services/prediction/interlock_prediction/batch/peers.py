"""What prediction asks registry and ingest before it takes a file in."""

from typing import TypeVar
from urllib.parse import quote

import httpx
from interlock_contracts.http import DatasetView, ModelView, PipelineView
from litestar.status_codes import HTTP_404_NOT_FOUND
from pydantic import SecretStr, TypeAdapter

ASK_SECONDS = 5.0

Answer = TypeVar("Answer")

_PIPELINES = TypeAdapter(list[PipelineView])
_DATASETS = TypeAdapter(list[DatasetView])
_PIPELINE, _MODEL, _DATASET = TypeAdapter(PipelineView), TypeAdapter(ModelView), TypeAdapter(DatasetView)


class Peers:
    """The other services; every method raises ConnectionError while the one it asks does not answer."""

    def __init__(self, registry: str, ingest: str, key: SecretStr, client: httpx.AsyncClient) -> None:
        self._registry, self._ingest = registry.rstrip("/"), ingest.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key.get_secret_value()}"}
        self._client = client

    async def pipelines(self) -> list[PipelineView]:
        """Return every pipeline's newest spec."""
        return await self._ask(f"{self._registry}/pipelines", _PIPELINES) or []

    async def pipeline(self, name: str) -> PipelineView | None:
        """Return a pipeline's newest spec."""
        return await self._ask(f"{self._registry}/pipelines/{_quoted(name)}", _PIPELINE)

    async def model(self, name: str) -> ModelView | None:
        """Return a model, with what serves."""
        return await self._ask(f"{self._registry}/models/{_quoted(name)}", _MODEL)

    async def dataset(self, name: str, digest: str) -> DatasetView | None:
        """Return one file of a pipeline."""
        return await self._ask(f"{self._ingest}/datasets/{_quoted(name)}/{_quoted(digest)}", _DATASET)

    async def newest_dataset(self, name: str) -> DatasetView | None:
        """Return the file that was accepted last."""
        datasets = await self._ask(f"{self._ingest}/datasets/{_quoted(name)}", _DATASETS) or []
        return next((each for each in datasets if each.state == "accepted"), None)

    async def _ask(self, url: str, answers: TypeAdapter[Answer]) -> Answer | None:
        try:
            answer = await self._client.get(url, headers=self._headers, timeout=ASK_SECONDS)
        except httpx.TransportError as error:
            raise ConnectionError(f"{url}: {error!r}") from error
        if answer.status_code == HTTP_404_NOT_FOUND:
            return None
        if not answer.is_success:
            raise ConnectionError(f"{url} answers {answer.status_code}")
        return answers.validate_json(answer.content)


def _quoted(part: str) -> str:
    """Return a client's word as one step of an address, whatever stands in it."""
    return quote(part, safe="")
