"""One file in the format that its pipeline declares."""

from collections.abc import Iterator
from pathlib import Path

from interlock_contracts.data import Data

from interlock_tables.csv_file import read_csv
from interlock_tables.findings import Findings
from interlock_tables.jsonl_file import read_jsonl
from interlock_tables.locales import AS_TYPED, TextCells
from interlock_tables.parquet_file import read_parquet
from interlock_tables.typed import TypedRows, most_unpacked, too_much_unpacked


def read_rows(path: Path, data: Data, findings: Findings, texts: TextCells = AS_TYPED) -> Iterator[TypedRows]:
    """Yield the rows that can be separated, in the order of the file; the others, and what is odd, are noted.

    ``texts`` is about JSON Lines and Parquet; of a CSV ``data`` says what texts mean.

    Raises:
        UnreadableError: the file cannot be read (on) with what is declared, or unpacks to far more than its size.
    """
    most, unpacked = most_unpacked(path), 0
    for rows in _rows(path, data, findings, texts):
        unpacked += sum(cells.values.nbytes for cells in rows.cells.values())
        if unpacked > most:
            raise too_much_unpacked(most)
        yield rows


def _rows(path: Path, data: Data, findings: Findings, texts: TextCells) -> Iterator[TypedRows]:
    if data.format == "csv":
        return read_csv(path, data, findings)
    read = read_parquet if data.format == "parquet" else read_jsonl
    return read(path, data, findings, texts)
