"""What is in each image: packages of this repository by the table of the deployment, and the lock of all others."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from interlock_contracts.deployment import SERVICES

_NAME = re.compile(r"^interlock-[a-z-]+")
_PROGRAMS = ("trainer", "scoring")
"""What Ray runs; its image has the cluster's own packages, too."""


@dataclass(frozen=True)
class Target:
    """One stage of ``compose/Dockerfile``: ``packages`` are folders of the checkout, with all that they need of it."""

    name: str
    packages: tuple[Path, ...]

    def lock(self, checkout: Path) -> Path:
        """Return the file of all other packages, with versions and hashes."""
        return checkout / "compose" / "requirements" / f"{self.name}.lock"


def targets(checkout: Path) -> tuple[Target, ...]:
    """Return the images: ``light``, ``model`` and ``trainer``."""
    by_image = {
        image: [checkout / "services" / each.name for each in SERVICES if each.image == image]
        for image in ("light", "model")
    }
    by_image["trainer"] = [checkout / "libs" / name for name in _PROGRAMS]
    return tuple(Target(name, _closure(checkout, folders)) for name, folders in by_image.items())


def _closure(checkout: Path, folders: list[Path]) -> tuple[Path, ...]:
    found: dict[Path, None] = {}
    waiting = list(folders)
    while waiting:
        if (folder := waiting.pop(0)) in found:
            continue
        found[folder] = None
        waiting += [_folder(checkout, name) for name in _needs(folder)]
    return tuple(sorted(found))


def _needs(folder: Path) -> list[str]:
    """Return the packages of this repository that one needs, by their names."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return [found.group() for each in project.get("dependencies", []) if (found := _NAME.match(each))]


def _folder(checkout: Path, name: str) -> Path:
    short = name.removeprefix("interlock-").replace("-", "_")
    places = (checkout / short, checkout / "libs" / short, checkout / "services" / short)
    return next(each for each in places if (each / "pyproject.toml").exists())
