"""An experiment as its commit has it: one run's files in a folder of its own, behind the commit that was trained."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ValidationError

from interlock_cli.git_repository import GitRepository
from interlock_cli.terminal import CommandError

BRANCH = "experiment"
"""Branches are named ``experiment/<model>/<the beginning of the run's id>``."""

FOLDER = "experiments"
"""The folder at the top of the repository; what is in it is no part of what is trained."""

RECORD, METRICS, PARAMETERS = "run.json", "metrics.json", "params.json"

Verdict = Literal["passed", "refused", "failed"]


class Experiment(BaseModel):
    """A run as `run.json` has it.

    ``commit`` is the one that was trained, and ``tree`` the id of its files without the experiments': where that is the
    same, the same was trained. ``verdict`` is the gate's, or failed for a run that made no version.
    """

    model: str
    run_id: UUID
    version: int | None
    verdict: Verdict
    reasons: list[str]
    commit: str
    tree: str
    pipeline_digest: str
    datasets: list[str]
    ended_at: datetime

    @property
    def branch(self) -> str:
        return f"{BRANCH}/{self.model}/{self.short}"

    @property
    def folder(self) -> str:
        return f"{FOLDER}/{self.model}/{self.short}"

    @property
    def short(self) -> str:
        return str(self.run_id)[:8]


def read_experiment(repository: GitRepository, commit: str) -> Experiment:
    """Return the experiment that a commit records.

    Raises:
        CommandError: it records none: it does not just add one experiment's files to the commit that was trained.
    """
    what = f"{commit[:12]} is no commit of `interlock experiments push`"
    parents = repository.parents(commit)
    if len(parents) != 1:
        raise CommandError(f"{what}: it has {len(parents)} parents")
    changed = repository.changed_files(parents[0], commit)
    records = [path for path in changed if path.startswith(f"{FOLDER}/") and path.endswith(f"/{RECORD}")]
    if len(records) != 1:
        raise CommandError(f"{what}: it adds {len(records) or 'no'} {RECORD} in {FOLDER}/")
    try:
        found = Experiment.model_validate_json(repository.read(commit, records[0]) or "")
    except ValidationError as error:
        raise CommandError(f"{what}: {records[0]} cannot be read: {error}") from error
    if other := [path for path in changed if not path.startswith(f"{found.folder}/")]:
        raise CommandError(f"{what}: it changes {other[0]}, too")
    if found.commit != parents[0] or found.tree != repository.tree(commit, without=FOLDER):
        raise CommandError(f"{what}: its run has trained {found.commit[:12]}, which is not its parent")
    return found


def read_document(repository: GitRepository, commit: str, path: str) -> dict[str, Any]:
    """Return a JSON document of an experiment, metrics for instance; nothing where it cannot be read."""
    try:
        found = json.loads(repository.read(commit, path) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def trained_commit(model: str, commit: str) -> str:
    """Return the commit that an experiment of a model has trained, where ``commit`` has the same files.

    So the merge of an experiment, which only adds its report, is not trained again. Any other text is returned as it
    is; also where this folder is in no repository.
    """
    try:
        repository = GitRepository(Path())
        if (found := repository.commit(commit)) is None:
            return commit
        paths = [path for path in repository.files(found, f"{FOLDER}/{model}") if path.endswith(f"/{RECORD}")]
        tree = repository.tree(found, without=FOLDER) if paths else ""
        records = [repository.read(found, path) or "" for path in paths]
    except CommandError:
        return commit
    trained = [each for each in map(_readable, records) if each is not None and each.tree == tree]
    return max(trained, key=lambda each: each.ended_at).commit if trained else commit


def _readable(text: str) -> Experiment | None:
    try:
        return Experiment.model_validate_json(text)
    except ValidationError:
        return None
