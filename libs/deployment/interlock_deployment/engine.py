"""The container engine of this machine: Docker or Podman, by their command lines, which agree in all that is used."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from interlock_deployment.errors import DeploymentError

ENGINES = ("docker", "podman")
_ERROR_LINES = 12


@dataclass(frozen=True)
class Engine:
    """A container engine: ``program`` is one of :data:`ENGINES`."""

    program: str

    @property
    def is_podman(self) -> bool:
        return self.program == "podman"

    def run(self, *arguments: str, stdin: Path | None = None) -> str:
        """Run ``docker`` or ``podman`` with these arguments and return its standard output.

        Raises:
            DeploymentError: it ended with another status than 0; with the last lines that it said.
        """
        opened = stdin.open("rb") if stdin is not None else subprocess.DEVNULL
        try:
            done = subprocess.run([self.program, *arguments], stdin=opened, capture_output=True, text=True, check=False)
        finally:
            if stdin is not None:
                opened.close()  # type: ignore[union-attr]
        if done.returncode != 0:
            raise DeploymentError(f"{self.program} {arguments[0]} failed: {_reason(done.stdout + done.stderr)}")
        return done.stdout

    def has_image(self, name: str) -> bool:
        return self._status("image", "inspect", name) == 0

    def label(self, image: str, label: str) -> str | None:
        """Return a label of an image that is here, or None."""
        if not self.has_image(image):
            return None
        return self.run("image", "inspect", "--format", f'{{{{index .Config.Labels "{label}"}}}}', image).strip()

    def works(self) -> bool:
        """Return whether the engine answers: Docker's command is often there without its daemon."""
        return shutil.which(self.program) is not None and self._status("info") == 0

    def _status(self, *arguments: str) -> int:
        return subprocess.run([self.program, *arguments], capture_output=True, check=False).returncode


def _reason(output: str) -> str:
    """Return what an engine says last: its error, or the end of what it did."""
    lines = [line for line in output.splitlines() if line.strip()]
    error = next((number for number, line in enumerate(lines) if line.lower().startswith("error")), -_ERROR_LINES)
    return "\n".join(lines[error:]) or "it said nothing"


def find_engine(wanted: str | None = None) -> Engine:
    """Return the engine that is asked for, else the first that works.

    Raises:
        DeploymentError: there is none, or the one that is asked for does not work.
    """
    if wanted and wanted not in ENGINES:
        raise DeploymentError(f"{wanted!r} is no container engine that is known here", hint="docker or podman")
    names: Sequence[str] = (wanted,) if wanted else ENGINES
    for name in names:
        if (engine := Engine(name)).works():
            return engine
    if wanted:
        raise DeploymentError(f"`{wanted} info` fails: it is not installed, or its daemon does not run")
    raise DeploymentError(
        "neither Docker nor Podman works here", hint="on Debian: sudo apt-get install -y podman buildah"
    )
