"""Runs that a gateway knows, and their experiments in a repository."""

from datetime import timedelta
from uuid import UUID

from interlock_contracts.http import PipelineView
from interlock_contracts.manifest import TrainingManifest
from interlock_contracts.report import GateReport

from tests.support.git_repository import Repository
from tests.unit.cli.conftest import Ended, interlock
from tests.unit.cli.stub_gateway import StubGateway
from tests.unit.cli.views import ARTIFACT, NOW, SPEC, plain, run, version


def run_number(number: int) -> UUID:
    return UUID(f"{number:08x}-9f39-5b0c-a3c1-6e6f0a4b8f11")


def branch(number: int) -> str:
    return f"experiment/m/{number:08x}"


def known(stub: StubGateway, number: int, commit: str | None, stage: str = "passed", r2: float = 0.9) -> None:
    """Let the gateway know a run that was requested for a commit and has made the version of its number, or none."""
    ended, run_id = NOW + timedelta(days=number), run_number(number)
    tags = {"commit": commit} if commit else {}
    made = number if stage != "failed" else None
    state = {"failed": "failed", "refused": "refused"}.get(stage, "succeeded")
    view = run(state, run_id=run_id, version=made, tags=tags, ended_at=ended, created_at=ended)  # type: ignore[arg-type]
    for route in (f"/runs/{run_id}", f"/models/m/versions/{number}", "/pipelines/m"):
        stub.responses.pop(f"GET {route}", None)
    stub.respond(f"GET /runs/{run_id}", view)
    details = TrainingManifest(status="succeeded", artifact=ARTIFACT, winner="forest", params={"trees": 10 * number})
    report = GateReport(passed=stage == "passed", rows=90, metric="r2", metrics={"r2": r2})
    more = {"run_id": run_id, "metrics": {"r2": r2}, "report": plain(report), "details": plain(details)}
    if made:
        stub.respond(f"GET /models/m/versions/{made}", version(stage, made, **more))
    spec = PipelineView(name="m", digest=SPEC.digest, revision=1, applied_at=NOW, changed=False, spec=SPEC)
    stub.respond("GET /pipelines/m", plain(spec))


def recorded(stub: StubGateway, repository: Repository, number: int, stage: str = "passed", r2: float = 0.9) -> Ended:
    """Push the experiment of the commit that the clone is at."""
    known(stub, number, repository.git("rev-parse", "HEAD"), stage, r2)
    return interlock(
        "experiments", "push", run_number(number), "--repository", repository.clone, "--remote", "origin", "--json"
    )
