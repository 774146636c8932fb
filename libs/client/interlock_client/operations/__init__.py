"""Operations of the API, as flows; the two clients make methods of them."""

from interlock_client.operations import (
    datasets,
    events,
    exports,
    files,
    imports,
    later,
    models,
    pipelines,
    predictions,
    quality,
    runs,
)

__all__ = [
    "datasets",
    "events",
    "exports",
    "files",
    "imports",
    "later",
    "models",
    "pipelines",
    "predictions",
    "quality",
    "runs",
]
