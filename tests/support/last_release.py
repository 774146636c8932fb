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

COMMIT = "226632465d40"
"""The last commit before a migration was added that it does not know; a release's tag, once there are some."""


@dataclass(frozen=True)
class Release:
    """``python`` has its packages, Interlock's own among them."""

    python: Path

    def command(self, module: str) -> list[str]:
        """Return how one of its programs is run."""
        return [str(self.python), "-m", module]


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
        targets = select(CHECKOUT, ["light", "model"])
        sources = {folder / each.relative_to(CHECKOUT) for target in targets for each in target.packages}
        for wheel in wheelhouse.build(sorted(sources), folder / "wheels"):
            ZipFile(wheel).extractall(folder / "own")
        names = {each.name for target in targets for each in target.locked}
        locked = read_lock(folder / "requirements.lock")
        wanted = [str(each) for name, each in sorted(locked.items()) if name in names]
        (folder / "services.lock").write_text("\n".join(wanted))
        (folder / "ready").touch()
    installed = environment("releases", COMMIT, folder / "services.lock")
    (packages,) = installed.glob("lib/python*/site-packages")
    (packages / "interlock.pth").write_text(f"{folder / 'own'}\n")
    return Release(installed / "bin" / Path(sys.executable).name)
