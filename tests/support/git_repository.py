"""A git repository as a user has it: a clone to commit in, and the bare repository that it is pushed to."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path


class Repository:
    """Both in one folder; git's settings of this machine do not count."""

    def __init__(self, folder: Path) -> None:
        self.bare, self.clone = folder / "bare.git", folder / "clone"
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare), at=folder)
        self.git("init", "--quiet", "--initial-branch=main", str(self.clone), at=folder)
        self.git("remote", "add", "origin", str(self.bare))

    def git(self, *words: str, at: Path | None = None, variables: Mapping[str, str] | None = None) -> str:
        """Run git in the clone, or in another folder; return what it prints, its complaints included."""
        own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, **(variables or {})}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        command = ["git", "-c", "user.name=ada", "-c", "user.email=ada@example.org", *words]
        done = subprocess.run(
            command, cwd=at or self.clone, env=kept | own, capture_output=True, text=True, check=False, timeout=200
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return (done.stdout + done.stderr).strip()

    def commit(self, *words: str, **files: str) -> str:
        """Write files by their paths and commit; return the commit."""
        for name, content in files.items():
            path = self.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a change", *words)
        return self.git("rev-parse", "HEAD")

    def push(self, ref: str = "main", variables: Mapping[str, str] | None = None) -> str:
        """Push, by force; return what was said, by a hook for instance."""
        return self.git("push", "--quiet", "--force", "origin", ref, variables=variables)
