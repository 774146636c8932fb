"""Bundles for machines: everything that is installed there, as one file each, so that no machine needs a network.

``light.tar``, ``model.tar`` and ``trainer.tar``, each with a file of its digest beside it.
"""

import io
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

from interlock_deployment import wheelhouse
from interlock_deployment.targets import Target, select


def bundle(checkout: Path, folder: Path, names: Sequence[str], say: Callable[[str], object]) -> list[Path]:
    """Write the bundles of these names, or of all; the same wheels give the same bytes.

    Raises:
        DeploymentError: there is no such bundle, the folder is no checkout, or a wheel cannot be fetched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [_bundle(checkout, folder, each, say) for each in select(checkout, names)]


def _bundle(checkout: Path, folder: Path, target: Target, say: Callable[[str], object]) -> Path:
    images = checkout / ".interlock" / "images"
    wheels = wheelhouse.fetch(target.locked, images / "wheels", say)
    own = wheelhouse.build(target.packages, folder / target.name)
    file = folder / f"{target.name}.tar"
    _write(file, "\n".join(map(str, target.locked)) + "\n", {"wheels": wheels, "own": own})
    digest = wheelhouse.sha256(file)
    file.with_suffix(".digest").write_text(f"{digest[:12]}\n")
    say(f"{file}: {file.stat().st_size >> 20} MB, {len(wheels) + len(own)} packages, {digest[:12]}")
    return file


def _write(file: Path, lock: str, wheels: dict[str, Sequence[Path]]) -> None:
    """Write an archive whose bytes follow from its files' names and bytes alone; a reader sees all of it or nothing."""
    new = file.with_suffix(".new")
    with tarfile.open(new, "w") as archive:
        _add(archive, "requirements.lock", lock.encode())
        for part, files in wheels.items():
            for each in sorted(files):
                _add(archive, f"{part}/{each.name}", each.read_bytes())
    new.replace(file)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    archive.addfile(entry, io.BytesIO(content))
