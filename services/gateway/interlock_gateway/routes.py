"""Routes of the gateway itself beside predictions: request a training, report what this worker serves."""

from contextlib import suppress
from typing import Annotated, Any

from interlock_contracts import telemetry
from interlock_contracts.event import run_id
from interlock_contracts.http import RetrainRequest, RunAccepted
from interlock_contracts.refs import MAX_CALLER
from interlock_contracts.training import RetrainRequested
from interlock_messaging import Bus
from interlock_runtime.access import Caller
from interlock_runtime.clients import TrainDispatchClient
from interlock_runtime.http import SCOPE
from interlock_runtime.problems import problem
from interlock_runtime.tracing import request_span
from interlock_serving.manager import ModelManager
from interlock_serving.slot import Slot
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody

from interlock_gateway.domain import SlotView, WorkerView, retrain_cause
from interlock_gateway.inference.resolve import require_name
from interlock_gateway.models.batcher import BatchedModel
from interlock_gateway.models.reconcile import Reconciler
from interlock_gateway.observe.prediction_log import PredictionLog
from interlock_gateway.proxy.upstreams import Upstreams


@get("/serving", opt={SCOPE: "read"})
async def what_this_worker_serves(
    manager: NamedDependency[ModelManager[BatchedModel]],
    reconciler: NamedDependency[Reconciler],
    log: NamedDependency[PredictionLog],
) -> WorkerView:
    """Return what the process that happens to answer has loaded."""
    models = [_slot_view(slot) for slot in manager.slots()]
    return WorkerView(manager.process, consuming=reconciler.consuming, models=models, log=log.view)


def _slot_view(slot: Slot[BatchedModel]) -> SlotView:
    serving, failed = slot.serving, slot.failure
    return SlotView(
        name=slot.model,
        version=serving.version if serving else None,
        promotion_seq=serving.promotion_seq if serving else None,
        failure=failed.reason if failed else None,
    )


@post("/models/{name:str}/retrain", status_code=202, opt={SCOPE: "train"})
async def retrain(
    name: FromPath[str],
    *,
    request: Request[Caller, Any, Any],
    upstreams: NamedDependency[Upstreams],
    bus: NamedDependency[Bus],
    data: JSONBody[RetrainRequest | None] = None,
    idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key", max_length=200)] = None,
) -> Response[RunAccepted]:
    """Ask for a training run; a repeat with the same ``Idempotency-Key`` is answered with the same run.

    404 for an unknown pipeline, 409 without an accepted dataset, 503 when the bus is down.
    """
    wanted = data or RetrainRequest()
    about = {telemetry.PIPELINE: name, telemetry.MODEL: name}
    with request_span(telemetry.SPAN_RETRAIN, request, about, status=202) as span:
        await _refuse_untrainable(upstreams.train_dispatch, name, wanted.pipeline)
        event = RetrainRequested(model=name, by=request.user.name[:MAX_CALLER], **wanted.model_dump())
        envelope = await bus.publish(event, cause=retrain_cause(name, idempotency_key))
        run = run_id(envelope.identity, name)
        span.set_attribute(telemetry.RUN_ID, str(run))
    return Response(RunAccepted(run_id=run, run=f"/runs/{run}"), status_code=202, headers={"Location": f"/runs/{run}"})


async def _refuse_untrainable(train_dispatch: TrainDispatchClient, name: str, digest: str | None) -> None:
    """Refuse what cannot be trained; where ``train_dispatch`` is down, ``training.failed`` gives the reason later."""
    require_name(name)
    with suppress(ConnectionError):
        if (refusal := await train_dispatch.refusal(name, digest)) is not None:
            raise problem(refusal.status, refusal.title, refusal.detail)


ROUTES = [what_this_worker_serves, retrain]
