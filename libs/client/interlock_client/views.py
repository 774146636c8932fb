"""Lists of the API's bodies, which are tables when asked."""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from pydantic import BaseModel

from interlock_client.extras import extra

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Item = TypeVar("Item", bound=BaseModel)


class Views(list[Item]):
    """A list of bodies: ``runs[0].state`` of one, ``runs.to_pandas()`` or ``runs.to_polars()`` of all.

    Bodies within bodies become columns of their own: ``progress.best_score``, ``metrics.r2``.
    """

    def to_pandas(self) -> "pd.DataFrame":
        """Return a row for each; the extra ``pandas`` must be installed."""
        with extra("pandas"):
            import pandas as pd  # noqa: PLC0415 - an extra

        return pd.DataFrame(self._columns())

    def to_polars(self) -> "pl.DataFrame":
        """Return a row for each; the extra ``polars`` must be installed."""
        with extra("polars"):
            import polars as pl  # noqa: PLC0415 - an extra

        return pl.DataFrame(self._columns(), strict=False)

    def _columns(self) -> dict[str, list[Any]]:
        rows = [dict(_cells("", each.model_dump())) for each in self]
        names = dict.fromkeys(name for row in rows for name in row)
        # A body that is None in one row is columns in others.
        names = {name: None for name in names if not any(other.startswith(f"{name}.") for other in names)}
        return {name: [row.get(name) for row in rows] for name in names}


def _cells(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _cells(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", _cell(value)


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return [_cell(each) for each in value]
    return str(value) if isinstance(value, UUID | Enum) else value
