"""Images for tests, built where what goes into them has changed: the product's, and stand-ins for other projects'."""

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from interlock_deployment import images
from interlock_deployment.engine import Engine
from interlock_deployment.targets import select
from interlock_localstack import postgres, rabbitmq
from interlock_localstack.environment import cache_folder

from tests.support.debian_base import debian_base
from tests.support.debian_programs import program
from tests.support.environments import CHECKOUT, do_without

BASE = "localhost/interlock-base:bookworm"
"""Debian 12 as small as it gets with Python: where no registry can be reached, nobody has python:slim."""
STAND_INS = CHECKOUT / "tests" / "deployment" / "compose" / "stand_ins"


def engine() -> Engine:
    """Return Podman, as root; without it, or what it needs, the test is skipped and says so, and fails in CI."""
    for name, package in (("podman", "podman"), ("runc", "runc"), ("iptables", "iptables"), ("buildah", "buildah")):
        program(name, package)
    for helper in ("netavark", "aardvark-dns"):
        if not Path("/usr/lib/podman", helper).exists():
            do_without(f"{helper} is missing: sudo apt-get install -y --no-install-recommends {helper}")
    if os.geteuid() != 0:
        pytest.skip("these containers are started by root")
    return Engine("podman")


def product(engine: Engine) -> images.Build:
    """Build the product's images, each unless it is here; return under which names."""
    plan = images.Build(CHECKOUT, base=_base(engine), repository="localhost/interlock-test")
    with _one_at_a_time():
        for target in select(CHECKOUT):
            images.build(engine, plan, target, print)
    return plan


def stand_ins(engine: Engine) -> None:
    """Build stand-ins of the programs that `interlock up` runs, each unless it is here."""
    base = _base(engine)
    parts = {
        "rabbitmq": rabbitmq.unpacked(print),
        "postgres": postgres._programs().parents[1],
        "seaweedfs": Path(sys.executable).with_name("weed"),
    }
    inputs = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(STAND_INS.iterdir())) + base.encode())
    with _one_at_a_time():
        for name, source in parts.items():
            image = f"localhost/interlock-test/{name}:test"
            label = f"{inputs.hexdigest()}-{source}-{int(source.stat().st_mtime)}"
            if engine.label(image, images.INPUTS) == label:
                continue
            with tempfile.TemporaryDirectory() as folder:
                context = Path(folder)
                shutil.copytree(STAND_INS, context, dirs_exist_ok=True)
                for own in ("postgres", "rabbitmq"):
                    (context / own).mkdir()
                (context / "weed").touch()
                _fill(context, name, source)
                engine.run(
                    "build",
                    *("--format=docker", "--pull=never", "--network=none", f"--build-arg=BASE={base}"),
                    *(f"--target={name}", f"--tag={image}", f"--label={images.INPUTS}={label}"),
                    str(context),
                )


def _fill(context: Path, name: str, source: Path) -> None:
    if name == "seaweedfs":
        shutil.copy(source, context / "weed")
    elif name == "rabbitmq":
        shutil.copytree(source, context / name, symlinks=True, dirs_exist_ok=True)
    else:  # the programs find their libraries by a relative path, in the folder beside their package
        for each in (source, source.with_name(f"{source.name}.libs")):
            shutil.copytree(each, context / name / each.name, symlinks=True)


def _base(engine: Engine) -> str:
    """Make the base of all images, once for every checkout of this user."""
    with _one_at_a_time():
        if not engine.has_image(BASE):
            engine.run("import", str(debian_base()), BASE)
    return BASE


class _one_at_a_time:  # noqa: N801 - reads as what it does
    """Hold a lock among all test processes of this user: what another builds is there afterwards."""

    def __enter__(self) -> None:
        folder = cache_folder() / "images"
        folder.mkdir(exist_ok=True)
        self._file = (folder / "lock").open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()
