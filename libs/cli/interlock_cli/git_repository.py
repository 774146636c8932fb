"""A git repository by the program `git`: tags, branches and commits, never a working tree or the user's index."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from interlock_cli.terminal import CommandError

TAGGER = {"NAME": "Interlock", "EMAIL": "interlock@localhost"}
"""Who tags and commits. Always the same, so that the same fact makes the same object wherever it is written."""

HEADS = "refs/heads/"
FETCHED = "refs/interlock/"
"""Where a remote's branches are fetched to: no branches of the user's, who need not know of them."""

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

    def hooks(self) -> Path | None:
        """Return the folder of a bare repository's hooks; None where it is not bare."""
        if self._git("rev-parse", "--is-bare-repository").strip() != "true":
            return None
        return Path(self._path, self._git("rev-parse", "--git-path", "hooks").strip())

    def commit_files(self, parent: str, files: Mapping[str, str], message: str, moment: datetime) -> str:
        """Return a commit behind ``parent`` that adds ``files``, texts by their paths; it is on no branch."""
        lines = [
            f"100644 {self._git('hash-object', '-w', '--stdin', given=text).strip()}\t{path}\n"
            for path, text in sorted(files.items())
        ]
        with TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self._git("read-tree", parent, more=index)
            self._git("update-index", "--add", "--index-info", given="".join(lines), more=index)
            tree = self._git("write-tree", more=index).strip()
        return self._git("commit-tree", tree, "-p", parent, "-m", message, moment=moment).strip()

    def read(self, commit: str, path: str) -> str | None:
        """Return a file of a commit as text; None where it is not there."""
        found = self._run("cat-file", "blob", f"{commit}:{path}")
        return found.stdout if found.returncode == 0 else None

    def files(self, commit: str, folder: str) -> list[str]:
        """Return the paths of all files in a folder of a commit."""
        return self._git("ls-tree", "-r", "-z", "--name-only", commit, "--", f"{folder}/").split("\0")[:-1]

    def tree(self, commit: str, *, without: str | None = None) -> str:
        """Return the id of a commit's files; ``without`` names one at the top that does not count."""
        if without is None:
            return self._git("rev-parse", "--verify", f"{commit}^{{tree}}").strip()
        entries = self._git("ls-tree", "-z", commit).split("\0")
        kept = [entry for entry in entries if entry.partition("\t")[2] != without]
        return self._git("mktree", "-z", given="\0".join(kept)).strip()

    def changed_files(self, old: str, new: str) -> list[str]:
        """Return the paths of the files that differ between two commits."""
        return self._git("diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new).split("\0")[:-1]

    def parents(self, commit: str) -> list[str]:
        return self._git("rev-list", "--parents", "--max-count=1", commit).split()[1:]

    def line(self, new: str, *, behind: str | None = None) -> list[str]:
        """Return ``new`` and its first parents, the newest first; with ``behind`` none that it has already."""
        return self._git("rev-list", "--first-parent", new, *([f"^{behind}"] if behind else [])).split()

    def is_ancestor(self, old: str, new: str) -> bool:
        return self._run("merge-base", "--is-ancestor", old, new).returncode == 0

    def merged_tree(self, one: str, other: str) -> str | None:
        """Return the id of the files that a merge of two commits has; None where they conflict. Needs git 2.38."""
        done = self._run("merge-tree", "--write-tree", one, other)
        if done.returncode not in (0, 1):
            raise CommandError(f"git merge-tree failed in {self._path}: {done.stderr.strip()[-500:]}")
        return done.stdout.split("\n", 1)[0] if done.returncode == 0 else None

    def branches(self, name: str, *, fetched: bool = False) -> dict[str, str]:
        """Return the commits of a branch, or of all below ``name/``, by name; ``fetched``: those of a remote."""
        room = FETCHED if fetched else HEADS
        lines = self._git("for-each-ref", "--format=%(refname)\t%(objectname)", f"{room}{name}").splitlines()
        return {name.removeprefix(room): commit for name, commit in (line.split("\t") for line in lines)}

    def add_branch(self, name: str, commit: str) -> None:
        """Write a branch that is not there."""
        self._git("update-ref", f"{HEADS}{name}", commit, "")

    def delete_branches(self, branches: Mapping[str, str], *, remote: str | None = None) -> None:
        """Delete branches that are still at the commits given, here or at a remote: all of them or none."""
        if remote is None:
            commands = [f"delete {HEADS}{name} {commit}\n" for name, commit in branches.items()]
            self._git("update-ref", "--stdin", given="".join(commands))
        elif branches:
            leases = [f"--force-with-lease={HEADS}{name}:{commit}" for name, commit in branches.items()]
            self._git("push", "--quiet", "--atomic", *leases, remote, *(f":{HEADS}{name}" for name in branches))

    def fetch_branches(self, remote: str, pattern: str) -> None:
        """Fetch a remote's branches for ``branches(fetched=True)``; the user's own refs stay as they are."""
        refs = f"+{HEADS}{pattern}:{FETCHED}{pattern}"
        self._git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--prune", remote, refs)

    def remote_branch(self, remote: str, name: str) -> str | None:
        """Return the commit of a remote's branch, None where it has none of this name."""
        return self._git("ls-remote", "--quiet", remote, f"{HEADS}{name}").partition("\t")[0] or None

    def push_branch(self, remote: str, name: str, commit: str) -> None:
        """Push a commit as a branch that the remote lacks; one that is there is never moved."""
        lease = f"--force-with-lease={HEADS}{name}:"
        self._git("push", "--quiet", lease, remote, f"{commit}:{HEADS}{name}")

    def _git(
        self,
        *words: str,
        moment: datetime | None = None,
        given: str | None = None,
        more: Mapping[str, str] | None = None,
    ) -> str:
        done = self._run(*words, moment=moment, given=given, more=more)
        if done.returncode:
            verb = next(word for word in words if not word.startswith("-") and "=" not in word)
            raise CommandError(f"git {verb} failed in {self._path}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def _run(
        self,
        *words: str,
        moment: datetime | None = None,
        given: str | None = None,
        more: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        who = {f"GIT_{role}_{name}": value for role in ("AUTHOR", "COMMITTER") for name, value in TAGGER.items()}
        when = f"{int(moment.timestamp())} +0000" if moment else ""
        dated = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when} if moment else {}
        # A hook's environment names its own repository, which this need not be.
        own = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
        environment = {**own, **who, **dated, **(more or {}), "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
        command = ["git", "-C", str(self._path), *words]
        try:
            return subprocess.run(
                command, env=environment, input=given or "", capture_output=True, encoding="utf-8", check=False
            )
        except FileNotFoundError as error:
            raise CommandError("there is no git on PATH", hint="install git") from error
