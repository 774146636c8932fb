"""`interlock export`: a promoted version as signed files."""

import hashlib
import json
from pathlib import Path
from typing import Annotated

import typer
from interlock_client import Client, Request
from interlock_client.flows import UPLOAD_TIMEOUT
from interlock_contracts.http import ExportedFile, ExportView

from interlock_cli.gateway import connect
from interlock_cli.models import Name
from interlock_cli.terminal import CommandError, Json, command_terminal

CHUNK = 1 << 20


def export(
    name: Name,
    version: Annotated[int | None, typer.Argument(min=1, help="Default: the serving version.")] = None,
    *,
    to: Annotated[Path, typer.Option(help="The folder to create; it must not exist.")],
    as_json: Json = False,
) -> None:
    """Export a promoted version to a folder, with a signature that OpenSSF's `model_signing` verifies.

    Example: interlock export flights-1 3 --to flights-1-3
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        number = version or _serving(gateway, name)
        if to.exists():
            raise CommandError(f"{to} already exists", hint="choose a folder that does not exist")
        found = gateway.get(ExportView, f"/models/{name}/versions/{number}/export")
        model, signature, key = to / "model", to / "model.sig", to / "export-key.pem"
        model.mkdir(parents=True)
        for file in found.files:
            _fetch(gateway, f"/models/{name}/versions/{number}/export/{file.name}", file, model / Path(file.name).name)
        (model / "promotion.json").write_text(found.promotion)
        signature.write_text(json.dumps(found.bundle))
        key.write_text(found.public_key)
        terminal.echo(f"version {number} of {name} is exported to {to}; verify it with:", style="green")
        terminal.echo(f"model_signing verify key {model} --signature {signature} --public_key {key}")
        terminal.result({"model": name, "version": number, "folder": str(to)})


def _serving(gateway: Client, name: str) -> int:
    model = gateway.model(name)
    if model.serving is None:
        raise CommandError(f"no version of {name} is serving", hint=f"`interlock versions {name}` lists its versions")
    return model.serving.ref.version


def _fetch(gateway: Client, path: str, file: ExportedFile, target: Path) -> None:
    digest = hashlib.sha256()
    with gateway.stream(Request("GET", path, timeout=UPLOAD_TIMEOUT)) as answer, target.open("wb") as written:
        for piece in answer.iter_bytes(CHUNK):
            digest.update(piece)
            written.write(piece)
    if digest.hexdigest() != file.sha256:
        raise CommandError(f"{file.name} does not have the promoted digest", hint="remove the folder and try again")
