"""What a claim to be better may err, so that all claims of a model together err with a chance of the budget at most.

Errors add up to the budget at most, whatever happens (Bonferroni), as each claim gets a part that was nobody's before:

- Of the budget the ``j``-th doubling of the held-out rows has the portion ``(j + 1) ** -1.5``, divided by the sum of
  these numbers over all ``j``; doubling 0 are the rows of the period's first claim.
- Four fifths of a portion belong to its fresh rows, each the same: a claim has what the rows bring that it is the first
  to be measured on.
- One fifth is shared by all claims of the doubling, its ``i``-th having ``i ** -1.5`` by the same sum.
- What a claim did not use goes to the next: of one that was not tested, and of one that was promoted. Who was promoted
  is better, or the error has happened already, once (Tian and Ramdas 2021, Online control of the familywise error
  rate: online fallback).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log2

from interlock_contracts.ledger import Outcome

ALL_PORTIONS = 2.612375348685488
"""The sum of ``n ** -1.5`` over all n, zeta(1.5)."""

FRESH = 0.8
RETURNED: tuple[Outcome, ...] = ("promoted", "untested")


@dataclass(frozen=True)
class Booked:
    """A claim of the present period: its fresh rows, and of its ``level`` what was ``carried`` from earlier ones."""

    fresh: int
    level: float
    carried: float
    outcome: Outcome


@dataclass(frozen=True)
class Allowance:
    """What a claim may err: ``level``, of which ``carried`` is what earlier ones did not use."""

    level: float
    carried: float


def spent(claims: Sequence[Booked]) -> float:
    """Return the error that the claims of a period have spent; one without a verdict has, until there is one."""
    return sum(claim.level for claim in claims if claim.outcome not in RETURNED)


def allowance(claims: Sequence[Booked], fresh: int, budget: float) -> Allowance:
    """Return what the claim after ``claims``, all of its period in order, may err with ``fresh`` held-out rows."""
    first = max(1, claims[0].fresh if claims else fresh)
    seen = 0
    doublings = []
    for claim in claims:
        seen += claim.fresh
        doublings.append(_doubling(seen, first))
    present = _doubling(seen + fresh, first)
    number = doublings.count(present) + 1
    own = (1 - FRESH) * _portion(present) * number**-1.5 / ALL_PORTIONS
    for doubling in range(present + 1):
        start, end = (first * 2 ** (doubling - 1), first * 2**doubling) if doubling else (0, first)
        rows = max(0, min(seen + fresh, end) - max(seen, start))
        own += FRESH * _portion(doubling) * rows / (end - start)
    unused = sum(claim.level for claim in claims if claim.outcome in RETURNED)
    carried = max(0.0, unused - sum(claim.carried for claim in claims))
    return Allowance(own * budget + carried, carried)


def _doubling(rows: int, first: int) -> int:
    return max(0, ceil(log2(max(rows, 1) / first)))


def _portion(doubling: int) -> float:
    portion: float = (doubling + 1) ** -1.5 / ALL_PORTIONS
    return portion
