from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from interlock_artifacts import MemoryStore
from interlock_contracts.data import Data
from interlock_contracts.refs import ArtifactRef, ModelRef
from interlock_contracts.scoring import ScoringJob
from interlock_jobs.launcher import RayLauncher
from interlock_prediction.batch import scorers
from interlock_prediction.batch.scorers import ProcessScorer, RayScorer, ScorerDiedError

from tests.support.issuer import Issuer

ID = UUID(int=7)
REF = ArtifactRef(sha256="ab" * 32, bytes=10)
UPLOAD = ArtifactRef(sha256="cd" * 32, bytes=10, holdout=True)
SCORING = ScoringJob(
    prediction_id=ID,
    model=ModelRef(model="m", version=1, artifact=REF, manifest=REF),
    input=UPLOAD,
    data=Data.model_validate({"columns": {"x": {"type": "number"}, "y": {"type": "number"}}}),
)
JOB = MemoryStore().put(SCORING.model_dump_json().encode())
REPORT = f"predictions/{ID}/report.json"


class Cluster:
    """The Jobs API of a head: each job ends at the second look, and does then what the test says."""

    def __init__(self, ends: Callable[[str], None], issuer: Issuer | None = None) -> None:
        self.submitted: dict[str, str] = {}
        self.stopped: list[str] = []
        self._ends = ends
        self._looks: dict[str, int] = {}
        self.launcher = RayLauncher("http://ray", None, "python3", issuer)  # type: ignore[arg-type]
        self.launcher._http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer), base_url="http://ray")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.removeprefix("/api/jobs/").removesuffix("/stop")
        if request.method == "POST" and not name:
            body = httpx.Response(200, content=request.content).json()
            self.submitted[body["submission_id"]] = body["entrypoint"]
            return httpx.Response(200, json={})
        if request.method == "POST":
            self.stopped.append(name)
            return httpx.Response(200, json={"stopped": True})
        if name not in self.submitted:
            return httpx.Response(404)
        self._looks[name] = self._looks.get(name, 0) + 1
        if self._looks[name] == 1:
            return httpx.Response(200, json={"status": "RUNNING"})
        self._ends(name)
        return httpx.Response(200, json={"status": "FAILED", "message": "the node is gone"})


def store_with_job() -> MemoryStore:
    store = MemoryStore()
    store.put(SCORING.model_dump_json().encode())
    return store


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorers, "POLL_SECONDS", 0.001)


async def test_a_job_that_ends_without_a_report_is_submitted_anew() -> None:
    """The report is the answer, Ray's word is not; another attempt has another name."""
    store = store_with_job()

    def second_succeeds(name: str) -> None:
        if name.endswith("-b2"):
            store.put_once(REPORT, b"{}")

    cluster = Cluster(second_succeeds)
    await RayScorer(store, cluster.launcher).run(ID, JOB)

    assert list(cluster.submitted) == [f"{ID}-b1", f"{ID}-b2"]
    assert cluster.submitted[f"{ID}-b1"] == f"python3 -m interlock_scoring --job {JOB.sha256}:{JOB.bytes}"


async def test_each_attempt_gets_credentials_for_its_prefix_and_the_upload_that_it_answers() -> None:
    """Nothing else of the store, and not for ever."""
    store, issuer = store_with_job(), Issuer()
    cluster = Cluster(lambda _: store.put_latest(REPORT, b"{}"), issuer)
    await RayScorer(store, cluster.launcher).run(ID, JOB)

    (asked,) = issuer.requests
    assert (asked.name, asked.prefix, asked.reads) == (f"{ID}-b1", f"predictions/{ID}", [UPLOAD.key])
    assert timedelta(hours=11) < asked.until - datetime.now(UTC) <= timedelta(hours=12)


async def test_whoever_comes_later_finds_the_job_that_runs() -> None:
    """A replica that takes over submits nothing that is there already."""
    store = MemoryStore()
    cluster = Cluster(lambda _: store.put_latest(REPORT, b"{}"))
    cluster.submitted[f"{ID}-b1"] = "by another replica"
    await RayScorer(store, cluster.launcher).run(ID, JOB)

    assert cluster.submitted == {f"{ID}-b1": "by another replica"}


async def test_three_attempts_without_a_report_are_enough() -> None:
    """Then the last word of Ray's is told."""
    cluster = Cluster(lambda _: None)
    with pytest.raises(ScorerDiedError, match=r"3 times.*the node is gone"):
        await RayScorer(store_with_job(), cluster.launcher).run(ID, JOB)

    assert len(cluster.submitted) == 3


async def test_stopping_reaches_every_attempt() -> None:
    """Whichever runs."""
    cluster = Cluster(lambda _: None)
    await RayScorer(MemoryStore(), cluster.launcher).stop(ID)

    assert cluster.stopped == [f"{ID}-b1", f"{ID}-b2", f"{ID}-b3"]


async def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    """It gets the object store's settings and nothing of ours; without them it cannot begin, and says so."""
    with pytest.raises(ScorerDiedError, match=r"(?s)status 1: .*KeyError: .INTERLOCK_S3_ENDPOINT"):
        await ProcessScorer(tmp_path, {}).run(ID, JOB)
