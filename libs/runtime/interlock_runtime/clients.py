"""HTTP clients of our own services, each in the caller's own name.

Every method raises ConnectionError where the service is down, or what it needs is, where it does not let the caller in,
or gives no usable answer.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple, TypeVar
from urllib.parse import quote
from uuid import UUID

import httpx
from interlock_contracts.access import KeyRing
from interlock_contracts.http import DatasetView, ModelView, PipelineView, Problem, RunView, ServingView
from interlock_contracts.names import no_pipeline
from interlock_contracts.prediction_bodies import PredictionView
from interlock_contracts.rollout import WorkerReport
from interlock_contracts.stages import PRODUCTION
from litestar.status_codes import HTTP_401_UNAUTHORIZED, HTTP_403_FORBIDDEN, HTTP_404_NOT_FOUND, HTTP_410_GONE
from pydantic import SecretStr, TypeAdapter, ValidationError

REQUEST_SECONDS = 5.0
"""How long a service waits for an answer that it needs itself."""

View = TypeVar("View")


@dataclass
class _Digest:
    digest: str


@dataclass
class _Version:
    version: int
    datasets: list[str]
    evaluation: str | None = None


_NOT_LET_IN = (HTTP_401_UNAUTHORIZED, HTTP_403_FORBIDDEN)
_ABSENT = (HTTP_404_NOT_FOUND, HTTP_410_GONE)
_SERVING = TypeAdapter(list[ServingView])
_PIPELINES = TypeAdapter(list[PipelineView])
_DATASETS = TypeAdapter(list[DatasetView])
_RUNS = TypeAdapter(list[RunView])
_DATASET, _MODEL, _PIPELINE = TypeAdapter(DatasetView), TypeAdapter(ModelView), TypeAdapter(PipelineView)
_DIGEST, _DIGESTS, _VERSIONS = TypeAdapter(_Digest), TypeAdapter(set[str]), TypeAdapter(list[_Version])
_PREDICTION, _KEY_RING = TypeAdapter(PredictionView), TypeAdapter(KeyRing)


class Missing(NamedTuple):
    """Why there is no such pipeline or model; one that was ``deleted`` is 410 over HTTP, any other 404."""

    why: str
    deleted: bool = False

    @property
    def status(self) -> int:
        return HTTP_410_GONE if self.deleted else HTTP_404_NOT_FOUND

    @property
    def title(self) -> str:
        return "Deleted model" if self.deleted else "Unknown model"


class ServiceClient:
    """Requests to the service ``name`` at ``url`` with the caller's service ``key``, or another's ``authorization``."""

    def __init__(self, name: str, url: str, key: SecretStr, client: httpx.AsyncClient) -> None:
        self._name = name
        self._url = url.rstrip("/")
        self._authorization = f"Bearer {key.get_secret_value()}"
        self._client = client

    async def request(
        self, method: str, path: str, body: bytes | None = None, *, authorization: str | None = None
    ) -> httpx.Response:
        """Send a request, with JSON as its body; the answer may be a refusal."""
        headers = {"Authorization": authorization or self._authorization, "Content-Type": "application/json"}
        url = self._url + path
        try:
            answer = await self._client.request(method, url, headers=headers, content=body, timeout=REQUEST_SECONDS)
        except httpx.TransportError as error:
            raise ConnectionError(f"{self._name}: {error!r}") from error
        if answer.is_server_error or answer.status_code in _NOT_LET_IN:
            raise ConnectionError(f"{self._name} answers {answer.status_code}")
        return answer

    async def get(self, path: str, views: TypeAdapter[View], *, authorization: str | None = None) -> View | None:
        """Return what is at ``path``, None where nothing is there, or not any more."""
        answer = await self.request("GET", path, authorization=authorization)
        return None if answer.status_code in _ABSENT else self.parsed(answer, views)

    def parsed(self, answer: httpx.Response, views: TypeAdapter[View]) -> View:
        if not answer.is_success:
            raise ConnectionError(f"{self._name} answers {answer.status_code}")
        try:
            return views.validate_json(answer.content)
        except ValidationError as error:
            raise ConnectionError(f"the answer of {self._name} is not understood: {error}") from error


class RegistryClient(ServiceClient):
    """The registry: keys, pipelines, models, and which worker serves what in ``stage``, which the caller follows."""

    def __init__(
        self, name: str, url: str, key: SecretStr, client: httpx.AsyncClient, *, stage: str = PRODUCTION
    ) -> None:
        super().__init__(name, url, key, client)
        self.stage = stage

    async def key_ring(self) -> KeyRing:
        """Return the hashes and scopes of all keys."""
        return self.parsed(await self.request("GET", "/keys/ring"), _KEY_RING)

    async def serving(self) -> list[ServingView]:
        """Return what is promoted to the stage, each version with its ``promotion_seq`` and signature."""
        return self.parsed(await self.request("GET", f"/serving{self._of_stage}"), _SERVING)

    async def report(self, worker: str, report: WorkerReport) -> list[ServingView]:
        """Report what a worker serves, and return what it should serve."""
        body = report.model_dump_json(exclude_none=True).encode()
        return self.parsed(await self.request("PUT", f"/workers/{worker}", body), _SERVING)

    async def withdraw(self, worker: str) -> None:
        """Report that a worker has stopped."""
        await self.request("DELETE", f"/workers/{worker}")

    async def pipelines(self) -> list[PipelineView]:
        """Return every pipeline's newest spec."""
        return await self.get("/pipelines", _PIPELINES) or []

    async def pipeline(self, name: str, digest: str | None = None) -> PipelineView | None:
        """Return a pipeline's newest spec, or the one with ``digest``."""
        return await self.get(_pipeline_path(name, digest), _PIPELINE)

    async def newest_digest(self, name: str) -> str | None:
        """Return the digest of a pipeline's newest spec, None for an unknown pipeline."""
        view = await self.get(f"/pipelines/{quoted(name)}", _DIGEST)
        return None if view is None else view.digest

    async def missing_pipeline(self, name: str, digest: str | None = None) -> Missing | None:
        """Return why there is no such pipeline, or none with this spec, or none any more; None where there is."""
        answer = await self.request("GET", _pipeline_path(name, digest))
        if answer.status_code not in _ABSENT:
            return None
        try:
            why = Problem.model_validate_json(answer.content).detail or no_pipeline(name, ())
        except ValidationError:
            why = no_pipeline(name, ())
        return Missing(why, deleted=answer.status_code == HTTP_410_GONE)

    async def versions_by_dataset(self, model: str) -> dict[str, list[int]]:
        """Return, by each file's digest, the versions that were trained on it or judged on it, without deleted ones."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        answer = await self.request("GET", f"/models/{quoted(model)}/versions")
        for each in self.parsed(answer, _VERSIONS):
            for digest in {*each.datasets, *([each.evaluation] if each.evaluation else [])}:
                found[digest].append(each.version)
        return dict(found)

    async def model(self, name: str) -> ModelView | None:
        """Return a model with what serves in the stage; None where there is none."""
        return await self.get(f"/models/{quoted(name)}{self._of_stage}", _MODEL)

    @property
    def _of_stage(self) -> str:
        return "" if self.stage == PRODUCTION else f"?stage={self.stage}"


class IngestClient(ServiceClient):
    """Ingest: the datasets of a pipeline."""

    async def dataset(self, name: str, digest: str) -> DatasetView | None:
        """Return a dataset; None where there is none, or it was deleted."""
        return await self.get(f"/datasets/{quoted(name)}/{quoted(digest)}", _DATASET)

    async def newest_dataset(self, name: str) -> DatasetView | None:
        """Return the dataset that was accepted last."""
        datasets = await self.get(f"/datasets/{quoted(name)}", _DATASETS) or []
        return next((each for each in datasets if each.state == "accepted"), None)


class TrainDispatchClient(ServiceClient):
    """Client of `train_dispatch`: whether a model can be trained, and what trains now."""

    async def runs_with(self, model: str, dataset: str) -> list[UUID]:
        """Return the runs of ``model``, queued or running, that are to train on a file or are judged on it."""
        found = await self.unfinished_runs(model)
        return [run.run_id for run in found if dataset in (*run.datasets, run.evaluation)]

    async def unfinished_runs(self, model: str) -> list[RunView]:
        """Return the runs of ``model`` that are queued or running."""
        path = f"/runs?model={quoted(model)}&state=queued,running&limit=500"
        return self.parsed(await self.request("GET", path), _RUNS)

    async def unused_datasets(self, model: str, digest: str, *, window: str | None = None) -> set[str]:
        """Return the files that no training reads any more, by the spec with ``digest``; ``window`` in place of its.

        `train_dispatch` may not have consumed the spec yet: that is a ConnectionError, too.
        """
        path = f"/models/{quoted(model)}/unused-datasets?pipeline={quoted(digest)}"
        path += f"&window={quoted(window)}" if window else ""
        return self.parsed(await self.request("GET", path), _DIGESTS)

    async def refusal(self, model: str, digest: str | None = None) -> Problem | None:
        """Return why ``model`` cannot be trained, by its newest spec or the one with ``digest``; None where it can."""
        path = f"/models/{quoted(model)}/trainable" + (f"?pipeline={quoted(digest)}" if digest else "")
        answer = await self.request("GET", path)
        if answer.is_success:
            return None
        try:
            return Problem.model_validate_json(answer.content)
        except ValidationError as error:
            raise ConnectionError(f"the answer of {self._name} is not understood: {error}") from error


class PredictionClient(ServiceClient):
    """Prediction: the results of asynchronous predictions."""

    async def prediction(self, prediction_id: UUID, authorization: str) -> PredictionView | None:
        """Return a prediction as the caller with this ``authorization`` may see it."""
        return await self.get(f"/predictions/{prediction_id}", _PREDICTION, authorization=authorization)


def _pipeline_path(name: str, digest: str | None) -> str:
    return f"/pipelines/{quoted(name)}" + (f"?digest={quoted(digest)}" if digest else "")


def quoted(part: str) -> str:
    """Return ``part`` percent-encoded as one path segment, whatever a client put into it."""
    return quote(part, safe="")
