"""`interlock git-tags`: versions and promotions as annotated tags of a git repository, in the form of GTO."""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from interlock_client import Client
from interlock_contracts.http import VersionView
from interlock_contracts.rollout import PromotionView

from interlock_cli.gateway import connect
from interlock_cli.git_repository import GitRepository
from interlock_cli.models import Name
from interlock_cli.terminal import Json, command_terminal

STAGE = "production"
MIRRORED = ("passed", "champion", "retired")
"""The stages of the versions that have a tag: those that the gate let through."""


def git_tags(
    name: Name,
    *,
    repository: Annotated[
        Path, typer.Option("--repository", "-C", help="The repository with the code that was trained.")
    ] = Path(),
    remote: Annotated[
        str | None, typer.Option(help="Fetch this remote's tags first, and push what is missing there.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what is missing, write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Mirror a model's versions and promotions into annotated tags of a git repository, as GTO reads them.

    Version 3 is the tag `NAME@v3.0.0` at the commit that its run names, the fifth promotion the tag
    `NAME#production#5` at the commit of the version that was promoted. What is there stays as it is: run it as often
    as you like. A version whose run names no commit of this repository has no tag.

    Example: interlock git-tags stars --repository . --remote origin
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        found = GitRepository(repository)
        if remote is not None:
            found.fetch_tags(remote, _patterns(name))
        mirror = Mirror(name, found, write=not dry_run)
        versions = [each for each in gateway.versions(name) if each.stage in MIRRORED]
        mirror.add_versions(versions, partial(_commit_of, gateway, name))
        mirror.add_promotions(gateway.promotions(name, limit=sys.maxsize))
        if remote is not None and mirror.names and not dry_run:
            found.push_tags(remote, mirror.names)
        done = "would be written" if dry_run else f"written and pushed to {remote}" if remote else "written"
        for tag in mirror.written:
            terminal.echo(f"{tag} {done}", style="green")
        for number, why in mirror.left_out.items():
            terminal.echo(f"version {number} has no tag: {why}", style="yellow")
        if not mirror.written:
            terminal.echo(f"nothing is missing: {len(mirror.names)} tags of {name} are there")
        terminal.result({"model": name, "written": mirror.written, "tags": mirror.names, "left_out": mirror.left_out})


def version_tag(model: str, number: int) -> str:
    """Return a version's tag: our numbers are GTO's major versions."""
    return f"{model}@v{number}.0.0"


def _commit_of(gateway: Client, model: str, number: int) -> str | None:
    """Return the commit that was named with the request of a version's run."""
    commit = (gateway.version(model, number).details or {}).get("commit")
    return commit if isinstance(commit, str) else None


@dataclass
class Mirror:
    """What a repository has of one model's versions and promotions; ``written`` is what was missing."""

    model: str
    repository: GitRepository
    write: bool = True
    written: list[str] = field(default_factory=list)
    left_out: dict[int, str] = field(default_factory=dict)
    _tags: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._tags = self.repository.tags(*_patterns(self.model))

    @property
    def names(self) -> list[str]:
        """Return the names of all tags of the model."""
        return sorted(self._tags)

    def add_versions(self, versions: Iterable[VersionView], commit_of: Callable[[int], str | None]) -> None:
        """Write the tags of versions that are missing, each at a commit of its own.

        GTO reads no repository in which two versions of an artifact are at one commit. So the first version of a
        commit is there, and each further one at an empty commit behind it.
        """
        for version in sorted(versions, key=lambda each: each.version):
            tag = version_tag(self.model, version.version)
            if tag in self._tags:
                continue
            given = commit_of(version.version)
            commit = self.repository.commit(given) if given else None
            if commit is None:
                known = f"this repository has no commit {given}" if given else "its run names no commit"
                self.left_out[version.version] = known
                continue
            subject = f"Registering artifact {self.model} version v{version.version}.0.0"
            about = {"Interlock-Run": str(version.run_id), "Interlock-Pipeline": version.pipeline_digest}
            taken = {at for name, at in self._tags.items() if name.startswith(f"{self.model}@")}
            if commit in taken:
                why = f"{self.model} v{version.version}.0.0: trained again at {commit[:12]}"
                commit = self.repository.empty_commit(commit, why, version.registered_at)
            self._add(tag, commit, _message(subject, about), version)

    def add_promotions(self, promotions: Iterable[PromotionView]) -> None:
        """Write the tags of promotions that are missing, of versions that have a tag."""
        for promotion in sorted(promotions, key=lambda each: each.promotion_seq):
            tag = f"{self.model}#{STAGE}#{promotion.promotion_seq}"
            commit = self._tags.get(version_tag(self.model, promotion.version))
            if tag in self._tags or commit is None:
                continue
            subject = f"Assigning stage {STAGE} to artifact {self.model} version v{promotion.version}.0.0"
            about = {"Interlock-Cause": promotion.cause, "Interlock-By": promotion.by}
            self._add(tag, commit, _message(subject, about), promotion)

    def _add(self, tag: str, commit: str, message: str, fact: VersionView | PromotionView) -> None:
        if self.write:
            moment = fact.registered_at if isinstance(fact, VersionView) else fact.promoted_at
            self.repository.tag(tag, commit, message, moment)
        self._tags[tag] = commit
        self.written.append(tag)


def _patterns(model: str) -> tuple[str, str]:
    return f"{model}@*", f"{model}#*"


def _message(subject: str, about: Mapping[str, str | None]) -> str:
    """Return a tag's message: GTO's own subject, then what else is known, as trailers."""
    trailers = [f"{name}: {' '.join(value.split())}" for name, value in about.items() if value]
    return "\n\n".join([subject, "\n".join(trailers)]) if trailers else subject
