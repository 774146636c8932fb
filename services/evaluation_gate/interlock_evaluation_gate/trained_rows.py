"""Which held-out rows a model has trained on, and so on which rows two models can be compared."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from interlock_artifacts import ArtifactStore
from interlock_contracts.data import ColumnType
from interlock_contracts.manifest import TrainedOn
from interlock_contracts.models import ModelRegistered
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.refs import ArtifactRef, Ref
from interlock_modeling.signature import Feature
from interlock_modeling.split import ROW_COLUMN, form_of, row_hashes
from interlock_tables.typed import ARROW_TYPES
from numpy.typing import NDArray

from interlock_evaluation_gate.champion import NotComparableError, read_as
from interlock_evaluation_gate.domain import Check, Gain, NotCompared

Rows = NDArray[np.bool_]
"""Shape (rows of the holdout,)."""

FEWEST_ROWS = 30
"""Rows that must be left where others are left out of a comparison."""


class _Manifest(Ref):
    """Of a manifest, whichever trainer has written it, what counts here."""

    pipeline: str | None = None
    trained_on: TrainedOn | None = None


@dataclass(frozen=True)
class Disjointness:
    """Which rows of the holdout the candidate has trained on: ``trained``, None where it is not known."""

    pipeline: Pipeline
    holdout: pa.Table
    artifacts: ArtifactStore
    trained: Rows | None
    evaluation: bool
    """Whether the rows are those of an evaluation file. Nobody splits it, and in a table of few columns rows that are
    equal are no copies, so there they are counted, and refuse nobody."""

    @property
    def rows(self) -> int:
        """Return how many rows are held out."""
        return self.holdout.num_rows

    @property
    def count(self) -> int | None:
        """Return how many rows the candidate has trained on; None where it is not known."""
        return None if self.trained is None else int(self.trained.sum())

    @property
    def checks(self) -> list[Check]:
        """Return the refusal of a candidate that has trained on what it is measured on."""
        if not self.count or self.evaluation:
            return []
        text = f"it has trained on {self.count:,} of the {self.rows:,} held-out rows, which then prove nothing"
        holdout = self.pipeline.data.holdout
        if holdout.by == "time" and holdout.watermark is None:
            text += (
                ": files overlap, and each is cut at a time of its own, as in all pipelines of before. Apply the "
                "pipeline file once more: it gets one data.holdout.watermark for all files. Or train on the newest "
                "file alone (training.window: latest)"
            )
        return [Check(passed=False, text=text)]

    def notes(self, gain: Gain | NotCompared | None) -> list[str]:
        """Return in words what is known of both models."""
        what = f"{self.rows:,} {'rows of the evaluation file' if self.evaluation else 'held-out rows'}"
        if self.count is None:
            noted = [f"it is not known whether it has trained on any of the {what}"]
        else:
            noted = [f"it has trained on {f'{self.count:,}' if self.count else 'none'} of the {what}"]
        if isinstance(gain, Gain):
            if gain.trained_on is None:
                noted.append(f"it is not known whether version {gain.version} has trained on any of them")
            else:
                noted.append(
                    f"{gain.rows:,} rows compared with version {gain.version}, which has trained on "
                    f"{gain.trained_on:,} of the {self.rows:,}; {self.rows - (gain.rows or 0):,} left out"
                )
        return noted

    def comparable(self, champion: Rows | None) -> Rows:
        """Return the rows on which neither model has an advantage: those that both have trained on, or neither.

        Where it is not known of one of them, as before manifests told, that is all rows.

        Raises:
            NotComparableError: too few rows are left.
        """
        if champion is None or self.trained is None:
            return np.ones(self.rows, dtype=np.bool_)
        alike: Rows = champion == self.trained
        if (left := int(alike.sum())) < min(FEWEST_ROWS, self.rows):
            raise NotComparableError(
                f"it has trained on {int(champion.sum()):,} of the {self.rows:,} rows, the candidate on "
                f"{self.count:,}; {left:,} rows without an advantage for either are too few"
            )
        return alike


def disjointness(
    event: ModelRegistered, pipeline: Pipeline, holdout: pa.Table, artifacts: ArtifactStore
) -> Disjointness:
    """Return which held-out rows the candidate has trained on.

    Raises:
        MissingArtifactError, CorruptArtifactError: what its manifest refers to is not stored.
        ValueError: its manifest cannot be read, or knows rows by columns that the holdout does not have.
    """
    try:
        trained = trained_rows(event.manifest, holdout, artifacts)
    except NotComparableError as error:
        raise ValueError(str(error)) from error
    return Disjointness(pipeline, holdout, artifacts, trained, event.evaluation is not None)


def trained_rows(manifest: ArtifactRef | None, holdout: pa.Table, artifacts: ArtifactStore) -> Rows | None:
    """Return which rows of the holdout a model has trained on; None where its manifest does not say.

    Raises:
        NotComparableError: the holdout's rows cannot be told by what they were known by at the time.
    """
    if manifest is None:
        return None
    told = _Manifest.model_validate_json(artifacts.fetch(manifest))
    if (known := told.trained_on) is None:
        return None
    with tempfile.TemporaryDirectory(prefix="interlock-gate-") as folder:
        path = Path(folder) / "trained-on.parquet"
        artifacts.fetch_file(known.hashes, path)
        trained: Any = pq.read_table(path, columns=["hash"]).column("hash").to_numpy()
    hashes = _hashes(holdout, known, told.pipeline or "")
    places = np.minimum(np.searchsorted(trained, hashes), max(len(trained) - 1, 0))
    return trained[places] == hashes if len(trained) else np.zeros(len(hashes), dtype=np.bool_)


def _hashes(holdout: pa.Table, known: TrainedOn, pipeline: str) -> NDArray[np.uint64]:
    """Return each row's hash over the columns by which the model's training rows are known, typed as they were then."""
    for name in known.columns:
        if name not in holdout.column_names:
            raise NotComparableError(
                f"its training rows are known by {_listed(known)}, and {name!r} is gone, so nobody can tell which of "
                "the held-out rows it has trained on"
            )
    columns = {name: holdout.column(name) for name in known.columns}
    alike = all(columns[name].type == ARROW_TYPES[kind] for name, kind in known.columns.items())
    if alike and known.form == form_of(holdout.schema) and set(holdout.column_names) == {*known.columns, ROW_COLUMN}:
        return holdout.column(ROW_COLUMN).to_numpy()
    typed = {name: _typed(name, kind, columns[name]) for name, kind in known.columns.items()}
    return row_hashes(typed, known.form, pipeline)


def _typed(name: str, kind: ColumnType, column: Any) -> Any:
    if column.type != ARROW_TYPES[kind]:
        if kind == "category":
            raise NotComparableError(
                f"its training rows are known by {name!r}, a category then, whose spelling is not stored any more, so "
                "nobody can tell which of the held-out rows it has trained on"
            )
        column = read_as(Feature(name=name, type=kind, nullable=True), column, None)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _listed(known: TrainedOn) -> str:
    names = list(known.columns)
    return ", ".join(map(repr, names[:8])) + (", …" if len(names) > 8 else "")  # noqa: PLR2004
