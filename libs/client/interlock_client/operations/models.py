"""Models and versions: listed, promoted by a person, rolled back."""

from interlock_contracts.http import ModelView, VersionView
from interlock_contracts.rollout import ApprovalView, RollbackView, RolloutView

from interlock_client.flows import Flow, get, get_list, post
from interlock_client.views import Views


def models() -> Flow[Views[ModelView]]:
    """Return all models with what serves."""
    return (yield from get_list(ModelView, "/models"))


def model(name: str) -> Flow[ModelView]:
    """Return a model with what serves, and the signature of its rows."""
    return (yield from get(ModelView, f"/models/{name}"))


def versions(name: str) -> Flow[Views[VersionView]]:
    """Return a model's versions with their metrics."""
    return (yield from get_list(VersionView, f"/models/{name}/versions"))


def version(name: str, number: int) -> Flow[VersionView]:
    """Return one version with the gate's report and the details of its training."""
    return (yield from get(VersionView, f"/models/{name}/versions/{number}"))


def approve(name: str, number: int) -> Flow[ApprovalView]:
    """Promote a version that has passed the gate and waits for a person."""
    return ApprovalView.model_validate((yield from post(f"/models/{name}/versions/{number}/approve", {})))


def rollback(name: str, number: int | None = None, *, reason: str | None = None) -> Flow[RollbackView]:
    """Serve an earlier version again: the one named, else the one that served before."""
    body = {"version": number, "reason": reason}
    return RollbackView.model_validate((yield from post(f"/models/{name}/rollback", body)))


def rollout(name: str) -> Flow[RolloutView]:
    """Return which of the gateway's workers serve the promoted version, and why others do not."""
    return (yield from get(RolloutView, f"/models/{name}/rollout"))
