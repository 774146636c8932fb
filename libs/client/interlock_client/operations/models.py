"""Models and versions: listed, promoted by a person, rolled back."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from interlock_contracts.comparison import ComparisonView
from interlock_contracts.deletion import DeletedModelView, DeletedVersionView
from interlock_contracts.http import ModelView, VersionView
from interlock_contracts.ledger import LedgerView
from interlock_contracts.rollout import ApprovalView, PromoteView, PromotionView, RollbackView, RolloutView

from interlock_client.errors import StillGoingError, UnavailableError
from interlock_client.flows import Flow, Pause, Request, get, get_pages, moment, named, parsed, post, read, without_none
from interlock_client.views import Views

POLL_SECONDS = 0.3
"""Polling interval of convergence."""

ROLLOUT_SECONDS = 60.0
"""Timeout of convergence; a killed worker counts that long."""


def models(
    *,
    text: str | None = None,
    serving: bool | None = None,
    owner: str | None = None,
    tags: Mapping[str, str | None] | None = None,
    archived: bool = False,
    after: str | None = None,
    limit: int | None = None,
) -> Flow[Views[ModelView]]:
    """Return models with what serves, by name.

    ``text`` is a part of the name, ``serving`` whether a version serves, ``after`` the last name of the page before; of
    ``tags`` one without a value may have any. With ``archived`` the archived models, in place of the others.
    """
    wanted: dict[str, Any] = {
        "text": text,
        "serving": serving,
        "owner": owner,
        "tag": tags_query(tags),
        "archived": archived or None,
        "after": after,
    }
    return (yield from get_pages(ModelView, "/models", limit=limit, cursor="after", value=attrgetter("name"), **wanted))


def model(name: str) -> Flow[ModelView]:
    """Return a model with what serves, and the signature of its rows."""
    return (yield from get(ModelView, f"/models/{name}"))


def versions(
    name: str,
    *,
    stage: str | Sequence[str] = (),
    since: datetime | None = None,
    at_least: Mapping[str, float] | None = None,
    at_most: Mapping[str, float] | None = None,
    tags: Mapping[str, str | None] | None = None,
    dataset: str | None = None,
    before: int | None = None,
    limit: int | None = None,
) -> Flow[Views[VersionView]]:
    """Return a model's versions with their metrics, the newest first.

    ``stage`` names one stage or several; ``at_least`` and ``at_most`` bound metrics, ``{"r2": 0.8}``; of ``tags`` one
    without a value may have any; ``dataset`` is the digest of a file they were trained on; ``before`` the last version
    of the page before.
    """
    params: dict[str, Any] = {
        "stage": named(stage),
        "since": moment(since),
        "min": _bounds(at_least),
        "max": _bounds(at_most),
        "tag": tags_query(tags),
        "dataset": dataset,
        "before": before,
    }
    path, number = f"/models/{name}/versions", attrgetter("version")
    return (yield from get_pages(VersionView, path, limit=limit, cursor="before", value=number, **params))


def _bounds(bounds: Mapping[str, float] | None) -> str | None:
    return ",".join(f"{name}:{bound!r}" for name, bound in (bounds or {}).items()) or None


def tags_query(tags: Mapping[str, str | None] | None) -> str | None:
    """Return tags as lists are filtered by them; one without a value may have any."""
    return named([name if value is None else f"{name}:{value}" for name, value in (tags or {}).items()])


def describe(
    name: str,
    version: int | None = None,
    *,
    description: str | None = None,
    owner: str | None = None,
    tags: Mapping[str, str | None] | None = None,
) -> Flow[ModelView | VersionView]:
    """Change description, owner and tags of a model, or of a version, which has no owner; return it as it is then.

    What is left out stays as it is; an empty text removes, and so does None as the value of a tag.
    """
    texts = {name: text or None for name, text in without_none({"description": description, "owner": owner}).items()}
    body = {**texts, **({} if tags is None else {"tags": dict(tags)})}
    if version is None:
        return (yield from read(ModelView, Request("PATCH", f"/models/{name}", json=body, repeatable=True)))
    path = f"/models/{name}/versions/{version}"
    return (yield from read(VersionView, Request("PATCH", path, json=body, repeatable=True)))


def archive(name: str, *, archived: bool = True) -> Flow[ModelView]:
    """Archive a model, so that it serves nothing and takes no new training, or bring it back by false."""
    request = Request("PATCH", f"/models/{name}", json={"archived": archived}, repeatable=True)
    return (yield from read(ModelView, request))


def delete_version(name: str, number: int) -> Flow[DeletedVersionView]:
    """Delete a version that does not serve, for good; one that is deleted already stays so."""
    request = Request("DELETE", f"/models/{name}/versions/{number}", repeatable=True)
    return (yield from read(DeletedVersionView, request))


def delete_model(name: str, *, reason: str | None = None) -> Flow[DeletedModelView]:
    """Delete an archived model for good, with all that hangs on it; one that is deleted already stays so."""
    body = without_none({"name": name, "reason": reason})
    return (yield from read(DeletedModelView, Request("DELETE", f"/models/{name}", json=body, repeatable=True)))


def version(name: str, number: int) -> Flow[VersionView]:
    """Return one version with the gate's report and the details of its training."""
    return (yield from get(VersionView, f"/models/{name}/versions/{number}"))


def promotions(name: str, *, before: int | None = None, limit: int | None = None) -> Flow[Views[PromotionView]]:
    """Return what has served since when, and who decided it, the newest first; ``before`` is a promotion's number."""
    path, value = f"/models/{name}/promotions", attrgetter("promotion_seq")
    return (yield from get_pages(PromotionView, path, limit=limit, cursor="before", value=value, before=before))


def compare(name: str, a: int, b: int) -> Flow[ComparisonView]:
    """Return two versions side by side; their metrics say something only where ``comparable`` is true."""
    return (yield from get(ComparisonView, f"/models/{name}/compare", a=a, b=b))


def approve(name: str, number: int) -> Flow[ApprovalView]:
    """Promote a version that has passed the gate and waits for a person."""
    return parsed(ApprovalView, (yield from post(f"/models/{name}/versions/{number}/approve", {})))


def promote(name: str, number: int, *, to: str) -> Flow[PromoteView]:
    """Promote a version from the stage before to the stage ``to``; ``state`` says whether it serves there."""
    return parsed(PromoteView, (yield from post(f"/models/{name}/versions/{number}/promote", {"to": to})))


def rollback(
    name: str, number: int | None = None, *, reason: str | None = None, stage: str | None = None
) -> Flow[RollbackView]:
    """Serve an earlier version again, in production or in ``stage``: the one named, else the one that served before."""
    body = {"version": number, "reason": reason} | ({"stage": stage} if stage is not None else {})
    return parsed(RollbackView, (yield from post(f"/models/{name}/rollback", body)))


def ledger(name: str) -> Flow[LedgerView]:
    """Return what a model's claims to be better may err and have spent, with the newest 100 of them."""
    return (yield from get(LedgerView, f"/models/{name}/ledger"))


def rollout(name: str, *, stage: str | None = None) -> Flow[RolloutView]:
    """Return which workers of production, or of ``stage``, serve the version promoted to it, and why others do not."""
    return (yield from get(RolloutView, f"/models/{name}/rollout", stage=stage))


def converged(
    name: str,
    *,
    version: int | None = None,
    timeout: float = ROLLOUT_SECONDS,
    on_change: Callable[[RolloutView], object] | None = None,
) -> Flow[RolloutView]:
    """Return the roll-out of the promoted version once all workers have it; ``on_change`` is called at every poll.

    With ``version`` it also returns when another version is promoted meanwhile. Outages are waited out.

    Raises:
        StillGoingError: some do not have it after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            view = yield from rollout(name)
        except UnavailableError:
            if time.monotonic() > deadline:
                raise
        else:
            if on_change is not None:
                on_change(view)
            if view.converged or (version is not None and view.version != version):
                return view
            if time.monotonic() > deadline:
                raise StillGoingError(f"{view.serving} of {view.workers} workers after {timeout:g} s", view)
        yield Pause(POLL_SECONDS)
