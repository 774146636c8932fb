"""A model as it is served: the description that names its parts, and the loaded thing that answers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
from interlock_contracts.refs import ArtifactRef
from numpy.typing import NDArray
from pydantic import ValidationError

from interlock_modeling.encoder import Encoder
from interlock_modeling.engines import INVERSES, InverseEngine, ModelFormatError, Predictor, load_engine
from interlock_modeling.rows import MAX_ERRORS, InvalidRowsError, RowError, RowWarning
from interlock_modeling.signature import Label, ModelSignature, Part, decide


class EngineRef(Part):
    """Which engine computes, and where its file is."""

    kind: str
    version: int
    ref: ArtifactRef


class ModelDescription(Part):
    """The small JSON that ``ModelRef.artifact`` points to; the engine's file is stored by itself, to be mapped."""

    format: Literal[1] = 1
    signature: ModelSignature
    encoder: Encoder
    engine: EngineRef

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a stored description.

        Raises:
            ModelFormatError: it is damaged, or of a newer format.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ModelFormatError(f"the model description is not understood: {where}: {first['msg']}") from error


@dataclass(frozen=True, slots=True)
class Predictions:
    """Answers for n rows, in order.

    ``values`` are numbers, or labels as they stand in the data; ``scores`` is what metrics take: the numbers [n], or
    the probabilities [n, k] in the order of ``ModelSignature.labels``.
    """

    values: list[float] | list[Label]
    scores: NDArray[np.float64]
    warnings: list[RowWarning]

    @property
    def probabilities(self) -> NDArray[np.float64] | None:
        """Return class probabilities [n, k], or ``None`` for a regression."""
        return self.scores if self.scores.ndim > 1 else None


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is ready to answer; never changes, so any number of threads may use it."""

    signature: ModelSignature
    encoder: Encoder
    engine: Predictor

    @classmethod
    def load(cls, description: ModelDescription, engine_file: Path) -> Self:
        """Map the engine, check that the parts fit each other, and warm up.

        Raises:
            ModelFormatError: the engine is unknown or damaged, or does not fit signature and encoder.
        """
        engine: Predictor = load_engine(description.engine.kind, description.engine.version, engine_file)
        if (transform := description.signature.transform) is not None:
            engine = InverseEngine(engine, INVERSES[transform])
        model = cls(description.signature, description.encoder, engine)
        model.check()
        return model

    def check(self) -> None:
        """Answer one row of zeros.

        Raises:
            ModelFormatError: signature, encoder and engine do not fit each other.
        """
        encoded = [column.name for column in self.encoder.columns]
        if encoded != [feature.name for feature in self.signature.features]:
            raise ModelFormatError("encoder and signature do not name the same features")
        width = len(self.encoder.names)
        if width != self.engine.features:
            raise ModelFormatError(f"the encoder makes {width} columns, the engine takes {self.engine.features}")
        shape = self.engine.predict(np.zeros((1, width))).shape
        if self.signature.transform is not None and self.signature.labels is not None:
            raise ModelFormatError("a classification's target is not transformed")
        if self.signature.threshold is not None and len(self.signature.labels or ()) != 2:  # noqa: PLR2004
            raise ModelFormatError("a threshold is for two labels")
        if shape != ((1,) if self.signature.labels is None else (1, len(self.signature.labels))):
            raise ModelFormatError("the engine's outputs do not fit the signature's task and labels")

    def predict_rows(self, rows: Sequence[Any]) -> Predictions:
        """Answer JSON rows.

        Raises:
            InvalidRowsError: rows that don't fit the signature; says which, where and what would be right.
        """
        matrix, warnings = self.encoder.encode_rows(self.signature, rows)
        predictions = self._predict(matrix, warnings)
        odd = np.flatnonzero(~np.isfinite(predictions.scores.reshape(len(matrix), -1)).all(axis=1))
        if len(odd):
            text = "the numbers are too large for this model: it gives no finite answer"
            raise InvalidRowsError([RowError(int(row), "", text) for row in odd[:MAX_ERRORS]])
        return predictions

    def predict_table(self, table: pa.Table) -> Predictions:
        """Answer all rows of a table with the declared column types, without warnings."""
        return self._predict(self.encoder.encode_table(table), [])

    def predict_request(self, table: pa.Table, absent: Collection[str] = ()) -> Predictions:
        """Answer all rows of a request's table as :meth:`predict_table` does, with warnings as :meth:`predict_rows`.

        ``absent`` names the features that the request left out; the table has nulls there.
        """
        return self._predict(*self.encoder.encode_request(self.signature, table, absent))

    def _predict(self, matrix: NDArray[np.float64], warnings: list[RowWarning]) -> Predictions:
        scores = self.engine.predict(matrix)
        labels = self.signature.labels
        values = (
            scores.tolist() if labels is None else [labels[place] for place in decide(scores, self.signature.threshold)]
        )
        return Predictions(values, scores, warnings)
