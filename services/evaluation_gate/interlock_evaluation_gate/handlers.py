"""The gate's part in the flow: measure what would be served, and say whether it may."""

import asyncio
import logging
from typing import Annotated

from faststream import Context
from faststream.rabbit import RabbitRouter
from interlock_artifacts import ArtifactStore, CorruptArtifactError, MissingArtifactError
from interlock_contracts import telemetry
from interlock_contracts.evaluation import EvaluationFailed, EvaluationPassed
from interlock_contracts.models import ModelRegistered
from interlock_contracts.report import GateReport
from interlock_messaging import Bus, Cause, topology
from interlock_messaging.crash_points import crash_point
from interlock_serving.loading import Loader
from interlock_serving.validation.client import RefusedModelError
from opentelemetry import trace

from interlock_evaluation_gate.evaluation import evaluate

SERVICE = "evaluation_gate"

logger = logging.getLogger(__name__)
router = RabbitRouter()


@router.subscriber(topology.queue(SERVICE, ModelRegistered), topology.EXCHANGE, no_reply=True)
async def judge_candidate(
    event: ModelRegistered,
    cause: Cause,
    artifacts: Annotated[ArtifactStore, Context("artifacts")],
    loader: Annotated[Loader, Context("loader")],
    bus: Annotated[Bus, Context("bus")],
) -> None:
    """Measure the exported model on the holdout, against its thresholds and the champion; say the verdict.

    A candidate whose own bytes are wrong, or that crashes or hangs whoever loads it, is refused: no repeat would make
    it better.
    """
    span = trace.get_current_span()
    span.set_attributes(
        {
            telemetry.PIPELINE: event.model,
            telemetry.RUN_ID: str(event.run_id),
            telemetry.VERSION: event.version,
            telemetry.TASK: "gate",
        }
    )
    try:
        report = await asyncio.to_thread(evaluate, event, artifacts, loader)
    except (CorruptArtifactError, MissingArtifactError, RefusedModelError, ValueError) as error:
        logger.warning("version %d of %s cannot be evaluated: %s", event.version, event.model, error)
        report = GateReport(passed=False, reasons=[f"the candidate cannot be evaluated: {error}"])
    span.set_attribute(telemetry.RESULT, "success" if report.passed else "failure")
    stored = await asyncio.to_thread(artifacts.put, report.model_dump_json().encode())
    crash_point("evaluation_gate.report_stored")
    verdict = EvaluationPassed if report.passed else EvaluationFailed
    said = verdict(
        model=event.model,
        version=event.version,
        run_id=event.run_id,
        against=event.champion.version if event.champion else None,
        report=stored,
        reasons=report.reasons,
        metrics={name: value for name, value in report.metrics.items() if value is not None},
    )
    await bus.publish(said, cause=cause.id)
    crash_point("evaluation_gate.published")
