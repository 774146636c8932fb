"""Pipelines: applied, listed and read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interlock_contracts.http import PipelineView
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.pipeline_file import parse_pipeline

from interlock_client.flows import Flow, Request, get, get_list, read
from interlock_client.views import Views


def apply(pipeline: str | Path | Mapping[str, Any] | Pipeline) -> Flow[PipelineView]:
    """Create or update a pipeline: its file's path, its keys as a mapping, or a ``Pipeline``.

    Raises:
        InvalidPipelineError: the file is not valid; every fault with its line. A mapping raises pydantic's own error.
    """
    if isinstance(pipeline, str | Path):
        content = Path(pipeline).read_bytes()
        name = parse_pipeline(content).name
    else:
        spec = pipeline if isinstance(pipeline, Pipeline) else Pipeline.model_validate(pipeline)
        content, name = spec.model_dump_json(exclude_unset=True).encode(), spec.name
    return (yield from read(PipelineView, Request("PUT", f"/pipelines/{name}", content=content, repeatable=True)))


def pipelines() -> Flow[Views[PipelineView]]:
    """Return the applied pipelines."""
    return (yield from get_list(PipelineView, "/pipelines"))


def pipeline(name: str, *, digest: str | None = None) -> Flow[PipelineView]:
    """Return a pipeline's newest spec, or the one with this digest."""
    return (yield from get(PipelineView, f"/pipelines/{name}", digest=digest))
