"""What a training was given, left for the gate to prove that no held-out row is among it."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from interlock_artifacts import ArtifactStore
from interlock_contracts.manifest import TrainedOn
from interlock_contracts.pipeline import Pipeline
from interlock_contracts.training import TrainingJob
from interlock_modeling.split import ROW_COLUMN, row_hashes
from numpy.typing import NDArray


def known_by(pipeline: Pipeline, part: pa.Table) -> NDArray[np.uint64]:
    """Return the hash by which each row is known: that of its group, key or identity, else of all its columns."""
    names = pipeline.data.side_columns
    if names is None:
        return np.asarray(part.column(ROW_COLUMN))
    columns: dict[str, Any] = {name: part.column(name).combine_chunks() for name in names}
    return row_hashes(columns)


def store_trained_on(job: TrainingJob, hashes: NDArray[np.uint64], store: ArtifactStore, folder: Path) -> TrainedOn:
    """Store the distinct hashes, at most eight bytes each.

    The attempt is written beside them, so that no other version has the same object: it is deleted with its version.
    """
    declared = job.pipeline.data.columns
    table = pa.table({"hash": pa.array(np.unique(hashes))})
    path = folder / "trained-on.parquet"
    pq.write_table(
        table.replace_schema_metadata({"interlock.attempt": job.prefix}),
        path,
        compression="zstd",
        use_dictionary=False,
        column_encoding={"hash": "DELTA_BINARY_PACKED"},
    )
    columns = {name: declared[name].type for name in job.pipeline.data.side_columns or sorted(declared)}
    return TrainedOn(hashes=store.put_file(path), columns=columns)
