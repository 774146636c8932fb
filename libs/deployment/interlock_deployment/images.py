"""Images: built without a network from wheels with hashes, kept while what went into them is the same, pushed."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

from interlock_deployment import wheelhouse
from interlock_deployment.engine import Engine
from interlock_deployment.errors import DeploymentError
from interlock_deployment.sbom import write_sbom
from interlock_deployment.targets import Target

VERSION = metadata.version("interlock-contracts")
"""The product's version, and the tag of its images."""

BASE = "python:3.11-slim-bookworm"
"""On which the images are built, where no other is named: Debian 12 with Python 3.11."""

INPUTS = "io.interlock.inputs"
"""Label: the SHA-256 of all that went into an image."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

Say = Callable[[str], object]


@dataclass(frozen=True)
class Image:
    """An image that is here: its name with its tag, its size in bytes, and whether it was built just now."""

    target: str
    name: str
    size: int
    built: bool


@dataclass(frozen=True)
class Build:
    """How images are built: on which ``base``, under which ``repository`` and ``tag``; wheels stay in ``folder``."""

    checkout: Path
    base: str = BASE
    repository: str = "localhost/interlock"
    tag: str = VERSION

    @property
    def folder(self) -> Path:
        """Return where bills of materials are kept."""
        return self.checkout / ".interlock" / "images"

    @property
    def wheels(self) -> Path:
        """Return where wheels of other projects are kept, for the next build."""
        return self.folder / "wheels"

    @property
    def dockerfile(self) -> Path:
        return self.checkout / "compose" / "Dockerfile"

    def name(self, target: str) -> str:
        return f"{self.repository}/{target}:{self.tag}"


def build(engine: Engine, plan: Build, target: Target, say: Say) -> Image:
    """Build one image, unless the one that is here was made of the same.

    Raises:
        DeploymentError: a wheel cannot be fetched, or the engine refuses.
    """
    name, inputs = plan.name(target.name), _inputs(plan, target)
    built = engine.label(name, INPUTS) != inputs
    if built:
        wheels = wheelhouse.fetch(target.locked, plan.wheels, say)
        own = _own_wheels(plan, target, inputs)
        say(f"building {name} on {plan.base}")
        with _context(plan.folder, target, wheels, own) as context:
            engine.run("build", *_arguments(engine, plan, target, inputs), str(context))
    return Image(target.name, name, int(engine.run("image", "inspect", "--format", "{{.Size}}", name)), built)


def bill_of_materials(engine: Engine, plan: Build, target: Target, say: Say) -> Path:
    """Write what is in an image that is here, as CycloneDX, and return the file."""
    name = plan.name(target.name)
    wheels = wheelhouse.fetch(target.locked, plan.wheels, say)
    own = _own_wheels(plan, target, _inputs(plan, target))
    return write_sbom(plan.folder / f"{target.name}.cdx.json", name, [*wheels, *own], _system_packages(engine, name))


def _own_wheels(plan: Build, target: Target, inputs: str) -> list[Path]:
    """Return the wheels of the checkout's packages; those of an earlier call are kept while ``inputs`` are the same."""
    folder = plan.folder / target.name
    made_of = folder / "inputs"
    if not made_of.exists() or made_of.read_text() != inputs:
        made_of.unlink(missing_ok=True)
        wheelhouse.build(target.packages, folder)
        made_of.write_text(inputs)
    return sorted(folder.glob("*.whl"))


def push(engine: Engine, image: str, repository: str, *, plain_http: bool = False) -> str:
    """Push an image and return its name by digest, which never means another image.

    Raises:
        DeploymentError: the image is not here, or the registry refuses it.
    """
    if not engine.has_image(image):
        raise DeploymentError(f"there is no image {image} here", hint="interlock images build")
    there = f"{repository}/{image.rpartition('/')[2]}"
    engine.run("tag", image, there)
    options = [f"--tls-verify={'false' if plain_http else 'true'}"] if engine.is_podman else []
    said = engine.run("push", *options, there)
    name = there.rpartition(":")[0]
    known = json.loads(engine.run("image", "inspect", "--format", "{{json .RepoDigests}}", there)) or []
    digests = [each for each in known if each.startswith(f"{name}@")]
    digests += [f"{name}@{each}" for each in _DIGEST.findall(said)]
    if not digests:
        raise DeploymentError(f"the registry did not say under which digest it keeps {there}")
    return str(digests[-1])


def _arguments(engine: Engine, plan: Build, target: Target, inputs: str) -> list[str]:
    """Return the options of the build; its time is the commit's, so that it does not change what is built."""
    revision, moment = _commit(plan.checkout)
    labels = {
        INPUTS: inputs,
        "org.opencontainers.image.title": f"interlock-{target.name}",
        "org.opencontainers.image.version": VERSION,
        "org.opencontainers.image.revision": revision,
        "org.opencontainers.image.created": moment,
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.base.name": plan.base,
    }
    podman = ["--format=docker", "--pull=never"] if engine.is_podman else []  # OCI's own format has no health check
    return [
        *podman,
        "--network=none",
        f"--build-arg=BASE={plan.base}",
        *(f"--label={key}={value}" for key, value in labels.items()),
        f"--target={target.name}",
        f"--file={plan.dockerfile}",
        f"--tag={plan.name(target.name)}",
    ]


@contextmanager
def _context(folder: Path, target: Target, wheels: Iterable[Path], own: Iterable[Path]) -> Iterator[Path]:
    """Make the folder that the engine sees: one image's wheels with their hashes, and no file of the checkout."""
    with TemporaryDirectory(dir=folder) as made:
        context = Path(made)
        for part, files in (("wheels", wheels), ("own", own)):
            (context / part).mkdir()
            for each in files:
                _link(each, context / part / each.name)
        (context / "requirements.lock").write_text("\n".join(map(str, target.locked)) + "\n")
        yield context


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy(source, target)


def _inputs(plan: Build, target: Target) -> str:
    """Return the SHA-256 of the base's name, the Dockerfile, the locked packages, and every source file of ours."""
    total = hashlib.sha256(f"{plan.base}\n".encode())
    sources = [each for folder in target.packages for each in sorted(folder.rglob("*")) if _is_source(each)]
    for each in (plan.dockerfile, *sources):
        total.update(f"{each.relative_to(plan.checkout)} {wheelhouse.sha256(each)}\n".encode())
    for package in target.locked:
        total.update(f"{package}\n".encode())
    return total.hexdigest()


def _is_source(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def _commit(checkout: Path) -> tuple[str, str]:
    """Return the commit and its time, or that there is none: an archive of a release has no history."""
    done = subprocess.run(
        ["git", "-C", str(checkout), "log", "-1", "--format=%H %cI"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    revision, _, moment = done.stdout.strip().partition(" ")
    return (revision, moment) if done.returncode == 0 and revision else ("unknown", "1970-01-01T00:00:00Z")


def _system_packages(engine: Engine, image: str) -> list[tuple[str, str]]:
    """Return name and version of every Debian package in the image; none where the base is no Debian."""
    try:
        listed = engine.run(
            "run", "--rm", "--network=none", "--entrypoint=dpkg-query", image, "-W", "-f", "${Package} ${Version}\\n"
        )
    except DeploymentError:
        return []
    return [(name, version) for name, _, version in (line.partition(" ") for line in listed.splitlines())]
