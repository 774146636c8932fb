"""Engines: they compute predictions from an encoded matrix; one kind a file, each with a version of its file format."""

from pathlib import Path
from typing import ClassVar, Protocol

from interlock_modeling.engines.flat_file import ModelFormatError, read_arrays
from interlock_modeling.engines.forest import ForestEngine
from interlock_modeling.engines.inverse import INVERSES, InverseEngine, Predictor
from interlock_modeling.engines.linear import LinearEngine
from interlock_modeling.engines.median_forest import MedianForestEngine
from interlock_modeling.engines.onnx import OnnxEngine

__all__ = [
    "INVERSES",
    "Engine",
    "ForestEngine",
    "InverseEngine",
    "LinearEngine",
    "MedianForestEngine",
    "ModelFormatError",
    "OnnxEngine",
    "Predictor",
    "load_engine",
    "prepare",
]


class Engine(Predictor, Protocol):
    """A loaded engine; ``kind`` and ``version`` name the format of its file."""

    kind: ClassVar[str]
    version: ClassVar[int]

    def save(self, path: Path) -> None: ...


ENGINES = {
    (engine.kind, engine.version): engine for engine in (ForestEngine, LinearEngine, MedianForestEngine, OnnxEngine)
}


def load_engine(kind: str, version: int, path: Path) -> Engine:
    """Map the engine file at ``path``.

    Raises:
        ModelFormatError: the kind or version is unknown, or the file is damaged or of another kind.
    """
    engine = ENGINES.get((kind, version))
    if engine is None:
        known = ", ".join(f"{name} {number}" for name, number in ENGINES)
        raise ModelFormatError(f"unknown engine {kind} {version}; this version knows {known}")
    stored = read_arrays(path)
    if (stored.kind, stored.version) != (kind, version):
        raise ModelFormatError(f"the file holds {stored.kind} {stored.version}, not {kind} {version}")
    return engine.load(stored)


def prepare() -> None:
    """Import all that engines need; blocks for a second.

    Loading does this by itself, when the first model of a kind needs it. Who answers requests meanwhile calls this
    before, because importing so much keeps the interpreter busy.
    """
    import onnx  # noqa: F401, PLC0415
    import onnxruntime  # noqa: F401, PLC0415

    import interlock_modeling.engines.forest_kernel  # noqa: F401, PLC0415
