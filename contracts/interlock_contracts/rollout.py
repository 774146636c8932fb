"""Convergence of a promotion: what gateway workers report, and how many serve the newest version."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from interlock_contracts.http import Body
from interlock_contracts.refs import Name
from interlock_contracts.signature import PromotionCause
from interlock_contracts.stages import PRODUCTION, StageName

MOST_WORKERS = 200
"""So many workers one answer lists, those that do not serve the newest version first; all are counted."""


class HeldModel(Body):
    """One model in one worker: the newest promotion it knows, what it holds, and why not the newest."""

    model: Name
    known_seq: int = Field(ge=1)
    version: int | None = None
    promotion_seq: int | None = None
    since: datetime | None = None
    failed_seq: int | None = None
    failure: str | None = None


class WorkerReport(Body):
    """A worker's report, sent whenever it asks what should serve in its ``stage``, about every ``seconds``."""

    seconds: float = Field(gt=0, le=86_400)
    models: list[HeldModel] = Field(default=[], max_length=100_000)
    stage: StageName = PRODUCTION


class WorkerServing(Body):
    """One worker's part in a roll-out.

    ``serving`` the newest version; ``waiting``: it has not reported it yet; ``failed``: it could not load it,
    and serves what it had; ``unloaded``: it knows of it, and loads it with the first request.
    """

    worker: str
    state: Literal["serving", "waiting", "failed", "unloaded"]
    version: int | None = None
    promotion_seq: int | None = None
    since: datetime | None = None
    failure: str | None = None


class PromotionView(Body):
    """One promotion of a model: which version has served from ``promoted_at`` until the next one.

    ``by`` is the name of the key that approved or rolled back, None where the gate decided.
    """

    promotion_seq: int
    version: int
    cause: PromotionCause
    by: str | None = None
    promoted_at: datetime
    trace_id: str | None = None
    stage: StageName = PRODUCTION


class ApprovalView(Body):
    """The answer to an approval: ``promoted``, or else measured again, as another champion serves now."""

    model: str
    version: int
    promoted: bool
    approved_by: str
    stage: StageName = PRODUCTION


class PromoteView(Body):
    """The answer to a promotion: ``promoted``, ``measured`` by the gate first, or it ``waits`` for an approval."""

    model: str
    version: int
    stage: StageName
    state: Literal["promoted", "measured", "waits"]
    promotion_seq: int | None = None


class RollbackView(Body):
    """The answer to a rollback: which version serves again, in which stage, and under which promotion number."""

    model: str
    version: int
    promotion_seq: int
    stage: StageName = PRODUCTION


class RolloutView(Body):
    """How far the newest promotion of a model to ``stage`` has come: ``serving`` of ``workers`` there have it.

    ``converged`` once every worker that lives serves it, or will with its first request for it.
    """

    model: str
    version: int
    promotion_seq: int
    promoted_at: datetime
    serving: int
    workers: int
    converged: bool
    by_worker: list[WorkerServing]
    stage: StageName = PRODUCTION
