"""Rows of a file for `interlock predict --file`: the features of the version that serves, each cell as written."""

import codecs
import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interlock_client import Client
from interlock_contracts.csv_lines import named_delimiter, table_lines
from interlock_contracts.pipeline import Pipeline

from interlock_cli.terminal import CommandError

Row = dict[str, Any]


def serving_spec(gateway: Client, name: str) -> tuple[Pipeline, list[str]]:
    """Return the pipeline by which the version that serves was trained, and the key columns that it gives back.

    The pipeline may be older than the newest; versions from before there were such columns refuse them.

    Raises:
        CommandError: no version serves.
    """
    model = gateway.model(name)
    if model.serving is None:
        raise CommandError(f"no version of {name} serves yet", hint=f"interlock versions {name}")
    digest = gateway.version(name, model.serving.ref.version).pipeline_digest
    spec = gateway.pipeline(name, digest=digest).spec
    return spec, (model.signature or {}).get("key", [])


def csv_rows(file: Path, spec: Pipeline) -> list[Row]:
    """Return the lines of a CSV as rows of texts: what a text means is the gateway's to say, as for every client.

    Raises:
        CommandError: it is not CSV as declared, or names a column twice.
    """
    written = spec.data.csv
    encoding = "utf-8-sig" if codecs.lookup(written.encoding).name == "utf-8" else written.encoding
    try:
        with file.open(encoding=encoding, newline="") as source:
            named, text = named_delimiter(source.read())
        if named not in (None, written.delimiter):
            raise CommandError(f"{file} says that its delimiter is {named!r}; the pipeline has {written.delimiter!r}")
        names, *rows = table_lines(text, written.delimiter, written.quote) or [[]]
    except (csv.Error, UnicodeError) as error:
        raise CommandError(f"{file} is not CSV as the pipeline declares it: {error}") from error
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise CommandError(f"{file} has the column {repeated[0]!r} twice")
    for number, cells in enumerate(rows):
        if len(cells) != len(names):
            raise CommandError(f"row {number} of {file} has {len(cells)} cells, but its header has {len(names)}")
    # The words for null are the same for every type; in JSON they are null, whatever the version knows of them.
    return [
        {name: None if text in written.null_values else text for name, text in zip(names, cells, strict=True)}
        for cells in rows
    ]


def features_of(rows: list[Row], spec: Pipeline, key: Sequence[str] = ()) -> list[Row]:
    """Return features and ``key`` of rows that may be a training file's, with the target and columns of no one's.

    Where a row lacks a column that it needs, its strange columns are sent as well: the gateway then says which of them
    is perhaps the one that is missing.
    """
    sent = {*spec.features, *key}
    needed = {name for name, column in spec.features.items() if not column.optional}
    kept = set(spec.data.columns) - sent
    return [
        {name: cell for name, cell in row.items() if name in sent or (name not in kept and needed - row.keys())}
        for row in rows
    ]


def carried_of(rows: list[Row], spec: Pipeline) -> list[Row]:
    """Return of each row the columns with a role, which predictions ignore: nothing where the pipeline has none."""
    return [{name: row[name] for name in spec.ignored if name in row} for row in rows] if spec.ignored else []


def carrying(answers: list[dict[str, Any]], carried: list[Row]) -> list[dict[str, Any]]:
    """Return the answers, in the order of the rows, with what is carried beside the keys of their rows."""
    start = 0
    for answer in answers if any(carried) else ():
        count = len(answer["predictions"])
        keys = answer.get("keys") or [{}] * count
        answer["keys"] = [key | row for key, row in zip(keys, carried[start : start + count], strict=True)]
        start += count
    return answers
