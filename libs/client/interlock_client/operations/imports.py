"""Models that were trained elsewhere: a folder that MLflow has saved becomes a version, once the gate has judged it."""

import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from interlock_contracts.http import RunAccepted
from interlock_contracts.mlmodel import MLMODEL, parse_mlmodel

from interlock_client.flows import UPLOAD_TIMEOUT, Flow, Request, read, without_none


def import_model(model: str, folder: str | Path, *, reason: str | None = None) -> Flow[RunAccepted]:
    """Import a model of MLflow's ONNX or XGBoost flavour as a version of ``model``; ``wait`` follows the run.

    The run translates it, compares it with its original, and hands it to the gate, which judges it like one that was
    trained. ``reason`` is kept with the run.

    Raises:
        ValueError: the folder is not a model as MLflow saves it, or of another flavour.
    """
    source = Path(folder)
    _require_model(source)
    with TemporaryDirectory(prefix="interlock-") as scratch:
        archive = Path(scratch) / "model.tar"
        _pack(source, archive)
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(archive.stat().st_size)}
        request = Request(
            "POST",
            f"/models/{model}/import",
            params=without_none({"reason": reason}),
            headers=headers,
            file=archive,
            timeout=UPLOAD_TIMEOUT,
        )
        return (yield from read(RunAccepted, request))


def _require_model(folder: Path) -> None:
    described = folder / MLMODEL
    if not described.is_file():
        raise ValueError(f"{folder} has no file {MLMODEL}; it is not a model's folder as MLflow saves it")
    parse_mlmodel(described.read_bytes())


def _pack(folder: Path, archive: Path) -> None:
    """Write the folder's files in the order of their names, without whose they are and when they were changed."""
    with tarfile.open(archive, "w") as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                member = tarfile.TarInfo(path.relative_to(folder).as_posix())
                member.size = path.stat().st_size
                with path.open("rb") as content:
                    tar.addfile(member, content)
