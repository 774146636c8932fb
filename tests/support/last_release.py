"""The release of before: its sources from git, and an environment with the versions of its own lock."""

import subprocess
import sys
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

from interlock_deployment import wheelhouse
from interlock_deployment.targets import read_lock, select
from interlock_localstack.environment import cache_folder

from tests.support.environments import CHECKOUT, do_without, environment

COMMIT = "445828295e51"
"""The last commit before images and charts; a release's tag, once there are some."""

GONE = ("numba", "llvmlite")
"""What its image ``model`` had and this one's has not."""


@dataclass(frozen=True)
class Release:
    """``python`` has its packages; ``own`` is the folder of those that are Interlock's."""

    python: Path
    own: Path

    def command(self, module: str) -> list[str]:
        """Return how one of its programs is run."""
        return [str(self.python), "-m", module]

    def environment(self) -> dict[str, str]:
        """Return the variable by which its own packages are found."""
        return {"PYTHONPATH": str(self.own)}


def last_release() -> Release:
    """Return it, unpacked and installed once for every checkout of this user.

    Without its commit, as in a shallow clone, the test is skipped and says so, and fails in CI.
    """
    folder = cache_folder() / "releases" / COMMIT
    if not (folder / "ready").exists():
        archive = subprocess.run(
            ["git", "-C", str(CHECKOUT), "archive", COMMIT, "contracts", "libs", "services", "requirements.lock"],
            capture_output=True,
            check=False,
        )
        if archive.returncode:
            do_without(f"the commit {COMMIT} is not here: git fetch --unshallow")
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        (model,) = select(CHECKOUT, ["model"])
        sources = [folder / each.relative_to(CHECKOUT) for each in model.packages]
        for wheel in wheelhouse.build(sources, folder / "wheels"):
            ZipFile(wheel).extractall(folder / "own")
        names = {*(each.name for each in model.locked), *GONE}
        locked = read_lock(folder / "requirements.lock")
        wanted = [str(each) for name, each in sorted(locked.items()) if name in names]
        (folder / "model.lock").write_text("\n".join(wanted))
        (folder / "ready").touch()
    installed = environment("releases", COMMIT, folder / "model.lock")
    return Release(installed / "bin" / Path(sys.executable).name, folder / "own")
