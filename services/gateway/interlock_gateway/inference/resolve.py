"""Inference, whatever protocol the request came in: resolve the model, predict, and explain what went wrong.

Every protocol goes through here, so that all of them give the same numbers, explain a missing model in the same words,
and keep the event loop free: what takes long is computed in a thread.
"""

import asyncio
from collections.abc import Awaitable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from interlock_contracts.http import ModelView
from interlock_contracts.stages import PRODUCTION, no_stage
from interlock_modeling import InvalidRowsError
from interlock_modeling.served import Predictions
from interlock_runtime.clients import RegistryClient
from interlock_runtime.problems import problem
from interlock_serving.manager import LoadFailedError, ModelManager
from litestar.plugins.problem_details import ProblemDetailsException

from interlock_gateway.domain import is_name
from interlock_gateway.models.batcher import BatchedModel, OverloadedError

CHOSEN = "interlock.chosen"
"""In a request's state, the version that the fast path chose before it handed the request on."""

INLINE_ROWS = 16
"""Up to so many rows are predicted in the event loop: handing them to a thread costs more than they do."""


async def resolve_model(manager: ModelManager[BatchedModel], registry: RegistryClient, name: str) -> BatchedModel:
    """Choose what answers a request for the model ``name``; take version and model from this one object only.

    Raises:
        ProblemDetailsException: 404 where nothing of that name serves, 410 where it was deleted, 503 where it does not
            serve here yet.
    """
    return await _or_problem(manager.get_or_load(name), registry, name)


async def resolve_champion(manager: ModelManager[BatchedModel], registry: RegistryClient, name: str) -> BatchedModel:
    """Return the champion, whose signature describes the model ``name``; for who answers no request with it.

    Raises:
        ProblemDetailsException: as :func:`resolve_model` does.
    """
    return await _or_problem(manager.load_champion(name), registry, name)


async def _or_problem(loading: Awaitable[BatchedModel | None], registry: RegistryClient, name: str) -> BatchedModel:
    try:
        serving = await loading
    except (ConnectionError, LoadFailedError) as error:
        detail = f"{name!r} has a promoted version, which is not loaded here: {error}"
        raise problem(503, "Not loaded", detail, headers={"Retry-After": "2"}) from error
    if serving is None:
        raise await model_not_available(name, registry)
    return serving


async def predictions(serving: BatchedModel, rows: list[Any]) -> Predictions:
    """Predict for rows, each an object of column: value.

    Raises:
        InvalidRowsError: rows that do not fit the model; ``invalid_rows_problem`` makes a problem of it.
        ProblemDetailsException: 503 where too many requests for this version wait already.
    """
    with _in_flight_limit(serving):
        if len(rows) <= INLINE_ROWS:
            return serving.model.predict_rows(rows)
        return await asyncio.to_thread(serving.model.predict_rows, rows)


async def table_predictions(serving: BatchedModel, table: pa.Table, absent: Collection[str]) -> Predictions:
    """Predict for all rows of a table whose columns have the declared types; ``absent`` are those left out, all null.

    Raises:
        ValueError: a column is missing.
    """
    with _in_flight_limit(serving):
        if table.num_rows <= INLINE_ROWS:
            return serving.model.predict_request(table, absent)
        return await asyncio.to_thread(serving.model.predict_request, table, absent)


@contextmanager
def _in_flight_limit(serving: BatchedModel) -> Iterator[None]:
    try:
        with serving.batcher.acquire():
            yield
    except OverloadedError as error:
        detail = "this model has as many requests in flight as it may have; try again in a second"
        raise problem(503, "Too many requests wait", detail, headers={"Retry-After": "1"}) from error


def invalid_rows_problem(error: InvalidRowsError) -> ProblemDetailsException:
    """Return the refusal of rows that do not fit: the first fault in words, and every fault as an entry."""
    first = error.errors[0]
    more = f" (and {len(error.errors) - 1} more)" if len(error.errors) > 1 else ""
    faults = [{"row": fault.row, "column": fault.column, "message": fault.message} for fault in error.errors]
    return problem(422, "The rows do not fit the model", f"{first.place}: {first.message}{more}", errors=faults)


def require_name(name: str) -> None:
    """Refuse what no model can be called, before a request for it is sent anywhere.

    Raises:
        ProblemDetailsException: 404.
    """
    if not is_name(name):
        raise problem(404, "Unknown model", f"{name!r} cannot be a model's name")


async def known_model(name: str, registry: RegistryClient) -> ModelView | None:
    """Return the model as the registry, which knows all, has it; None while the registry is down.

    Raises:
        ProblemDetailsException: 404 where no pipeline is called so, or nothing can be; 410 where it was deleted.
    """
    require_name(name)
    try:
        model = await registry.model(name)
        missing = await registry.missing_pipeline(name) if model is None else None
    except ConnectionError:
        return None
    if missing is not None:
        raise problem(missing.status, missing.title, missing.why)
    return model


async def promoted_model(name: str, registry: RegistryClient) -> ModelView | None:
    """Return the same where a version is promoted.

    Raises:
        ProblemDetailsException: 404, also where no version of the model is promoted, or the pipeline has not the stage
            that this gateway follows; 410 where it was deleted.
    """
    model = await known_model(name, registry)
    if model is not None and model.archived_at is not None:
        raise problem(404, "The model is archived", f"model {name!r} is archived, so none of its versions serves")
    stages = [each.stage for each in model.stages] if model is not None else []
    if stages and registry.stage not in stages:
        raise problem(404, "No such stage", f"{no_stage(name, registry.stage, stages)}; this gateway follows no other")
    if model is not None and model.serving is None:
        where = "" if registry.stage == PRODUCTION else f" to {registry.stage}, which this gateway follows,"
        detail = f"no version of {name!r} is promoted{where} yet; GET /models/{name}/versions tells how far they are"
        raise problem(404, "No version serves", detail)
    return model


async def model_not_available(name: str, registry: RegistryClient) -> ProblemDetailsException:
    """Return why a promoted model does not predict here; off the hot path.

    Raises:
        ProblemDetailsException: 404, nothing of that name is promoted anywhere; 410, it was deleted.
    """
    if await promoted_model(name, registry) is None:
        detail = f"no version of {name!r} is loaded here, and the registry, which knows all models, is down"
        return problem(503, "Unknown model", detail, headers={"Retry-After": "2"})
    detail = f"{name!r} has a promoted version, which is not loaded here yet"
    return problem(503, "Not loaded yet", detail, headers={"Retry-After": "1"})
