"""Routes of the decisions that people make: promotion to the next stage, approval of a version, and rollback."""

from typing import Any
from uuid import uuid4

from interlock_artifacts.signing import Signer
from interlock_contracts import telemetry
from interlock_contracts.http import PromoteRequest, RollbackRequest
from interlock_contracts.rollout import ApprovalView, PromoteView, RollbackView
from interlock_contracts.stages import PRODUCTION
from interlock_messaging import Bus
from interlock_runtime.access import Caller
from interlock_runtime.http import SCOPE
from interlock_runtime.problems import problem
from interlock_runtime.tracing import request_span
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody

from interlock_registry import promotion, stages, store
from interlock_registry.domain import Step
from interlock_registry.models import existing_version, unknown_version
from interlock_registry.routes import require_stage, unknown_model
from interlock_registry.store import VersionRow


@post(
    "/models/{name:str}/versions/{number:int}/approve",
    status_code=200,
    opt={SCOPE: "promote"},
    responses={202: ResponseSpec(ApprovalView, description="The gate is asked again", generate_examples=False)},
)
async def approve_version(
    name: FromPath[str],
    number: FromPath[int],
    request: Request[Any, Any, Any],
    bus: NamedDependency[Bus],
    signer: NamedDependency[Signer],
) -> Response[ApprovalView]:
    """Promote a version that waits for a person; 202 where the gate is asked again, as another champion serves now."""
    caller: Caller = request.user
    with request_span(telemetry.SPAN_APPROVE, request, {telemetry.PIPELINE: name, telemetry.VERSION: number}):
        try:
            async with bus.transaction() as session:
                if not await store.pipelines(session, name):
                    raise await unknown_model(session, name)
                if (version := await session.get(VersionRow, (name, number))) is None:
                    raise await unknown_version(session, name, number)
                stage = version.bound_for or PRODUCTION
                step = await promotion.approve(session, name, number, by=caller.name, cause=str(uuid4()), signer=signer)
        except ValueError as error:
            raise problem(409, "Nothing to approve", str(error)) from error
    promoted = step is Step.PROMOTE
    answer = ApprovalView(model=name, version=number, promoted=promoted, approved_by=caller.name, stage=stage)
    return Response(answer, status_code=200 if promoted else 202)


@post(
    "/models/{name:str}/versions/{number:int}/promote",
    status_code=200,
    opt={SCOPE: "promote"},
    responses={
        202: ResponseSpec(PromoteView, description="The gate, or an approval, comes first", generate_examples=False)
    },
)
async def promote_version(
    name: FromPath[str],
    number: FromPath[int],
    *,
    request: Request[Any, Any, Any],
    bus: NamedDependency[Bus],
    signer: NamedDependency[Signer],
    data: JSONBody[PromoteRequest],
) -> Response[PromoteView]:
    """Promote a version to the next stage; 202 where the gate measures it against that one's champion first."""
    caller: Caller = request.user
    with request_span(telemetry.SPAN_PROMOTE_TO, request, {telemetry.PIPELINE: name, telemetry.VERSION: number}):
        try:
            async with bus.transaction() as session:
                if not await store.pipelines(session, name):
                    raise await unknown_model(session, name)
                await existing_version(session, name, number)
                await require_stage(session, name, data.to)
                answer = await stages.advance(
                    session, name, number, data.to, by=caller.name, cause=str(uuid4()), signer=signer
                )
        except ValueError as error:
            raise problem(409, "Cannot be promoted", str(error)) from error
    return Response(answer, status_code=200 if answer.state == "promoted" else 202)


@post("/models/{name:str}/rollback", status_code=200, opt={SCOPE: "promote"})
async def roll_back(
    name: FromPath[str],
    request: Request[Any, Any, Any],
    bus: NamedDependency[Bus],
    signer: NamedDependency[Signer],
    data: JSONBody[RollbackRequest | None] = None,
) -> RollbackView:
    """Serve an earlier version again in a stage, under a new promotion number."""
    wanted = data or RollbackRequest()
    caller: Caller = request.user
    with request_span(telemetry.SPAN_ROLL_BACK, request, {telemetry.PIPELINE: name}):
        try:
            async with bus.transaction() as session:
                if not await store.pipelines(session, name):
                    raise await unknown_model(session, name)
                await require_stage(session, name, wanted.stage)
                event = await promotion.roll_back(
                    session,
                    name,
                    wanted.version,
                    by=caller.name,
                    cause=str(uuid4()),
                    signer=signer,
                    reason=wanted.reason,
                    stage=wanted.stage,
                )
        except ValueError as error:
            raise problem(409, "Cannot roll back", str(error)) from error
    return RollbackView(model=name, version=event.version, promotion_seq=event.promotion_seq, stage=event.stage)


ROUTES = [approve_version, promote_version, roll_back]
