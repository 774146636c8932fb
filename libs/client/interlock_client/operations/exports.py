"""A promoted version as a folder: signed files as they are stored, or what runs without Interlock."""

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeAlias

from interlock_contracts.http import ExportView

from interlock_client.errors import InterlockError
from interlock_client.extras import extra
from interlock_client.flows import UPLOAD_TIMEOUT, Flow, Request, get
from interlock_client.operations.models import model

ExportFormat: TypeAlias = Literal["signed", "onnx", "python"]


def export(
    name: str,
    version: int | None = None,
    *,
    to: str | Path,
    format: ExportFormat = "signed",  # noqa: A002 - what everybody calls it
) -> Flow[int]:
    """Write a promoted version, by default the serving one, to a new folder; return its number.

    ``signed`` are the files as they are stored, with a signature that OpenSSF's `model_signing` verifies. ``onnx`` is
    the whole model as one ONNX graph, from cells to answers, with its signature; ``python`` adds a program that
    predicts the rows of a file with it. Those two need the extra `interlock-client[export]`.

    Raises:
        FileExistsError: the folder is there.
        InterlockError: no version serves, it was never promoted, or its kind is not exported in this format.
    """
    folder = Path(to)
    if folder.exists():
        raise FileExistsError(f"{folder} already exists")
    number = version if version is not None else (yield from _serving(name))
    path = f"/models/{name}/versions/{number}/export"
    found = yield from get(ExportView, path)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        stored, made = Path(scratch) / "stored", Path(scratch) / "made"
        made.mkdir()
        files = made / "model" if format == "signed" else stored
        files.mkdir()
        for file in found.files:
            written = files / Path(file.name).name
            yield Request("GET", f"{path}/{file.name}", into=written, timeout=UPLOAD_TIMEOUT, repeatable=True)
            with written.open("rb") as source:
                if hashlib.file_digest(source, "sha256").hexdigest() != file.sha256:
                    raise InterlockError(f"{file.name} does not have the promoted digest")
        if format == "signed":
            _sign(found, made)
        else:
            _convert(found, stored, made, program=format == "python")
        made.rename(folder)
    return number


def _serving(name: str) -> Flow[int]:
    found = yield from model(name)
    if found.serving is None:
        raise InterlockError(f"no version of {name} is serving: name the version to export")
    return found.serving.ref.version


def _sign(found: ExportView, folder: Path) -> None:
    (folder / "model" / "promotion.json").write_text(found.promotion, encoding="utf-8")
    (folder / "model.sig").write_text(json.dumps(found.bundle), encoding="utf-8")
    (folder / "export-key.pem").write_text(found.public_key, encoding="utf-8")


def _convert(found: ExportView, stored: Path, folder: Path, *, program: bool) -> None:
    with extra("export"):
        from interlock_modeling.portable import write_portable  # noqa: PLC0415 - an extra, and slow to import
    description = (stored / "model.json").read_bytes()
    try:
        write_portable(
            description, stored / "engine", folder, model=found.model, version=found.version, program=program
        )
    except ValueError as error:
        raise InterlockError(f"version {found.version} of {found.model} is not exported: {error}") from error
