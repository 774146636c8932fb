"""HTTP clients of the services that prediction depends on: registry and ingest."""

from typing import TypeVar
from urllib.parse import quote

import httpx
from interlock_contracts.http import DatasetView, ModelView, PipelineView, ServingView
from litestar.status_codes import HTTP_404_NOT_FOUND
from pydantic import SecretStr, TypeAdapter

REQUEST_SECONDS = 5.0

View = TypeVar("View")

_SERVING = TypeAdapter(list[ServingView])
_PIPELINES = TypeAdapter(list[PipelineView])
_DATASETS = TypeAdapter(list[DatasetView])
_PIPELINE, _MODEL, _DATASET = TypeAdapter(PipelineView), TypeAdapter(ModelView), TypeAdapter(DatasetView)


class _Client:
    """GET requests with the service key; each raises ConnectionError where the service gives no usable response."""

    def __init__(self, url: str, key: SecretStr, client: httpx.AsyncClient) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key.get_secret_value()}"}
        self._client = client

    async def _get(self, path: str, views: TypeAdapter[View]) -> View | None:
        """Return the parsed response, None for a 404."""
        url = f"{self._url}{path}"
        try:
            response = await self._client.get(url, headers=self._headers, timeout=REQUEST_SECONDS)
        except httpx.TransportError as error:
            raise ConnectionError(f"{url}: {error!r}") from error
        if response.status_code == HTTP_404_NOT_FOUND:
            return None
        if not response.is_success:
            raise ConnectionError(f"{url} answers {response.status_code}")
        return views.validate_json(response.content)


class RegistryClient(_Client):
    """The registry: promoted versions, models and pipeline specs."""

    async def serving(self) -> list[ServingView]:
        """Return every promoted version with its ``promotion_seq`` and signature.

        Raises:
            ConnectionError: the registry does not answer.
        """
        found = await self._get("/serving", _SERVING)
        if found is None:
            raise ConnectionError("the registry answers 404")
        return found

    async def pipelines(self) -> list[PipelineView]:
        """Return every pipeline's newest spec."""
        return await self._get("/pipelines", _PIPELINES) or []

    async def pipeline(self, name: str) -> PipelineView | None:
        """Return a pipeline's newest spec."""
        return await self._get(f"/pipelines/{_quoted(name)}", _PIPELINE)

    async def model(self, name: str) -> ModelView | None:
        """Return a model, with its champion."""
        return await self._get(f"/models/{_quoted(name)}", _MODEL)


class IngestClient(_Client):
    """Ingest: the datasets of a pipeline."""

    async def dataset(self, name: str, digest: str) -> DatasetView | None:
        """Return the dataset of pipeline ``name`` with this digest."""
        return await self._get(f"/datasets/{_quoted(name)}/{_quoted(digest)}", _DATASET)

    async def newest_dataset(self, name: str) -> DatasetView | None:
        """Return the dataset that was accepted last."""
        datasets = await self._get(f"/datasets/{_quoted(name)}", _DATASETS) or []
        return next((each for each in datasets if each.state == "accepted"), None)


def _quoted(part: str) -> str:
    """Return ``part`` percent-encoded as one path segment, whatever a client put into it."""
    return quote(part, safe="")
