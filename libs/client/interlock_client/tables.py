"""Files of frames, written as a pipeline declares them."""

import csv
import json
from pathlib import Path
from typing import Any

from interlock_contracts.data import Csv, Data

from interlock_client.frames import Frame, Row, is_polars, rows_of


def write_frame(frame: Frame, data: Data, folder: Path) -> Path:
    """Write a frame into ``folder`` as ``data`` declares its files, and return the file.

    Raises:
        ValueError: a cell is missing, but the pipeline declares no word for null in its CSV files.
    """
    path = folder / f"frame.{data.format}"
    match data.format:
        case "parquet":
            _write_parquet(frame, path)
        case "jsonl":
            with path.open("w", encoding="utf-8") as file:
                file.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows_of(frame))
        case "csv":
            _write_csv([str(name) for name in frame.columns], rows_of(frame), data.csv, path)
    return path


def _write_parquet(frame: Any, path: Path) -> None:
    if is_polars(frame):
        frame.write_parquet(path)
    else:
        frame.to_parquet(path, index=False)


def _write_csv(names: list[str], rows: list[dict[str, Any]], written: Csv, path: Path) -> None:
    with path.open("w", encoding=written.encoding, newline="") as file:
        lines = csv.writer(file, delimiter=written.delimiter, quotechar=written.quote)
        lines.writerow(names)
        lines.writerows(_cells(row, written) for row in rows)


def _cells(row: Row, written: Csv) -> list[str]:
    return [_text(name, value, written) for name, value in row.items()]


def _text(name: str, value: Any, written: Csv) -> str:
    if value is None:
        if not written.null_values:
            raise ValueError(f"column {name!r} has a missing value, and the pipeline's data.csv.null_values no word")
        return written.null_values[0]
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value).replace(".", written.decimal) if isinstance(value, float) else str(value)
