"""One import from the uploaded folder to its manifest: unpack, map columns to inputs, translate, compare, store."""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from interlock_artifacts import ArtifactStore
from interlock_artifacts.folder_archive import BadArchiveError, unpack
from interlock_contracts import telemetry
from interlock_contracts.manifest import ImportedModel, TrainingManifest
from interlock_contracts.mlmodel import MLMODEL, MlflowModel, parse_mlmodel
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef
from interlock_contracts.training import TrainingJob
from interlock_modeling import cells
from interlock_modeling.encoder import Encoder, EncoderColumn, NumericColumn, Scaled
from interlock_modeling.engines import Engine
from interlock_modeling.signature import Feature, ModelSignature

from interlock_trainer.errors import DataError
from interlock_trainer.export import Parts, store_checked
from interlock_trainer.imports import onnx, xgboost
from interlock_trainer.imports.original import Original
from interlock_trainer.phases import Phases
from interlock_trainer.probes import probe_rows
from interlock_trainer.progress import Progress
from interlock_trainer.tables import TrainingTable, read_training_table
from interlock_trainer.training import with_manifest

_SHOWN = 20
_SUMS_TO_ONE = 1e-3

_logger = logging.getLogger(__name__)


def run(job: TrainingJob, store: ArtifactStore, progress: Progress) -> TrainingManifest:
    """Import the job's model and leave the manifest, as a training does; one that is refused says why."""
    return with_manifest(job, store, lambda phases: _import(job, store, progress, phases))


def _import(job: TrainingJob, store: ArtifactStore, progress: Progress, phases: Phases) -> dict[str, Any]:
    assert job.imported is not None, "an import names what is imported"
    progress.update(stage="read", metric=job.pipeline.champion.metric)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with phases.phase(telemetry.SPAN_READ) as seen:
            data = read_training_table(job, store)
            about, original = _read(job.imported, data.signature, store, folder)
            seen |= {telemetry.ROWS: data.table.num_rows}
        _logger.info("read an MLflow model of the flavour %s", about.flavour)
        progress.update(stage="export")
        with phases.phase(telemetry.SPAN_EXPORT) as seen:
            names = _columns(job.pipeline, about, original)
            signature = _signature(job.pipeline, data.signature, names)
            encoder = _encoder(signature, data.table)
            engine = original.engine(len(names))
            _check_answers(engine, encoder, signature, data)
            exported = store_checked(
                Parts(signature, encoder, engine),
                lambda rows: original.answer(encoder.encode_table(rows)),
                probe_rows(encoder, engine, data.table, job.pipeline.training.seed),
                store=store,
                folder=folder,
                name=f"{about.flavour} model",
                original="the original",
            )
            seen |= {telemetry.EXPORT_ERROR: exported.check.max_rel}
    return {
        "status": "succeeded",
        "features": len(names),
        "winner": f"imported {about.flavour}",
        "threshold": signature.threshold,
        "threshold_metric": None,
        "artifact": exported.artifact,
        "engine": exported.engine,
        "export_check": exported.check,
        "imported": _origin(job.imported, about, [each for each in job.pipeline.features if each not in names]),
    }


def _read(
    uploaded: ArtifactRef, signature: ModelSignature, store: ArtifactStore, folder: Path
) -> tuple[MlflowModel, Original]:
    archive, content = folder / "archive", folder / "model"
    store.fetch_file(uploaded, archive)
    try:
        unpack(archive, content)
        about = parse_mlmodel((content / MLMODEL).read_bytes())
    except (BadArchiveError, ValueError, FileNotFoundError) as error:
        raise DataError(str(error)) from error
    path = content / about.file
    if not path.is_file():
        raise DataError(f"{MLMODEL} names the file {about.file!r}, which is not there")
    if about.flavour == "onnx":
        return about, onnx.read(path, about, signature.labels)
    return about, xgboost.read(path, about, len(signature.labels or ()))


def _columns(pipeline: Pipeline, about: MlflowModel, original: Original) -> list[str]:
    """Return the names of the features that the model takes, in the order in which it does.

    Raises:
        DataError: they are no features of the pipeline that are numbers, or are not as many as the model takes.
    """
    if pipeline.monotone:
        raise DataError("the pipeline declares monotone columns, which no imported model is known to keep")
    if original.names and about.columns and sorted(original.names) != sorted(about.columns):
        raise DataError(
            f"the model's inputs are {_listed(original.names)}, "
            f"the signature in {MLMODEL} names {_listed(about.columns)}"
        )
    declared = list(pipeline.features)
    tensor = about.columns is not None and about.columns[0] not in declared and len(about.columns) == 1
    names = original.names or (None if tensor else about.columns) or declared
    unknown = [name for name in names if name not in declared]
    if unknown:
        raise DataError(f"the model takes {_listed(unknown)}; the pipeline's features are {_listed(declared)}")
    if original.width not in (None, len(names)):
        raise DataError(
            f"the model takes {original.width} numbers of a row, but there are {len(names)} columns: {_listed(names)}"
        )
    for name in names:
        kind = pipeline.features[name].type
        if kind not in ("number", "integer", "boolean"):
            raise DataError(
                f"the model takes column {name!r}, which is of the type {kind}; only number, integer and boolean "
                "columns are mapped to the inputs of an imported model"
            )
    return names


def _signature(pipeline: Pipeline, trained: ModelSignature, names: Sequence[str]) -> ModelSignature:
    """Return the signature over the model's own columns, which must be there; its answers are in the target's unit."""
    known = {feature.name: feature for feature in trained.features}
    features = [known[name].model_copy(update={"nullable": False, "optional": False}) for name in names]
    left = [name for name in pipeline.features if name not in names]
    return trained.model_copy(update={"features": features, "ignored": [*trained.ignored, *left], "transform": None})


def _encoder(signature: ModelSignature, table: pa.Table) -> Encoder:
    return Encoder(columns=[_number(feature, table) for feature in signature.features])


def _number(feature: Feature, table: pa.Table) -> EncoderColumn:
    """Return how a column is read; what stands in for a missing cell is never asked for, as a request must have it.

    Raises:
        DataError: the training rows have missing cells, which the model has its own way with.
    """
    column = table.column(feature.name).combine_chunks()
    if column.null_count:
        raise DataError(
            f"column {feature.name!r} is missing in {column.null_count} of {len(column)} training rows; an imported "
            "model is served for complete rows only"
        )
    middle = float(np.median(cells.numbers_of_column(column)))
    kind: Literal["boolean", "number"] = "boolean" if feature.type == "boolean" else "number"
    return NumericColumn(kind=kind, name=feature.name, numbers=[Scaled(fill=middle)])


def _check_answers(engine: Engine, encoder: Encoder, signature: ModelSignature, data: TrainingTable) -> None:
    """Refuse answers that are not what the task wants, on training rows."""
    answers = engine.predict(encoder.encode_table(data.table))
    rows, labels = data.table.num_rows, len(signature.labels or ())
    if answers.shape != ((rows, labels) if labels else (rows,)):
        wanted = f"{labels} probabilities" if labels else "one number"
        raise DataError(f"of {rows} rows the model's answers have the shape {answers.shape}; {wanted} a row is right")
    if not np.isfinite(answers).all():
        raise DataError("the model's answers to the training rows are not all finite numbers")
    if labels and (answers.min() < 0 or np.abs(answers.sum(axis=1) - 1).max() > _SUMS_TO_ONE):
        raise DataError("the model's answers are no probabilities: they do not add up to 1; perhaps they are logits")


def _origin(uploaded: ArtifactRef, about: MlflowModel, ignored: list[str]) -> ImportedModel:
    told = about.model_dump(include={"flavour", "model_class", "run_id", "model_id", "mlflow_version", "created"})
    return ImportedModel(digest=uploaded.sha256, ignored=ignored, **told)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN]))
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
