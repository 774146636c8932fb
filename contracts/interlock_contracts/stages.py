"""Deployment stages: where a version serves on its way to ``production``, in the order declared.

A version's *state* is another word: ``VersionView.stage`` says registered, passed, refused, champion or retired. A
stage of this module has a champion of its own, and gateways that follow it.
"""

from typing import Annotated

from pydantic import AfterValidator, Field

PRODUCTION = "production"
"""The last stage of every pipeline, and the only one of a pipeline that declares none."""

StageName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40)]


def _in_order(stages: list[str]) -> list[str]:
    if len(set(stages)) != len(stages):
        raise ValueError("two stages have the same name")
    if stages[-1] != PRODUCTION:
        raise ValueError(f"the last stage must be {PRODUCTION!r}, which gateways follow by default; got {stages[-1]!r}")
    return stages


Stages = Annotated[list[StageName], Field(min_length=1, max_length=8), AfterValidator(_in_order)]


def stage_before(stages: list[str], stage: str) -> str | None:
    """Return the stage that a version must have served in before ``stage``; None where ``stage`` is the first."""
    place = stages.index(stage)
    return stages[place - 1] if place else None


def no_stage(model: str, stage: str, stages: list[str]) -> str:
    """Return in words that ``model`` has no stage called so, and which it has."""
    return f"{model!r} has no stage {stage!r}; its stages are {', '.join(stages)}"
