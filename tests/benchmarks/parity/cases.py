"""One random pipeline: fitted by scikit-learn, exported, served, and asked in every way."""

import warnings
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from interlock_contracts.refs import ModelRef
from interlock_modeling.signature import ModelSignature
from interlock_trainer.errors import DataError
from interlock_trainer.export import export
from interlock_trainer.fitting import scores_of
from interlock_trainer.kinds import KINDS
from interlock_trainer.preprocessing import frame_of, preprocessor_for
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline as SklearnPipeline
from threadpoolctl import threadpool_limits

from tests.benchmarks.parity.ways import NotAnsweredError, Ways
from tests.benchmarks.parity.wild import WildTable
from tests.support.gateway_app import Door
from tests.support.stored_models import MANIFEST
from tests.unit.trainer.test_served_equals_trained import SMALL, Row

ROWS = 40
Floats = NDArray[np.float64]


async def asked(number: int, door: Door, channel: grpc.aio.Channel, folder: Path) -> dict[str, Any]:
    """Return what became of pipeline ``number``: its greatest differences, or why it has no model or no answer."""
    table, kind = WildTable(number), list(KINDS)[number % len(KINDS)]
    about = {"number": number, "candidate": kind, "labels": table.labels, "columns": list(table.types.values())}
    folder = folder / str(number)
    folder.mkdir()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # extreme numbers overflow in scikit-learn, too
        try:
            signature = ModelSignature.of(table.pipeline, table.train)
            whole = fitted(table, signature, kind)
            made = export(kind, whole, signature, table.train, store=door.store, folder=folder, seed=1)
        except (DataError, ValueError, ArithmeticError) as error:
            return {**about, "refused": str(error) if isinstance(error, DataError) else type(error).__name__}
        rows = [table.row(odd=True) for _ in range(ROWS)]
        rows.sort(key=filled)  # a CSV's last rows are none if all of their cells are empty
        expected = answers(whole, signature, table, rows)
        spread = float(scores_of(whole, frame_of(signature, table.train), signature.task).std())
    rows = [row for row, fine in zip(rows, expected, strict=True) if fine is not None]
    known = np.array([each for each in expected if each is not None])
    if not rows:
        return {**about, "rows": 0, "unanswerable": ROWS, "ways": {}}
    ref = ModelRef(model=f"random-{number}", version=1, artifact=made.artifact, manifest=MANIFEST)
    door.behind.promote(ref, seq=1)
    await door.serves(1, model=ref.model)
    ways = {}
    try:
        for name, ask in Ways(door, channel, ref, table, folder).all.items():
            ways[name] = difference(await ask(rows), known, spread, table.labels)
    except NotAnsweredError as error:
        return {**about, "not_answered": str(error)}
    return {**about, "rows": len(rows), "unanswerable": ROWS - len(rows), "ways": ways}


def filled(row: Row) -> bool:
    return any(cell is not None for cell in row.values())


def fitted(table: WildTable, signature: ModelSignature, kind: Any) -> SklearnPipeline:
    """Return the pipeline of scikit-learn that a training fits."""
    frame = frame_of(signature, table.train)
    estimator = KINDS[kind].estimator(signature.task, KINDS[kind].defaults | SMALL[kind], 5)
    whole = SklearnPipeline([("preprocess", preprocessor_for(signature, frame)), ("estimator", estimator)])
    return whole.fit(frame, signature.targets(table.train))


def answers(whole: SklearnPipeline, signature: ModelSignature, table: WildTable, rows: list[Row]) -> list[Any]:
    """Return scikit-learn's answer to each row; None where it has none, or one that is not finite."""
    found: list[Any] = []
    for row in rows:
        try:
            answer = scores_of(whole, frame_of(signature, table.table([row])), signature.task)[0]
        except ValueError:  # a number is beyond its float32
            answer = np.nan
        found.append(answer if np.isfinite(answer).all() else None)
    return found


def difference(found: Any, known: Floats, spread: float, labels: int) -> float:
    """Return the greatest difference, relative to the answer or to the answers' spread; of probabilities absolute.

    Of labels alone it is the share of rows in which another one is predicted though it is less probable by far.
    """
    if labels and not isinstance(found, np.ndarray):
        at = np.array([int(str(label).removeprefix("label ")) for label in found])
        return float(np.max(known.max(axis=1) - known[np.arange(len(at)), at]))
    size = np.ones_like(known) if labels else np.maximum(np.abs(known), spread)
    return float(np.max(np.abs(found - known) / np.where(size > 0, size, 1.0)))
