"""`interlock changed`: whether a push has changed watched paths, for hooks and CI jobs."""

import shutil
import subprocess
from pathlib import PurePosixPath
from typing import Annotated

import typer

from interlock_cli.terminal import Json, command_terminal

HEADS = "refs/heads/"


def changed(
    old: Annotated[str, typer.Argument(help="The commit before the push; zeros where the branch is new.")],
    new: Annotated[str, typer.Argument(help="The commit after it; zeros where the branch is deleted.")],
    ref: Annotated[str, typer.Argument(help="What was pushed, for instance refs/heads/main.")],
    *,
    path: Annotated[list[str], typer.Option(help="A watched file or folder; may be given several times.")],
    default: Annotated[
        str | None, typer.Option(help="The branch that a new one is compared with; default: the repository's HEAD.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say whether a push has changed watched paths. Exit code 0 if so, 1 if not, 2 where it cannot be said.

    The contents before and after are compared, not lists of files: a forced push that leaves them as they were changes
    nothing, and a merge or several commits count as a whole. A new branch is compared with where it left the default
    branch. Tags and deleted branches change nothing. Run it in the repository; a post-receive hook is given the three
    arguments.

    Example: interlock changed "$old" "$new" "$ref" --path pipeline.yaml --path data
    """
    with command_terminal(as_json=as_json) as terminal:
        moved = _changed_paths(old, new, ref, path, default)
        terminal.echo(f"{ref}: {', '.join(moved)} changed" if moved else f"{ref}: nothing of {', '.join(path)} changed")
        terminal.result({"changed": bool(moved), "paths": moved})
        if not moved:
            raise typer.Exit(1)


def _changed_paths(old: str, new: str, ref: str, paths: list[str], default: str | None) -> list[str]:
    """Return the watched paths whose content is another.

    Raises:
        BadParameter: there is no such commit, or this is no repository.
    """
    if not ref.startswith(HEADS) or _is_nothing(new):
        return []
    after = _commit(new)
    before = _base(after, ref, default) if _is_nothing(old) else _commit(old)
    return [path for path in paths if _content(before, path) != _content(after, path)]


def _is_nothing(commit: str) -> bool:
    return set(commit) == {"0"}


def _base(new: str, ref: str, default: str | None) -> str | None:
    """Return where a new branch has left the default branch; None for that branch itself, or without a common past."""
    main = HEADS + default.removeprefix(HEADS) if default else _git("symbolic-ref", "--quiet", "HEAD")
    return None if main is None or ref == main else _git("merge-base", new, main)


def _commit(name: str) -> str:
    if name.startswith("-") or (found := _git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")) is None:
        raise typer.BadParameter(f"{name!r} is no commit of the repository here; a shallow clone may lack it")
    return found


def _content(commit: str | None, path: str) -> str | None:
    """Return git's hash of a file or folder in a commit; None where it is not there."""
    inside = "" if path == "." else PurePosixPath(path.lstrip("/"))
    return commit and _git("rev-parse", "--verify", "--quiet", f"{commit}:{inside}")


def _git(*words: str) -> str | None:
    """Return what a git command prints, None where it fails."""
    if (git := shutil.which("git")) is None:
        raise typer.BadParameter("git is not installed")
    done = subprocess.run([git, *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
