"""The folder of an export: the graph, its signature, a page on how to run it, and for Python a program."""

import json
import shutil
from pathlib import Path
from typing import Any

import interlock_tables

from interlock_modeling.engines import load_engine
from interlock_modeling.portable.onnx_model import signature_of, to_onnx
from interlock_modeling.served import ModelDescription

PROGRAM = ("predict.py", "requirements.txt")
_SPELLINGS = ("spellings.py", "locales.py")
_HERE = Path(__file__).parent


def write_portable(
    description: bytes, engine_file: Path, folder: Path, *, model: str, version: int, program: bool
) -> None:
    """Write a version to ``folder``, which is there and empty; with ``program`` also what asks it from Python.

    Raises:
        ModelFormatError: the stored version is damaged, or of a newer release.
        ValueError: its engine is of a kind or shape that is not exported.
    """
    described = ModelDescription.parse(description)
    engine = load_engine(described.engine.kind, described.engine.version, engine_file)
    graph = to_onnx(described, engine, model=model, version=version)
    stated = signature_of(graph)
    (folder / "model.onnx").write_bytes(graph.SerializeToString())
    (folder / "signature.json").write_text(json.dumps(stated, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_page(stated, program=program), encoding="utf-8")
    if program:
        for name in PROGRAM:
            shutil.copyfile(_HERE / name, folder / name)
        spellings = folder / "interlock_tables"
        spellings.mkdir()
        (spellings / "__init__.py").touch()
        for name in _SPELLINGS:
            shutil.copyfile(Path(interlock_tables.__path__[0]) / name, spellings / name)


def _page(stated: dict[str, Any], *, program: bool) -> str:
    head = f"# {stated['model']}, version {stated['version']}\n\nPredicts `{stated['target']}` ({stated['task']}).\n\n"
    return head + (_PROGRAM if program else "") + _GRAPH + _table(stated) + "\n" + _outputs(stated)


_PROGRAM = """\
## Run it

Python 3.11 or newer:

    python -m venv venv
    venv/bin/pip install -r requirements.txt
    venv/bin/python predict.py rows.csv

`predict.py` takes CSV, JSON (a list of objects) and JSON Lines, and prints one JSON object for each row: `prediction`,
for a classification `probabilities`, and `key` with the columns that tell rows apart. Columns that are no features
(the target, the key, ignored ones) may be there. From Python: `Model(folder).predict(rows)`.

"""

_GRAPH = """\
## The graph

`model.onnx` is the whole model, from cells to answers: ONNX with operators of version 18 (trees: `ai.onnx.ml` 5). Each
input is a tensor [rows, 1] with the name of its column; all of them are needed.

- `double`: the number; of a boolean 1 or 0. Missing is NaN.
- `int64`: microseconds since 1970-01-01 in UTC, cut, not rounded. Missing is -9223372036854775808.
- `string`: the text as it is, letter by letter. Missing is the text in the table. Another text than the categories
  counts as none of them, which is no error.

`signature.json` says the same for programs, and which words meant a missing cell in the training files
(`null_values`), and how numbers were written there (`decimal`, `thousands`); the graph carries it as metadata
`interlock.signature`. Whether a cell may be missing at all (`nullable`) is for the caller to check: the graph takes it.

| input | type | tensor | missing | may be missing |
|---|---|---|---|---|
"""


def _table(stated: dict[str, Any]) -> str:
    lines = [
        f"| `{each['name']}` | {each['type']} | {each['tensor']} | `{json.dumps(each['missing'], ensure_ascii=False)}` "
        f"| {'yes' if each['nullable'] else 'no'} |\n"
        for each in stated["inputs"]
    ]
    return "".join(lines)


def _outputs(stated: dict[str, Any]) -> str:
    outputs = stated["outputs"]
    if stated["labels"] is None:
        undone = f"; the transform `{stated['transform']}` of the training is undone" if stated["transform"] else ""
        return f"Output `{outputs['prediction']}`, double [rows]: in the target's own unit{undone}.\n"
    labels = ", ".join(json.dumps(label, ensure_ascii=False) for label in stated["labels"])
    chosen = "the most probable label"
    if stated["threshold"] is not None:
        chosen = f"the second label from a probability of {stated['threshold']:g} on, else the first"
    return (
        f"Output `{outputs['label']}` [rows]: {chosen}, as it stands in the data.\n"
        f"Output `{outputs['probabilities']}`, double [rows, {len(stated['labels'])}]: of the labels {labels}, "
        "in this order.\n"
    )
