"""Bodies of the REST API about drift: how far a file's columns have moved from those of the file before."""

from typing import Literal

from interlock_contracts.refs import Ref, Sha256

DriftVerdict = Literal["stable", "moderate", "large", "not_measured"]


class DriftBin(Ref):
    """Some values of a column, and their share of the rows before and now, each from 0 to 1."""

    label: str
    before: float
    now: float


class ColumnDrift(Ref):
    """How far one column has moved.

    ``psi`` is the population stability index (no unit, 0 where nothing moved), ``chance`` what files of these sizes
    reach by chance alone, and ``beyond_chance`` whether they differ by more than that, by the index or, of numbers, by
    their ranks. ``not_measured`` says why in ``reason``. ``new_values`` and ``gone_values`` are those of a category
    that only one of both files has. ``expected`` is what the pipeline declares of the column.
    """

    column: str
    verdict: DriftVerdict
    psi: float | None = None
    chance: float | None = None
    beyond_chance: bool = False
    reason: str | None = None
    bins: list[DriftBin] = []
    new_values: list[str] = []
    gone_values: list[str] = []
    expected: bool = False


class DriftView(Ref):
    """A file beside the one accepted before it, ``against``.

    ``verdict`` is the worst of its columns, without those whose drift is expected.
    """

    against: Sha256
    batch: int
    verdict: DriftVerdict
    columns: list[ColumnDrift]
