"""Routes of the two decisions that people make: approval of a version, and rollback to an earlier one."""

from typing import Any
from uuid import uuid4

from interlock_artifacts.signing import Signer
from interlock_contracts import telemetry
from interlock_contracts.http import RollbackRequest
from interlock_contracts.rollout import ApprovalView, RollbackView
from interlock_messaging import Bus
from interlock_runtime.access import Caller
from interlock_runtime.http import SCOPE
from interlock_runtime.problems import problem
from interlock_runtime.tracing import request_span
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody

from interlock_registry import promotion, store
from interlock_registry.domain import Step
from interlock_registry.models import unknown_version
from interlock_registry.routes import unknown_model
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
                if await session.get(VersionRow, (name, number)) is None:
                    raise await unknown_version(session, name, number)
                step = await promotion.approve(session, name, number, by=caller.name, cause=str(uuid4()), signer=signer)
        except ValueError as error:
            raise problem(409, "Nothing to approve", str(error)) from error
    promoted = step is Step.PROMOTE
    answer = ApprovalView(model=name, version=number, promoted=promoted, approved_by=caller.name)
    return Response(answer, status_code=200 if promoted else 202)


@post("/models/{name:str}/rollback", status_code=200, opt={SCOPE: "promote"})
async def roll_back(
    name: FromPath[str],
    request: Request[Any, Any, Any],
    bus: NamedDependency[Bus],
    signer: NamedDependency[Signer],
    data: JSONBody[RollbackRequest | None] = None,
) -> RollbackView:
    """Serve an earlier version again, under a new promotion number."""
    wanted = data or RollbackRequest()
    caller: Caller = request.user
    with request_span(telemetry.SPAN_ROLL_BACK, request, {telemetry.PIPELINE: name}):
        try:
            async with bus.transaction() as session:
                if not await store.pipelines(session, name):
                    raise await unknown_model(session, name)
                event = await promotion.roll_back(
                    session,
                    name,
                    wanted.version,
                    by=caller.name,
                    cause=str(uuid4()),
                    signer=signer,
                    reason=wanted.reason,
                )
        except ValueError as error:
            raise problem(409, "Cannot roll back", str(error)) from error
    return RollbackView(model=name, version=event.version, promotion_seq=event.promotion_seq)


ROUTES = [approve_version, roll_back]
