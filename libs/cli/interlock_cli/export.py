"""`interlock export`: a promoted version as files that anybody can verify."""

import hashlib
import json
from pathlib import Path
from typing import Annotated

import typer
from interlock_contracts.http import ExportedFile, ExportView, ModelView

from interlock_cli.gateway import Gateway, connect
from interlock_cli.models import Name
from interlock_cli.terminal import CommandError, Json, command_terminal

CHUNK = 1 << 20


def export(
    name: Name,
    version: Annotated[int | None, typer.Argument(min=1, help="Without it: the one that serves.")] = None,
    *,
    to: Annotated[Path, typer.Option(help="A folder; it is made, and must not be there yet.")],
    as_json: Json = False,
) -> None:
    """Write a promoted version to a folder, signed so that the OpenSSF's `model_signing` can verify it.

    Example: interlock export flights-1 3 --to flights-1-3
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        number = version or _serving(gateway, name)
        if to.exists():
            raise CommandError(f"{to} is there already", hint="name a folder that is not")
        found = gateway.get(ExportView, f"/models/{name}/versions/{number}/export")
        model, signature, key = to / "model", to / "model.sig", to / "export-key.pem"
        model.mkdir(parents=True)
        for file in found.files:
            _fetch(gateway, f"/models/{name}/versions/{number}/export/{file.name}", file, model / Path(file.name).name)
        (model / "promotion.json").write_text(found.promotion)
        signature.write_text(json.dumps(found.bundle))
        key.write_text(found.public_key)
        terminal.echo(f"version {number} of {name} is in {to}; anybody can verify it with:", style="green")
        terminal.echo(f"model_signing verify key {model} --signature {signature} --public_key {key}")
        terminal.result({"model": name, "version": number, "folder": str(to)})


def _serving(gateway: Gateway, name: str) -> int:
    model = gateway.get(ModelView, f"/models/{name}")
    if model.serving is None:
        raise CommandError(f"no version of {name} serves", hint=f"`interlock versions {name}` lists what there is")
    return model.serving.ref.version


def _fetch(gateway: Gateway, path: str, file: ExportedFile, target: Path) -> None:
    digest = hashlib.sha256()
    with gateway.stream(path) as answer, target.open("wb") as written:
        for piece in answer.iter_bytes(CHUNK):
            digest.update(piece)
            written.write(piece)
    if digest.hexdigest() != file.sha256:
        raise CommandError(
            f"{file.name} came damaged, or is not what was promoted", hint="remove the folder, try again"
        )
