"""The ledger of a model's tests: what each claim to be better may err, and what was spent before."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from interlock_contracts.http import Body
from interlock_contracts.refs import Ref

Outcome = Literal["open", "passed", "refused", "untested", "promoted"]
"""What became of a claim.

``promoted`` by the gate alone, and ``untested``, as of equal answers or where nothing could be compared, spend nothing:
what they might have spent goes to the next claim.
"""


class Claim(Ref):
    """One claim that a version is better than the champion; all are chances of an error, from 0 to 1.

    ``level`` is the chance that this claim passes though it is false; ``spent`` the sum over the claims before it;
    ``budget`` what all claims together may spend until a person approves a version.
    """

    number: int = Field(ge=1)
    level: float = Field(gt=0, lt=1)
    spent: float = Field(ge=0, lt=1)
    budget: float = Field(gt=0, lt=1)


class ClaimView(Body):
    """A claim in the ledger; ``fresh`` held-out rows had not been used by any claim of its ``period`` before."""

    number: int
    period: int
    version: int
    against: int
    rows: int
    fresh: int
    level: float
    spent: float
    outcome: Outcome
    claimed_at: datetime
    settled_at: datetime | None = None


class LedgerView(Body):
    """A model's ledger: what its claims may err in the present period, and have spent of it.

    The next claim may err by ``next_level`` where it is measured on the same rows, by ``next_level_fresh`` with as many
    fresh rows as the last claim that had any; both are None before a version serves. ``claims`` are the newest first.
    """

    model: str
    period: int
    budget: float
    spent: float
    next_level: float | None = None
    next_level_fresh: float | None = None
    claims: list[ClaimView] = []
