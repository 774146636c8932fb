"""Optional columns that a file does not have: a warning, as it would go unnoticed."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
from interlock_contracts.data import Data
from interlock_modeling.signature import ModelSignature


def absent_columns(answers: Path, data: Data, signature: ModelSignature) -> list[str]:
    """Return a sentence for each optional feature that the file does not have, by the file of its ``answers``.

    These have the columns of a CSV or Parquet file; of JSON Lines all that are declared, where a column that was in
    no row has no value. So the warning is the same however often the job was begun anew.
    """
    metadata = pq.read_metadata(answers)
    places = {metadata.schema.column(place).path: place for place in range(metadata.num_columns)}
    lines = data.format == "jsonl"
    return [
        f"column {feature.name!r} is in no row of the file: the model took it as null"
        for feature in signature.features
        if feature.optional and (feature.name not in places or (lines and _is_null(metadata, places[feature.name])))
    ]


def _is_null(metadata: pq.FileMetaData, place: int) -> bool:
    """Return whether every value of a column is null; False where the file has no statistics of it."""
    nulls = 0
    for group in range(metadata.num_row_groups):
        statistics = metadata.row_group(group).column(place).statistics
        if statistics is None or statistics.null_count is None:
            return False
        nulls += statistics.null_count
    return nulls == metadata.num_rows
