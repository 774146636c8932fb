"""Pure decision functions: what follows from a verdict, an approval or a rollback, and a worker's convergence."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Literal, Protocol, TypeVar

from interlock_contracts.retention import Keep
from interlock_contracts.stages import PRODUCTION


class Step(Enum):
    """What the registry does next with a version."""

    PROMOTE = "promote"
    WAIT_FOR_APPROVAL = "wait"
    REQUEST_AGAIN = "request again"
    NOTHING = "nothing"


def after_passing(
    stage: str,
    *,
    measured_against: int | None,
    champion: int | None,
    promotion: str,
    approved: bool = False,
    archived: bool = False,
) -> Step:
    """Return what follows when the gate has let a version through.

    Promotion is compare-and-set: a verdict against another champion than the one that serves now proves nothing.
    A version of an archived model waits for a person, who brings it back first.
    """
    if stage not in ("registered", "passed"):
        return Step.NOTHING
    if measured_against != champion:
        return Step.REQUEST_AGAIN
    if archived or (promotion == "approval" and not approved):
        return Step.WAIT_FOR_APPROVAL
    return Step.PROMOTE


def state_of_promoted(serves_in: Collection[str]) -> str:
    """Return the state of a version that has been promoted, from the stages in which it serves now."""
    if PRODUCTION in serves_in:
        return "champion"
    return "passed" if serves_in else "retired"


def obstacle_to_deletion(stage: str, serves_in: Collection[str] = ()) -> str | None:
    """Return why a version in this state cannot be deleted, as the end of a sentence; None where it can."""
    if earlier := [each for each in serves_in if each != PRODUCTION]:
        return f"serves in {', '.join(serves_in)}; roll back or promote another version to {', '.join(earlier)} first"
    return {
        "champion": "serves; roll back or promote another version first",
        "registered": "is being measured by the gate; delete it once there is a verdict",
        "passed": "has passed the gate and waits for an approval",
    }.get(stage)


class Aging(Protocol):
    """A version as far as retention is concerned."""

    version: int
    stage: str
    registered_at: datetime


V = TypeVar("V", bound=Aging)


def past_retention(
    versions: Sequence[V],
    keep: Keep,
    *,
    champions: Mapping[str, int],
    rolls_back: Collection[int | None],
    now: datetime,
) -> Iterator[tuple[V, str | None]]:
    """Yield the versions that are past their retention, oldest first; with why each is kept, None where it is not.

    ``versions`` are all of a model that are not deleted, ``champions`` those that serve, by stage; ``rolls_back`` are
    those that a rollback goes back to.
    """
    ordered = sorted(versions, key=lambda each: each.version)
    for place, each in enumerate(ordered, start=1):
        if keep.is_past(newer=len(ordered) - place, age=now - each.registered_at):
            serves_in = [stage for stage, number in champions.items() if number == each.version]
            kept = "is the one that a rollback goes back to" if each.version in rolls_back else None
            yield each, obstacle_to_deletion(each.stage, serves_in) or kept


def rollback_target(requested: int | None, *, champion: int | None, previous: int | None, where: str = "") -> int:
    """Return the version to go back to.

    Raises:
        ValueError: there is nothing to go back to, or the version serves already; the text says which.
    """
    if champion is None:
        raise ValueError(f"no version serves{where} yet, so there is nothing to go back from")
    target = requested if requested is not None else previous
    if target is None:
        raise ValueError(f"no other version has served{where} before")
    if target == champion:
        raise ValueError(f"version {target} serves{where} already")
    return target


def rollout_state(
    seq: int, *, known: int, serving: int | None, failed: int | None
) -> Literal["serving", "waiting", "failed", "unloaded"]:
    """Return where a worker is with the promotion ``seq``, from the newest that it knows, serves and has failed at."""
    if serving is not None and serving >= seq:
        return "serving"
    if failed == seq:
        return "failed"
    return "unloaded" if serving is None and known >= seq else "waiting"
