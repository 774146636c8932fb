"""`interlock branches check` and `install-hook`."""

import re
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from interlock_client import Client

from interlock_cli.branches.order import ORDER, BranchOrder, is_absent
from interlock_cli.experiments.documents import STAGES
from interlock_cli.experiments.record import BRANCH, Experiment
from interlock_cli.gateway import connect
from interlock_cli.git_repository import HEADS, GitRepository
from interlock_cli.terminal import CommandError, Json, command_terminal

branches = typer.Typer(help="Keep the order of branches: experiment, dev, staging, production.", no_args_is_help=True)

DEFAULT = ",".join(ORDER)

_NAME = re.compile(r"\w[\w./-]*")

MARK = "# Written by `interlock branches install-hook`; it may be written again."

Order = Annotated[str, typer.Option(metavar="NAME,NAME,...", help="The branches after experiments, in their order.")]
Verify = Annotated[
    bool, typer.Option("--verify", help="Ask the registry, too, whether an experiment's version passed.")
]


@branches.command()
def check(
    old: Annotated[str, typer.Argument(help="The commit before the push; zeros where the branch is new.")],
    new: Annotated[str, typer.Argument(help="The commit after it; zeros where the branch is deleted.")],
    ref: Annotated[str, typer.Argument(help="What is pushed, for instance refs/heads/dev.")],
    *,
    order: Order = DEFAULT,
    verify: Verify = False,
    repository: Annotated[Path, typer.Option("--repository", "-C", help="The repository that is pushed to.")] = Path(),
    remote: Annotated[str | None, typer.Option(help="In a clone: the remote whose branches count.")] = None,
    as_json: Json = False,
) -> None:
    """Check that a push keeps the order of branches. Exit code 1 if it does not, with the reason.

    The first branch takes merges of experiments that passed the gate; each further one what the branch before it has
    had as its head. None of them goes back or is deleted, and an experiment is never changed. Other branches and tags
    are free.

    Example: interlock branches check "$old" "$new" refs/heads/dev --verify
    """
    names = _names(order)
    with command_terminal(as_json=as_json) as terminal:
        code = GitRepository(repository)
        for commit in (old, new):
            if not is_absent(commit) and code.commit(commit) is None:
                raise CommandError(f"this repository has no commit {commit}", hint="a shallow clone may lack it")
        checked = BranchOrder(code, names, remote)
        checked.check(ref, old, new)
        if verify and checked.entered:
            with connect() as gateway:
                for each in checked.entered:
                    _verify(gateway, each)
        entered = [each.branch for each in checked.entered]
        terminal.echo(f"{ref} keeps the order" + (f": it takes {', '.join(entered)}" if entered else ""))
        terminal.result({"ref": ref, "entered": entered})


def _verify(gateway: Client, recorded: Experiment) -> None:
    """Compare an experiment with the registry: whoever may push can write what he likes into a commit.

    Raises:
        CommandError: its version has not passed, or is another run's.
    """
    run = gateway.run(recorded.run_id)
    version = gateway.version(recorded.model, recorded.version) if recorded.version else None
    passed = version is not None and STAGES.get(version.stage) == "passed" and version.run_id == recorded.run_id
    if not passed or run.pipeline_digest != recorded.pipeline_digest:
        stage = f"is {version.stage}, of run {version.run_id}" if version else "is not there"
        raise CommandError(f"{recorded.branch} is not what the registry has: its version {recorded.version} {stage}")


@branches.command()
def install_hook(
    repository: Annotated[Path, typer.Argument(help="A bare repository of ours.", exists=True, file_okay=False)],
    *,
    order: Order = DEFAULT,
    verify: Verify = False,
    as_json: Json = False,
) -> None:
    """Write the hook `update` of a bare repository, which refuses pushes that break the order of branches.

    A hook of somebody else is never written over.

    Example: interlock branches install-hook /srv/git/models.git --verify
    """
    names = _names(order)
    with command_terminal(as_json=as_json) as terminal:
        folder = GitRepository(repository).hooks()
        if folder is None:
            raise CommandError(f"{repository} is not a bare repository", hint="pushes go to bare ones")
        hook = folder / "update"
        if hook.exists() and MARK not in hook.read_text(encoding="utf-8"):
            hint = 'add to it: interlock branches check "$2" "$3" "$1"'
            raise CommandError(f"{hook} is a hook of somebody else", hint=hint)
        words = [sys.executable, "-m", "interlock_cli", "branches", "check", "--order", ",".join(names)]
        command = shlex.join([*words, *(["--verify"] if verify else [])])
        watched = "|".join([f"{HEADS}{BRANCH}/*", *(f"{HEADS}{name}" for name in names)])
        free = f'case "$1" in {watched}) ;; *) exit 0 ;; esac'
        folder.mkdir(exist_ok=True)
        hook.write_text(f'#!/bin/sh\n{MARK}\n{free}\nexec {command} "$2" "$3" "$1"\n', encoding="utf-8")
        hook.chmod(0o755)
        terminal.echo(f"{hook} keeps the order {', '.join(('experiment', *names))}", style="green")
        terminal.result({"hook": str(hook), "order": names, "verify": verify})


def _names(order: str) -> list[str]:
    names = order.split(",")
    if len(set(names)) != len(names) or not all(map(_NAME.fullmatch, names)):
        raise typer.BadParameter(f"{order!r} is no list of branches; for instance {DEFAULT}", param_hint="--order")
    return names
