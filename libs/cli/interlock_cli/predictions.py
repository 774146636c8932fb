"""`interlock predict`: predictions for rows or for a whole file."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from interlock_client import Client
from interlock_client.operations.datasets import MEDIA_TYPES
from interlock_client.operations.files import OnError
from interlock_contracts.json_keys import RepeatedKeyError, keys_in, refuse_repeated_keys

from interlock_cli import completion
from interlock_cli.async_predict import submit, wait_for_answer
from interlock_cli.batches import score_file
from interlock_cli.gateway import connect
from interlock_cli.prediction_files import carried_of, carrying, csv_rows, features_of, serving_spec
from interlock_cli.terminal import CommandError, Json, Terminal, command_terminal

Row = dict[str, Any]


def predict(
    name: Annotated[str, typer.Argument(help="The model.", autocompletion=completion.models)],
    *,
    row: Annotated[list[str] | None, typer.Option(help="A row as a JSON object; repeatable.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="Rows as .json, .jsonl or .csv; - or no option reads JSON from standard input.", allow_dash=True
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Score the whole file (.csv, .jsonl, .parquet) and write the predictions to this Parquet file."
        ),
    ] = None,
    on_error: Annotated[
        OnError,
        typer.Option(help="With --out, for invalid rows: fail, or null for an empty prediction and an error message."),
    ] = "fail",
    log: Annotated[
        float,
        typer.Option(min=0, max=1, help="With --out: the share of rows in the prediction log, for feedback to count."),
    ] = 0,
    asynchronous: Annotated[
        bool, typer.Option("--async", help="Submit an asynchronous prediction and print its URL.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="With --async: wait for the result.")] = False,
    as_json: Json = False,
) -> None:
    """Get predictions from a model.

    A file is read as the version that serves was trained on it, and only features and key are sent, so a training file
    is accepted, too.
    With --out a file of any size is scored by the service; running the same command again resumes it.

    Example: interlock predict flights-1 --row '{"origin": "JFK", "dest": "LAX", "distance": 2475}'
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        if out is not None:
            if file is None or row:
                raise typer.BadParameter("--out needs --file, and no --row")
            if out.suffix.lower() in {*MEDIA_TYPES} - {".parquet"}:
                raise typer.BadParameter(f"--out is written as Parquet; call it {out.with_suffix('.parquet').name}")
            if not file.is_file():
                raise CommandError(f"file {file} does not exist")
            terminal.result(score_file(gateway, terminal, name, file, out, on_error=on_error, log=log))
            return
        rows, carried = _rows(gateway, name, row, file)
        if not rows:
            raise CommandError("there are no rows to predict", hint="see interlock predict --help")
        if asynchronous:
            accepted = submit(gateway, terminal, name, rows)
            if not wait:
                terminal.result(accepted)
                return
            answers = [wait_for_answer(gateway, accepted)]
        else:
            answers = [each.model_dump(mode="json", exclude_unset=True) for each in gateway.answers(name, rows)]
        for answer in carrying(answers, carried):
            _print_answer(terminal, answer)
        terminal.result(answers[0] if len(answers) == 1 else answers)


def _print_answer(terminal: Terminal, answer: dict[str, Any]) -> None:
    probabilities = answer.get("probabilities") or [None] * len(answer["predictions"])
    terminal.echo(f"# {answer['model']} version {answer['version']}, id {answer['id']}", style="dim")
    keys = answer.get("keys") or [{}] * len(answer["predictions"])
    for prediction, probability, key in zip(answer["predictions"], probabilities, keys, strict=True):
        shown = "" if probability is None else "  " + ", ".join(f"{key}: {p:.3f}" for key, p in probability.items())
        terminal.echo(f"{prediction}{shown}" + "".join(f"  {name}={value}" for name, value in key.items()))
    for warning in answer.get("warnings") or ():
        text = warning if isinstance(warning, str) else json.dumps(warning, ensure_ascii=False)
        terminal.echo(f"warning: {text}", style="yellow")


def _rows(gateway: Client, name: str, given: list[str] | None, file: Path | None) -> tuple[list[Row], list[Row]]:
    """Return the rows to send, and of each row of a file the columns that only go along."""
    if given and file:
        raise typer.BadParameter("give rows by --row or by --file, not both")
    if given:
        return [_row(text, f"--row {number}") for number, text in enumerate(given, 1)], []
    if file is None or str(file) == "-":
        if file is None and sys.stdin.isatty():
            raise typer.BadParameter("give rows by --row, by --file, or on standard input")
        return _json_rows(sys.stdin.read(), "standard input"), []
    if not file.is_file():
        raise CommandError(f"file {file} does not exist")
    if file.suffix.lower() == ".parquet":
        raise CommandError("a Parquet file is only scored as a whole", hint="add --out predictions.parquet")
    spec, key = serving_spec(gateway, name)
    if file.suffix.lower() == ".csv":
        rows = csv_rows(file, spec)
    else:
        rows = _json_rows(file.read_text(encoding="utf-8-sig"), str(file))
    return features_of(rows, spec, key), carried_of(rows, spec)


def _json_rows(text: str, where: str) -> list[Row]:
    """Return the rows of a JSON list, of one object, of a predict body, or of one object a line."""
    try:
        whole = json.loads(text)
        refuse_repeated_keys(text.encode(), keys_in(whole))
    except RepeatedKeyError as error:
        raise CommandError(f"{where}: {error}") from error
    except json.JSONDecodeError:
        lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        return [_row(line, f"line {number} of {where}") for number, line in lines]
    if isinstance(whole, dict):
        whole = whole["rows"] if set(whole) == {"rows"} else [whole]
    if not isinstance(whole, list) or not all(isinstance(each, dict) for each in whole):
        raise CommandError(f"{where} contains no rows", hint='a row is an object such as {"origin": "JFK"}')
    return whole


def _row(text: str, where: str) -> Row:
    try:
        row = json.loads(text)
        refuse_repeated_keys(text.encode(), keys_in(row))
    except RepeatedKeyError as error:
        raise CommandError(f"{where}: {error}") from error
    except json.JSONDecodeError as error:
        raise CommandError(f"{where} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise CommandError(f"{where} is not a JSON object")
    return row
