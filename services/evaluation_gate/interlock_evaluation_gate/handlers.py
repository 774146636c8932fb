"""Event handlers: evaluate a registered version and publish the verdict; drop copies of deleted ones."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Annotated

from faststream import Context
from faststream.rabbit import RabbitRouter
from interlock_artifacts import ArtifactStore, CorruptArtifactError, MissingArtifactError
from interlock_contracts import metrics, telemetry
from interlock_contracts.evaluation import EvaluationFailed, EvaluationPassed
from interlock_contracts.event import Envelope
from interlock_contracts.models import ModelDeleted, ModelRegistered, ModelVersionDeleted
from interlock_contracts.report import GateReport
from interlock_messaging import Bus, CausationEnvelope, topology
from interlock_messaging.crash_points import crash_point
from interlock_serving.loading import Loader
from interlock_serving.smoke_test.client import RefusedModelError
from opentelemetry import trace
from prometheus_client import Counter, Histogram

from interlock_evaluation_gate.evaluation import evaluate

SERVICE = "evaluation_gate"
REPLICA = topology.process_name()
"""Name of this process: each replica consumes deletions from a queue of its own."""

logger = logging.getLogger(__name__)
_tracer = trace.get_tracer("interlock.evaluation_gate")
router = RabbitRouter()

_verdicts = Counter(*metrics.VERDICTS.family)
_seconds = Histogram(*metrics.GATE_SECONDS.family, buckets=(0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0))


@router.subscriber(topology.queue(SERVICE, ModelRegistered), topology.EXCHANGE, no_reply=True)
async def judge_candidate(
    event: ModelRegistered,
    cause: CausationEnvelope,
    artifacts: Annotated[ArtifactStore, Context("artifacts")],
    loader: Annotated[Loader, Context("loader")],
    bus: Annotated[Bus, Context("bus")],
) -> None:
    """Measure the exported model on the holdout, against its thresholds and the champion; publish the verdict.

    A candidate whose own bytes are wrong, or that crashes or hangs whoever loads it, is refused: no repeat would make
    it better.
    """
    with _tracer.start_as_current_span(telemetry.SPAN_GATE, attributes=_about(event, cause)) as span:
        with _seconds.labels(event.model).time():
            report = await _report(event, artifacts, loader)
        span.set_attribute(telemetry.TASK_RESULT, "success" if report.passed else "failure")
        stored = await asyncio.to_thread(artifacts.put, report.model_dump_json().encode())
        crash_point("evaluation_gate.report_stored")
        verdict = EvaluationPassed if report.passed else EvaluationFailed
        evaluated = verdict(
            model=event.model,
            version=event.version,
            run_id=event.run_id,
            against=event.champion.version if event.champion else None,
            report=stored,
            reasons=report.reasons,
            metrics=_defined(report.metrics),
            champion_metrics=_defined(_on_the_same_rows(report)),
            claim=event.claim.number if event.claim else None,
            tested=report.champion is not None and not report.champion.equal,
            stage=event.stage,
        )
        if report.passed and report.needs_approval:
            evaluated = evaluated.model_copy(update={"needs_approval": True})
        await bus.publish(evaluated, cause=cause.identity)
        _verdicts.labels(event.model, "passed" if report.passed else "failed").inc()
    crash_point("evaluation_gate.published")


@router.subscriber(topology.worker_queue(SERVICE, ModelVersionDeleted, REPLICA), topology.EXCHANGE, no_reply=True)
async def drop_copy(event: ModelVersionDeleted, loader: Annotated[Loader, Context("loader")]) -> None:
    """Remove this host's copy of a deleted version; what is measured against it meanwhile is fetched once more."""
    await asyncio.to_thread(loader.forget, event)


@router.subscriber(topology.worker_queue(SERVICE, ModelDeleted, REPLICA), topology.EXCHANGE, no_reply=True)
async def drop_model(event: ModelDeleted, loader: Annotated[Loader, Context("loader")]) -> None:
    """Remove this host's copies of a deleted model's versions."""
    for version in event.versions:
        await asyncio.to_thread(loader.forget, version)


async def _report(event: ModelRegistered, artifacts: ArtifactStore, loader: Loader) -> GateReport:
    try:
        return await asyncio.to_thread(evaluate, event, artifacts, loader)
    except (CorruptArtifactError, MissingArtifactError, RefusedModelError, ValueError) as error:
        logger.warning("version %d of %s cannot be evaluated: %s", event.version, event.model, error)
        return GateReport(passed=False, reasons=[f"the candidate cannot be evaluated: {error}"])
    except OSError:  # the store, the network, the disk: no fault of the candidate's
        raise
    except Exception as error:  # a fault of ours must not leave the run waiting for a verdict
        logger.exception("version %d of %s cannot be evaluated", event.version, event.model)
        return GateReport(passed=False, reasons=[f"the candidate cannot be evaluated: {error!r}"])


def _on_the_same_rows(report: GateReport) -> Mapping[str, float | None]:
    """Return the champion's metrics, if they are over all rows that the candidate's are over."""
    return report.champion.metrics if report.champion and report.champion.rows == report.rows else {}


def _defined(metrics: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if value is not None}


def _about(event: ModelRegistered, cause: Envelope) -> dict[str, str | int]:
    return {
        telemetry.PIPELINE: event.model,
        telemetry.RUN_ID: str(event.run_id),
        telemetry.MODEL: event.model,
        telemetry.VERSION: event.version,
        telemetry.TASK: telemetry.SPAN_GATE,
        telemetry.TASK_RUN: f"{event.run_id}/{telemetry.SPAN_GATE}/{cause.identity}",
    }
