"""Files: our scorer against scikit-learn in a loop of chunks, and against one vectorised call, which is the limit.

Each reads a file, answers every row with the reference forest and writes a Parquet file, on one thread of the engine.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import yaml
from interlock_artifacts import ArtifactStore
from interlock_contracts.data import Data
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.scoring import ScoringJob
from interlock_modeling import Model, ModelDescription
from interlock_scoring import score

from tests.benchmarks.serving.cells import Plan
from tests.benchmarks.serving.ours import exported
from tests.benchmarks.serving.reference import EXAMPLE, Reference
from tests.support.gateway_process import store_of

_CHUNK = 10_000

Measured = Callable[[Path, Path], int]
"""Reads the first file, writes the second, and returns how many rows it answered."""


async def measure(known: Reference, servers: dict[str, str], work: Path, plan: Plan) -> dict[str, Any]:
    """Return medians of rows per second, by format and by how they were answered."""
    return await asyncio.to_thread(_measure, known, store_of(servers), work, plan)


def _measure(known: Reference, store: ArtifactStore, work: Path, plan: Plan) -> dict[str, Any]:
    formats: dict[str, dict[str, float]] = {}
    with TemporaryDirectory(dir=work) as name:
        folder = Path(name)
        for kind, (whole, few) in _files(known, folder, plan).items():
            ways = _ways(known, store, folder, work / "models", kind)
            seen: dict[str, list[float]] = {way: [] for way in ways}
            for number in range(plan.rounds):
                for way in list(ways)[:: 1 if number % 2 else -1]:
                    source = few if way == "scikit-learn" else whole
                    begun = time.perf_counter()
                    rows = ways[way](source, folder / "answer.parquet")
                    seen[way].append(rows / (time.perf_counter() - begun))
            _same(folder, ways, few)
            formats[kind] = {way: statistics.median(speeds) for way, speeds in seen.items()}
            print(kind, {way: round(speed) for way, speed in formats[kind].items()}, flush=True)
    return {"rows": plan.rows, "loop_rows": plan.loop_rows, "chunk": _CHUNK, "rows_per_second": formats}


def _files(known: Reference, folder: Path, plan: Plan) -> dict[str, tuple[Path, Path]]:
    """Write the rows to be answered, and the fewer ones that a loop gets, which would take minutes."""
    asked = pa.Table.from_pylist(known.rows)
    drawn: Any = np.random.default_rng(3).integers(0, asked.num_rows, plan.rows)
    table = asked.take(drawn)
    found = {}
    for kind, write in (("parquet", pq.write_table), ("csv", pyarrow.csv.write_csv)):
        whole, few = folder / f"whole.{kind}", folder / f"few.{kind}"
        write(table, whole)
        write(table.slice(0, plan.loop_rows), few)
        found[kind] = (whole, few)
    return found


def _ways(known: Reference, store: ArtifactStore, folder: Path, models: Path, kind: str) -> dict[str, Measured]:
    ref = exported(known, "forest", store, folder)
    description = ModelDescription.parse(store.fetch(ref.artifact))
    store.fetch_file(description.engine.ref, folder / "engine")
    model = Model.load(description, folder / "engine")
    declared = Pipeline.model_validate(yaml.safe_load(EXAMPLE.read_text())).data
    data = Data.model_validate(declared.model_dump() | {"format": kind})
    fitted = joblib.load(models / "forest.joblib")
    inputs: dict[Path, Any] = {}

    def interlock(source: Path, answer: Path) -> int:
        stored = inputs.get(source) or inputs.setdefault(source, store.put_file(source))
        with TemporaryDirectory(dir=folder) as own:
            report = score(
                ScoringJob(prediction_id=uuid4(), model=ref, input=stored, data=data), store, Path(own), threads=1
            )
        assert report.result is not None, report.reason
        answer.unlink(missing_ok=True)
        store.fetch_file(report.result, answer)
        return report.rows

    def limit(source: Path, answer: Path) -> int:
        table = pq.read_table(source) if kind == "parquet" else pyarrow.csv.read_csv(source)
        table = table.cast(pa.schema([(name, _type(table, name)) for name in table.column_names]))
        scores = model.predict_table(table).scores
        answered = table.append_column("prediction", pa.array(scores))
        pq.write_table(answered, answer, compression="zstd", compression_level=1)
        return answered.num_rows

    def loop(source: Path, answer: Path) -> int:
        chunks: Any = (
            (batch.to_pandas() for batch in pq.ParquetFile(source).iter_batches(_CHUNK))
            if kind == "parquet"
            else pd.read_csv(source, chunksize=_CHUNK, keep_default_na=False)
        )
        answered = pd.concat([chunk.assign(prediction=fitted.predict(chunk)) for chunk in chunks])
        answered.to_parquet(answer)
        return len(answered)

    return {"interlock": interlock, "limit": limit, "scikit-learn": loop}


def _type(table: pa.Table, name: str) -> Any:
    kind = table.schema.field(name).type
    return kind if pa.types.is_string(kind) else pa.float64()


def _same(folder: Path, ways: dict[str, Measured], few: Path) -> None:
    """Compare what each way answers.

    Raises:
        AssertionError: they differ by more than a sum's rounding.
    """
    answers = []
    for way in ways.values():
        way(few, folder / "answer.parquet")
        answers.append(pq.read_table(folder / "answer.parquet").column("prediction").to_numpy())
    for other in answers[1:]:
        assert np.allclose(answers[0], other, rtol=1e-6), "all ways answer alike"
