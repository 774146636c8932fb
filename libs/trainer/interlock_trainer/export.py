"""From a fitted scikit-learn pipeline to what is served, and the proof that both answer alike."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from interlock_artifacts import ArtifactStore
from interlock_contracts.candidates import Candidate
from interlock_contracts.manifest import ExportCheck
from interlock_contracts.refs import ArtifactRef
from interlock_modeling import Model, ModelDescription
from interlock_modeling.encoder import CategoryColumn, Encoder, NumericColumn
from interlock_modeling.engines import Engine, LinearEngine
from interlock_modeling.served import EngineRef
from interlock_modeling.signature import ModelSignature
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline as SklearnPipeline
from threadpoolctl import threadpool_limits

from interlock_trainer.errors import DataError, told_as
from interlock_trainer.fitting import scores_of
from interlock_trainer.kinds import KINDS
from interlock_trainer.preprocessing import encoder_of, frame_of
from interlock_trainer.probes import probe_rows
from interlock_trainer.target import without_transform

TOLERANCE = 1e-5
"""Greatest relative difference between what is served and what was trained; beyond it nothing is exported."""

_FOLDING_TOLERANCE = 1e-9

Answers = Callable[[pa.Table], NDArray[np.float64]]
"""What an original answers for each row: predictions [n], or probabilities [n, k]."""


@dataclass(frozen=True)
class Exported:
    """A stored model: its description's reference, the engine's name, and how closely it follows the original."""

    artifact: ArtifactRef
    engine: str
    check: ExportCheck


def export(
    candidate: Candidate,
    fitted: SklearnPipeline,
    signature: ModelSignature,
    table: pa.Table,
    *,
    store: ArtifactStore,
    folder: Path,
    seed: int,
) -> Exported:
    """Translate, write, load as a gateway would, compare on ``table`` and on rows made to tell apart, and store.

    Raises:
        DataError: the fitted pipeline cannot be translated, or its answers differ by more than ``TOLERANCE``.
    """
    with told_as(f"the fitted {candidate} cannot be exported"):
        encoder = encoder_of(signature, fitted["preprocess"])
        estimator = without_transform(fitted["estimator"], signature.transform)
        engine = KINDS[candidate].engine(estimator, len(encoder.names))
        if isinstance(engine, LinearEngine):
            encoder, engine = _folded(encoder, engine, table)
        parts = Parts(signature, encoder, engine)
        rows = probe_rows(encoder, engine, table, seed)
        about = {"name": candidate, "original": "scikit-learn"}
        return store_checked(parts, answers_of(fitted, signature), rows, store=store, folder=folder, **about)


def answers_of(fitted: SklearnPipeline, signature: ModelSignature) -> Answers:
    """Return what the fitted pipeline itself answers."""

    def answers(rows: pa.Table) -> NDArray[np.float64]:
        with threadpool_limits(1):
            return scores_of(fitted, frame_of(signature, rows), signature.task)

    return answers


@dataclass(frozen=True)
class Parts:
    """What is served of a model."""

    signature: ModelSignature
    encoder: Encoder
    engine: Engine


def store_checked(
    parts: Parts,
    answers: Answers,
    rows: pa.Table,
    *,
    store: ArtifactStore,
    folder: Path,
    name: str,
    original: str,
) -> Exported:
    """Write, load as a gateway would, compare with the original's ``answers`` on ``rows``, and store.

    Raises:
        DataError: the answers differ by more than ``TOLERANCE``.
    """
    engine, file = parts.engine, folder / "engine"
    engine.save(file)
    ref = EngineRef(kind=engine.kind, version=engine.version, ref=store.put_file(file))
    description = ModelDescription(signature=parts.signature, encoder=parts.encoder, engine=ref)
    stored = description.model_dump_json().encode()
    model = Model.load(ModelDescription.parse(stored), file)
    check = compare(model, answers, rows)
    if not check.max_rel <= TOLERANCE:
        raise DataError(
            f"the exported {name} differs from {original}'s predictions by {check.max_rel:.2g} relative "
            f"({check.max_abs:.2g} absolute); at most {TOLERANCE:g} is allowed"
        )
    return Exported(store.put(stored), f"{engine.kind} {engine.version}", check)


def compare(model: Model, answers: Answers, rows: pa.Table) -> ExportCheck:
    """Return the greatest differences between the served answers and the original's.

    Relative means relative to the prediction or to the predictions' standard deviation, whichever is larger: a
    library that sums in float32 is no closer to itself than that. Probabilities are compared as they are.
    """
    task, expected = model.signature.task, answers(rows)
    difference = np.abs(model.predict_table(rows).scores - expected)
    size = np.maximum(np.abs(expected), expected.std()) if task == "regression" else np.ones_like(expected)
    relative = np.divide(difference, size, out=np.where(difference > 0, np.inf, 0.0), where=size > 0)
    return ExportCheck(rows=rows.num_rows, max_abs=float(difference.max()), max_rel=float(relative.max()))


def _folded(encoder: Encoder, engine: LinearEngine, table: pa.Table) -> tuple[Encoder, Engine]:
    """Move the scaling into the coefficients where the answers stay the same to ``_FOLDING_TOLERANCE``."""
    center, scale = np.array([pair for column in encoder.columns for pair in _scaling(column)]).T
    coefficients = engine.coefficients / scale
    folded = LinearEngine(coefficients, engine.intercepts - coefficients @ center, engine.link)
    plain = Encoder(columns=[_unscaled(column) for column in encoder.columns])
    before = engine.predict(encoder.encode_table(table))
    after = folded.predict(plain.encode_table(table))
    close = np.allclose(after, before, rtol=_FOLDING_TOLERANCE, atol=_FOLDING_TOLERANCE * float(before.std()))
    return (plain, folded) if close else (encoder, engine)


def _scaling(column: NumericColumn | CategoryColumn) -> list[tuple[float, float]]:
    if isinstance(column, CategoryColumn):
        return [(0.0, 1.0)] * len(column.values)
    return [(part.center, part.scale) for part in column.numbers]


def _unscaled(column: NumericColumn | CategoryColumn) -> NumericColumn | CategoryColumn:
    if isinstance(column, CategoryColumn):
        return column
    plain = [part.model_copy(update={"center": 0.0, "scale": 1.0}) for part in column.numbers]
    return column.model_copy(update={"numbers": plain})
