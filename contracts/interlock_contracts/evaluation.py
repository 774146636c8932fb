"""Events about the evaluation gate's verdicts."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field, FiniteFloat

from interlock_contracts.event import Event
from interlock_contracts.refs import ArtifactRef, Name
from interlock_contracts.stages import StageName


class _Verdict(Event):
    """``champion_metrics`` are those of the version it was measured ``against``, on the same rows as ``metrics``.

    ``claim`` is the number of the claim that was tested, None where none was given out. ``tested`` is False where there
    was nothing to test: the answers to every row are equal, or the two could not be compared. ``stage`` is the stage
    that it was judged for; an older gate does not say.
    """

    model: Name
    version: int = Field(ge=1)
    run_id: UUID
    against: int | None = Field(default=None, ge=1)
    report: ArtifactRef
    reasons: list[str]
    metrics: dict[str, FiniteFloat] = {}
    champion_metrics: dict[str, FiniteFloat] = {}
    claim: int | None = Field(default=None, ge=1)
    tested: bool = True
    stage: StageName | None = None

    @property
    def subject(self) -> str:
        return f"model/{self.model}"


class EvaluationPassed(_Verdict):
    """True once the exported model has kept every threshold and beaten the champion it was measured ``against``.

    With ``needs_approval`` that champion could not be compared with it, so a person decides, whatever the spec says.
    """

    type: ClassVar[str] = "evaluation.passed"

    needs_approval: bool = False


class EvaluationFailed(_Verdict):
    """True once the exported model has missed a threshold, or has not shown that it beats the champion."""

    type: ClassVar[str] = "evaluation.failed"
