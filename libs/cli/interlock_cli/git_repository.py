"""A git repository, as far as annotated tags need it, by the program `git`."""

import os
import re
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from interlock_cli.terminal import CommandError

TAGGER = {"NAME": "Interlock", "EMAIL": "interlock@localhost"}
"""Who tags. Always the same, so that the same fact makes the same object wherever it is written."""

_OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


class GitRepository:
    """The repository at ``path``, bare or with a working tree; every method raises CommandError where git does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._git("rev-parse", "--git-dir")

    def tags(self, *patterns: str) -> dict[str, str]:
        """Return the commits that tags point at, by the tags' names; a pattern is a name with ``*``."""
        names = [f"refs/tags/{pattern}" for pattern in patterns]
        lines = self._git("for-each-ref", "--format=%(refname:strip=2)\t%(*objectname)\t%(objectname)", *names)
        parts = (line.split("\t") for line in lines.splitlines())
        return {name: peeled or own for name, peeled, own in parts}

    def commit(self, text: str) -> str | None:
        """Return the whole id of a commit; None where ``text`` is no id of one that is here.

        Names of branches are none: they move.
        """
        if not _COMMIT.fullmatch(text):
            return None
        found = self._run("rev-parse", "--verify", "--quiet", f"{text}^{{commit}}")
        return found.stdout.strip() if found.returncode == 0 else None

    def empty_commit(self, parent: str, message: str, moment: datetime) -> str:
        """Return a commit behind ``parent`` that changes nothing and is on no branch."""
        return self._git("commit-tree", f"{parent}^{{tree}}", "-p", parent, "-m", message, moment=moment).strip()

    def tag(self, name: str, commit: str, message: str, moment: datetime) -> None:
        """Write an annotated tag; one that is there is never moved."""
        self._git("-c", "tag.gpgSign=false", "tag", "-a", "-m", message, name, commit, moment=moment)

    def fetch_tags(self, remote: str, patterns: Sequence[str]) -> None:
        """Fetch tags that are only at a remote; none here is changed."""
        self._git("fetch", "--quiet", "--no-tags", remote, *(f"refs/tags/{each}:refs/tags/{each}" for each in patterns))

    def push_tags(self, remote: str, names: Sequence[str]) -> None:
        """Push tags, all of them or none; those that the remote has already stay as they are."""
        self._git("push", "--quiet", "--atomic", remote, *(f"refs/tags/{each}" for each in names))

    def _git(self, *words: str, moment: datetime | None = None) -> str:
        done = self._run(*words, moment=moment)
        if done.returncode:
            verb = next(word for word in words if not word.startswith("-") and "=" not in word)
            raise CommandError(f"git {verb} failed in {self._path}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def _run(self, *words: str, moment: datetime | None = None) -> subprocess.CompletedProcess[str]:
        who = {f"GIT_{role}_{name}": value for role in ("AUTHOR", "COMMITTER") for name, value in TAGGER.items()}
        when = f"{int(moment.timestamp())} +0000" if moment else ""
        dated = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when} if moment else {}
        # A hook's environment names its own repository, which this need not be.
        own = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
        environment = {**own, **who, **dated, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
        command = ["git", "-C", str(self._path), *words]
        try:
            return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise CommandError("there is no git on PATH", hint="install git") from error
