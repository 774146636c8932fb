"""`interlock predict`: rows in, answers of the serving version out."""

import csv
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from interlock_contracts.http import PipelineView
from interlock_contracts.pipeline import Pipeline

from interlock_cli import completing
from interlock_cli.batches import Wanted, answer_file
from interlock_cli.gateway import Gateway, RefusedError, connect
from interlock_cli.later import ask_later, wait_for
from interlock_cli.terminal import Failure, Json, Terminal, answering

AT_ONCE = 1000
"""Rows a request; a longer file goes in several."""

Row = dict[str, Any]


def predict(
    name: Annotated[str, typer.Argument(help="The model to ask.", autocompletion=completing.models)],
    *,
    row: Annotated[list[str] | None, typer.Option(help="A row as a JSON object; may be given again.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="Rows as .json, .jsonl or .csv; - or nothing reads JSON from standard input.", allow_dash=True
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Have the whole file (.csv, .jsonl, .parquet) answered, and write it as Parquet."),
    ] = None,
    on_error: Annotated[
        str, typer.Option(help="With --out, rows that do not fit: fail, or null for an empty answer and an error.")
    ] = "fail",
    later: Annotated[bool, typer.Option("--async", help="Do not wait for the answer; say where it will be.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="With --async, wait for the answer all the same.")] = False,
    as_json: Json = False,
) -> None:
    """Ask a model.

    A CSV is read as the pipeline declares it, and only the features are sent: the file it was trained on will do.
    With --out a file of any size is answered by the service; the same command again goes on where it was.

    Example: interlock predict flights-1 --row '{"origin": "JFK", "dest": "LAX", "distance": 2475}'
    """
    with answering(as_json=as_json) as terminal, connect() as gateway:
        if out is not None:
            if file is None or row or on_error not in ("fail", "null"):
                raise typer.BadParameter("--out needs --file, no --row, and --on-error fail or null")
            if not file.is_file():
                raise Failure(f"there is no file {file}")
            terminal.result(answer_file(gateway, terminal, Wanted(name, file, on_error), out))
            return
        rows = _rows(gateway, name, row, file)
        if not rows:
            raise Failure("there is no row to predict", hint="interlock predict --help shows how to give some")
        if later:
            accepted = ask_later(gateway, terminal, name, rows)
            if not wait:
                terminal.result(accepted)
                return
            answers = [wait_for(gateway, accepted)]
        else:
            answers = [_asked(gateway, name, rows, start) for start in range(0, len(rows), AT_ONCE)]
        for answer in answers:
            _tell(terminal, answer)
        terminal.result(answers[0] if len(answers) == 1 else answers)


def _asked(gateway: Gateway, name: str, rows: list[Row], start: int) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = gateway.send(f"/models/{name}/predict", {"rows": rows[start : start + AT_ONCE]})
    except RefusedError as error:
        if start:
            error.hint = f"rows are counted from the request's first, which is row {start} of all"
        raise
    return answer


def _tell(terminal: Terminal, answer: dict[str, Any]) -> None:
    probabilities = answer.get("probabilities") or [None] * len(answer["predictions"])
    terminal.say(f"# {answer['model']} version {answer['version']}, id {answer['id']}", style="dim")
    for prediction, probability in zip(answer["predictions"], probabilities, strict=True):
        shown = "" if probability is None else "  " + ", ".join(f"{key}: {p:.3f}" for key, p in probability.items())
        terminal.say(f"{prediction}{shown}")
    for warning in answer.get("warnings") or ():
        text = warning if isinstance(warning, str) else json.dumps(warning, ensure_ascii=False)
        terminal.say(f"warning: {text}", style="yellow")


def _rows(gateway: Gateway, name: str, given: list[str] | None, file: Path | None) -> list[Row]:
    if given and file:
        raise typer.BadParameter("give rows by --row or by --file, not by both")
    if given:
        return [_row(text, f"--row {number}") for number, text in enumerate(given, 1)]
    if file is None or str(file) == "-":
        if file is None and sys.stdin.isatty():
            raise typer.BadParameter("give rows by --row, by --file, or on standard input")
        return _json_rows(sys.stdin.read(), "standard input")
    if not file.is_file():
        raise Failure(f"there is no file {file}")
    if file.suffix.lower() == ".parquet":
        raise Failure("a Parquet file is answered as a whole", hint="say where to with --out answer.parquet")
    if file.suffix.lower() == ".csv":
        spec = gateway.read(PipelineView, f"/pipelines/{name}").spec
        with file.open(encoding=spec.data.csv.encoding, newline="") as source:
            return list(csv_rows(source, spec))
    return _json_rows(file.read_text(), str(file))


def _json_rows(text: str, where: str) -> list[Row]:
    """Return the rows of a JSON list, of one object, of a predict body, or of one object a line."""
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        return [_row(line, f"line {number} of {where}") for number, line in lines]
    if isinstance(whole, dict):
        whole = whole["rows"] if set(whole) == {"rows"} else [whole]
    if not isinstance(whole, list) or not all(isinstance(each, dict) for each in whole):
        raise Failure(f"{where} holds no rows", hint='a row is an object such as {"origin": "JFK"}')
    return whole


def _row(text: str, where: str) -> Row:
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        raise Failure(f"{where} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise Failure(f"{where} is not a JSON object")
    return row


def csv_rows(source: TextIO, spec: Pipeline) -> Iterator[Row]:
    """Yield the features of each line, typed as the pipeline declares them; a cell that does not fit stays text.

    The gateway then says which row and column it is, and what would be right.
    """
    written = spec.data.csv
    for line in csv.DictReader(source, delimiter=written.delimiter, quotechar=written.quote):
        yield {
            name: None if line[name] in written.null_values else _cell(line[name], _READ.get(column.type, str))
            for name, column in spec.features.items()
            if line.get(name) is not None
        }


def _cell(text: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(text)
    except (ValueError, KeyError):
        return text


_READ: dict[str, Callable[[str], Any]] = {
    "number": float,
    "integer": int,
    "boolean": lambda text: {"true": True, "false": False, "1": True, "0": False}[text.strip().lower()],
}
