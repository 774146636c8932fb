"""What is in each image: packages of this repository by the table of the deployment, and those that they need.

There is one lock, ``requirements.lock``; an image takes the lines of it that its packages need.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import get_args

from interlock_contracts.deployment import SERVICES, Image
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from interlock_deployment.errors import DeploymentError

PYTHON = "3.11"
"""The images' Python; wheels and requirements are chosen for it, whichever one runs here."""

_JOBS = ("trainer", "scoring[cluster]")
"""What Ray runs, as packages below ``libs``."""

_ENVIRONMENT = {
    "python_version": PYTHON,
    "python_full_version": f"{PYTHON}.0",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
}
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Locked:
    """One package of the lock: the SHA-256 of every file that may be installed for it."""

    name: NormalizedName
    version: str
    hashes: frozenset[str]

    def __str__(self) -> str:
        """Return its lines in a requirements file."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash=sha256:{each}" for each in sorted(self.hashes))])


@dataclass(frozen=True)
class Target:
    """One stage of ``compose/Dockerfile``: folders of this checkout, and what they need of other projects."""

    name: str
    packages: tuple[Path, ...]
    locked: tuple[Locked, ...]


PROGRAMS = {
    image: tuple(f"services/{each.name}" for each in SERVICES if each.image == image) for image in get_args(Image)
} | {"trainer": tuple(f"libs/{each}" for each in _JOBS)}
"""What runs in each image, as folders of the checkout; the images in the order of their size."""


def chosen(names: Sequence[str]) -> Sequence[str]:
    """Return these images; all, where none is named.

    Raises:
        DeploymentError: there is no such image.
    """
    if unknown := [each for each in names if each not in PROGRAMS]:
        raise DeploymentError(f"there is no image {unknown[0]!r}", hint=f"one of {', '.join(PROGRAMS)}")
    return names or tuple(PROGRAMS)


def select(checkout: Path, names: Sequence[str] = ()) -> tuple[Target, ...]:
    """Return what is in these images; in all, where none is named.

    Raises:
        DeploymentError: there is no such image, this is no checkout, or the lock lacks what a package needs.
    """
    if not (lock := checkout / "requirements.lock").exists():
        raise DeploymentError(f"{checkout} is no checkout of Interlock: it has no requirements.lock")
    locked = read_lock(lock)
    return tuple(_target(checkout, locked, name, PROGRAMS[name]) for name in chosen(names))


def read_lock(file: Path) -> dict[NormalizedName, Locked]:
    """Return every package of a lock that uv or pip-tools made, with hashes."""
    found: dict[NormalizedName, Locked] = {}
    for entry in re.split(r"(?<!\\)\n(?=\S)", file.read_text()):
        if "==" not in entry or entry.startswith("#"):
            continue
        requirement = Requirement(entry.partition("--hash")[0].replace("\\\n", " ").strip())
        if requirement.marker is None or requirement.marker.evaluate(dict(_ENVIRONMENT)):
            name = canonicalize_name(requirement.name)
            version = str(requirement.specifier).removeprefix("==")
            found[name] = Locked(name, version, frozenset(_HASH.findall(entry)))
    return found


def _target(checkout: Path, lock: dict[NormalizedName, Locked], name: str, folders: Sequence[str]) -> Target:
    """Follow what is needed from these folders on; pip itself comes along, for it installs the others."""
    packages: dict[Path, None] = {}
    others: dict[NormalizedName, Locked] = {}
    waiting = [Requirement("pip"), *(_own(checkout, folder) for folder in folders)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        key = canonicalize_name(requirement.name)
        if (key, frozenset(requirement.extras)) in seen:
            continue
        seen.add((key, frozenset(requirement.extras)))
        if (folder := _folder(checkout, key)) is not None:
            packages[folder] = None
            needs = _needs_of_folder(folder)
        elif key in lock:
            others[key] = lock[key]
            needs = metadata.requires(key) or []
        else:
            raise DeploymentError(f"the image {name} needs {requirement}, which requirements.lock does not have")
        waiting += _applicable(needs, requirement.extras)
    return Target(name, tuple(sorted(packages)), tuple(others[each] for each in sorted(others)))


def _own(checkout: Path, folder: str) -> Requirement:
    """Return the package in a folder of the checkout, with the extras that are named behind it."""
    path, bracket, extras = folder.partition("[")
    project = tomllib.loads((checkout / path / "pyproject.toml").read_text())["project"]
    return Requirement(f"{project['name']}{bracket}{extras}")


def _folder(checkout: Path, name: str) -> Path | None:
    if not name.startswith("interlock-"):
        return None
    short = name.removeprefix("interlock-").replace("-", "_")
    places = (checkout / short, checkout / "libs" / short, checkout / "services" / short)
    return next((each for each in places if (each / "pyproject.toml").exists()), None)


def _needs_of_folder(folder: Path) -> list[str]:
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    extras: dict[str, list[str]] = project.get("optional-dependencies", {})
    marked = [f"{each} ; extra == '{extra}'" for extra, needs in extras.items() for each in needs]
    return [*project.get("dependencies", []), *marked]


def _applicable(needs: Sequence[str], extras: set[str]) -> Iterator[Requirement]:
    """Yield what is needed on the images' platform, with these extras asked for."""
    for each in needs:
        requirement = Requirement(each)
        environments = [_ENVIRONMENT | {"extra": extra} for extra in ("", *extras)]
        if requirement.marker is None or any(requirement.marker.evaluate(one) for one in environments):
            yield requirement
