"""Predictions of the model in this folder for the rows of a file.

    python predict.py rows.csv

Reads CSV (`--delimiter ";"`), JSON (a list of objects) and JSON Lines, by the name's end; prints one JSON object for
each row. From Python: `Model(folder).predict([{"column": value, ...}, ...])`. Cells mean here what they mean where the
model was trained; `interlock_tables` holds the table of their spellings.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from interlock_tables.locales import Locale, read
from interlock_tables.spellings import BadCellError

DTYPES: dict[str, Any] = {"double": np.float64, "int64": np.int64, "string": object}
EMPTY_MEANS_MISSING = [""]
"""In CSV files for a model whose training files had no words for it."""

ROWS_AT_ONCE = 4096


class InvalidRowsError(ValueError):
    """A row that does not fit; the message says which, where and why. Rows count from 0."""


class Model:
    """A model that is ready to answer; ``folder`` holds `model.onnx` and `signature.json`."""

    def __init__(self, folder: Path) -> None:
        self.signature: dict[str, Any] = json.loads((folder / "signature.json").read_text(encoding="utf-8"))
        self._session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
        self._locale = Locale(self.signature["decimal"], self.signature["thousands"])
        self._aside = {*self.signature["key"], *self.signature["ignored"], self.signature["target"]}
        names = [each["name"] for each in self.signature["inputs"]]
        self._known = {*names, *self._aside}

    def predict(self, rows: Sequence[Mapping[str, Any]], null_values: Sequence[str] | None = None) -> list[Any]:
        """Return for each row ``prediction``, of a classification ``probabilities``, and ``key`` where it has one.

        ``null_values`` are the texts that mean a missing cell, those of the training files by default.

        Raises:
            InvalidRowsError: a row does not fit the signature, or its numbers are too large for an answer.
        """
        words = frozenset(self.signature["null_values"] or () if null_values is None else null_values)
        answers: list[Any] = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            answers += self._predict(rows[start : start + ROWS_AT_ONCE], words, start)
        return answers

    def _predict(self, rows: Sequence[Mapping[str, Any]], words: frozenset[str], start: int) -> Iterator[Any]:
        for number, row in enumerate(rows, start):
            unknown = sorted(map(str, row.keys() - self._known))
            if unknown:
                raise InvalidRowsError(f"row {number}: the model knows no column {unknown[0]!r}")
        tensors = {}
        for column in self.signature["inputs"]:
            cells = [self._cell(column, row, words, number) for number, row in enumerate(rows, start)]
            tensors[column["name"]] = np.array(cells, dtype=DTYPES[column["tensor"]])[:, None]
        outputs = self.signature["outputs"]
        names = list(outputs)
        found = dict(zip(names, self._session.run([outputs[name] for name in names], tensors), strict=True))
        scores = found["prediction"] if "prediction" in found else found["probabilities"]
        for at, row in enumerate(rows):
            if not np.isfinite(scores[at]).all():
                raise InvalidRowsError(f"row {start + at}: the numbers are too large for this model")
            yield self._answer(found, at, row)

    def _cell(self, column: Mapping[str, Any], row: Mapping[str, Any], words: frozenset[str], number: int) -> Any:
        name = column["name"]
        value = row.get(name)
        if name not in row and not (column["nullable"] and column["optional"]):
            raise InvalidRowsError(f"row {number}: column {name!r} is missing")
        if value is None or (type(value) is str and value in words):
            if not column["nullable"]:
                raise InvalidRowsError(f"row {number}, column {name!r}: the value is missing")
            return np.nan if column["tensor"] == "double" else column["missing"]
        try:
            return read(column["type"], value, self._locale, column["format"])
        except BadCellError as error:
            raise InvalidRowsError(f"row {number}, column {name!r}: {value!r} {error}") from None

    def _answer(self, found: Mapping[str, Any], at: int, row: Mapping[str, Any]) -> dict[str, Any]:
        key = {name: row[name] for name in self.signature["key"] if name in row}
        answer: dict[str, Any] = {"key": key} if key else {}
        if "prediction" in found:
            return {**answer, "prediction": float(found["prediction"][at])}
        names = [label if isinstance(label, str) else json.dumps(label) for label in self.signature["labels"]]
        probabilities = dict(zip(names, found["probabilities"][at].tolist(), strict=True))
        return {**answer, "prediction": found["label"][at : at + 1].tolist()[0], "probabilities": probabilities}


def rows_of(path: Path, delimiter: str = ",") -> list[Any]:
    """Return the rows of a file.

    Raises:
        InvalidRowsError: it holds something else, or a line of CSV has more or fewer cells than the header.
    """
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *lines = csv.reader(file, delimiter=delimiter)
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise InvalidRowsError(f"{path}: column {twice[0]!r} is there twice")
        if wrong := [number for number, line in enumerate(lines) if line and len(line) != len(header)]:
            raise InvalidRowsError(f"row {wrong[0]}: {len(lines[wrong[0]])} cells under a header of {len(header)}")
        return [dict(zip(header, line, strict=True)) for line in lines if line]
    text = path.read_text(encoding="utf-8-sig")
    rows = (
        [json.loads(line) for line in text.split("\n") if line.strip()] if path.suffix == ".jsonl" else json.loads(text)
    )
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidRowsError(f"{path} does not hold rows: expected a list of objects of column: value")
    return rows


def main() -> int:
    """Print the predictions for a file; return 1 where a row does not fit."""
    parser = argparse.ArgumentParser(description="Predict the rows of a file: CSV, JSON or JSON Lines.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--delimiter", default=",", help="between the cells of a CSV file")
    given = parser.parse_args()
    model = Model(Path(__file__).parent)
    words = model.signature["null_values"]
    if given.file.suffix == ".csv" and words is None:
        words = EMPTY_MEANS_MISSING
    try:
        answers = model.predict(rows_of(given.file, given.delimiter), words)
    except (InvalidRowsError, OSError, ValueError) as error:
        print(f"predict.py: {error}", file=sys.stderr)  # noqa: T201
        return 1
    for answer in answers:
        print(json.dumps(answer, ensure_ascii=False))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
