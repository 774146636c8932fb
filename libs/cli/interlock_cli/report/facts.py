"""Data of a report: a run and its version, read from the public REST API."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import typer
from interlock_client import Client
from interlock_contracts.http import DatasetView, RunView, VersionView
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.report import GateReport
from pydantic import ValidationError

from interlock_cli import completion
from interlock_cli.datasets import newest_of
from interlock_cli.gateway import environment
from interlock_cli.short_ids import run_id, run_of_commit
from interlock_cli.terminal import CommandError

EndedRun = Annotated[
    str,
    typer.Argument(
        help="An ended run, a version, or with --commit a model.",
        metavar="RUN|NAME[/VERSION]",
        autocompletion=completion.versions,
    ),
]
OfCommit = Annotated[str | None, typer.Option(help="The run that `retrain --commit` has requested for this commit.")]
"""How both are given on the command line; read by :func:`asked_for`."""


@dataclass(frozen=True)
class Facts:
    """A run and its version; ``version`` is None where it produced none, ``run`` where it is no longer stored.

    ``data`` is the newest file that it was trained on, and ``address`` the run's page in the console, where these are
    known.
    """

    model: str
    run: RunView | None
    version: VersionView | None
    manifest: TrainingManifest
    gate: GateReport
    data: DatasetView | None
    address: str | None

    @property
    def name(self) -> str:
        """Return the report's name, also of its files: ``flights-1-v2``, or the run's id where no version is."""
        if self.version is None:
            return f"{self.model}-{self.run.run_id if self.run else 'run'}"
        return f"{self.model}-v{self.version.version}"


def asked_for(gateway: Client, what: str, commit: str | None) -> Facts:
    """Return the data of a run, a version as NAME/VERSION, or with a commit of the model's run for it.

    Raises:
        BadParameter: ``what`` is none of these.
        CommandError: there is no such run, or it has not ended.
    """
    if commit is not None:
        return of_run(gateway, run_of_commit(gateway, what, commit).run_id)
    name, slash, number = what.partition("/")
    if slash and number.isdigit():
        return of_version(gateway, name, int(number))
    if slash:
        raise typer.BadParameter(f"{what!r} is no version of a model; write NAME/VERSION, for instance flights-1/2")
    return of_run(gateway, run_id(what))


def of_run(gateway: Client, run_id: UUID) -> Facts:
    """Return the data of a run.

    Raises:
        CommandError: there is no such run, or it has not ended.
    """
    run = gateway.run(run_id)
    if run.into is not None:
        return of_run(gateway, run.into)
    if run.ended_at is None:
        raise CommandError(f"run {run_id} is still {run.state}", hint=f"interlock watch {run_id}")
    version = None
    if run.version is not None:
        version = gateway.version(run.model, run.version)
    return _facts(gateway, run.model, run, version)


def of_version(gateway: Client, model: str, number: int) -> Facts:
    """Return the data of a version, also when its run is no longer stored."""
    version = gateway.version(model, number)
    return _facts(gateway, model, gateway.find(RunView, f"/runs/{version.run_id}"), version)


def _facts(gateway: Client, model: str, run: RunView | None, version: VersionView | None) -> Facts:
    details = (version.details if version else None) or {"status": "failed"}
    try:
        manifest = TrainingManifest.model_validate(details)
        gate = GateReport.model_validate((version.report if version else None) or {})
    except ValidationError as error:
        raise CommandError(f"the stored report of {model} cannot be read: {error}") from error
    console = environment().get("INTERLOCK_CONSOLE_URL", "").rstrip("/")
    run_id = run.run_id if run else version.run_id if version else None
    data = newest_of(gateway, model, version.datasets if version else run.datasets if run else [])
    return Facts(model, run, version, manifest, gate, data, f"{console}/runs/{run_id}" if console and run_id else None)
