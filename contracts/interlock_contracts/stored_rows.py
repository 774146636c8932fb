"""What shapes the rows that are stored of a file: by it specs share datasets, and stored files are read again."""

from typing import Any

from interlock_contracts.pipeline import Pipeline


def shape_of_rows(pipeline: Pipeline) -> dict[str, Any]:
    """Return all that shapes stored rows: specs that have it in common can share their datasets.

    That is how cells are read, which rows are kept, and on which side each lies. A rule that only accepts or refuses a
    file as a whole is not among it, nor what a column is used for.
    """
    data = pipeline.data
    return {
        "target": pipeline.target,
        "columns": {name: (column.type, column.format) for name, column in data.columns.items()},
        "weight": data.weight_column,  # its cells are checked, and fitting relies on that
        "format": data.format,
        "csv": data.csv if data.format == "csv" else None,
        "unique": data.key if data.rules.unique_key else None,  # drops rows that repeat another
        "side": data.side_columns,
        "holdout": (data.holdout.by, data.holdout_column, data.holdout.watermark or data.holdout.fraction),
    }
