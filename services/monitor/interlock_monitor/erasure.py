"""Erasing a subject's rows from the prediction log: those whose column has a value, and the ground truth of them."""

import re
from decimal import Decimal
from typing import Any
from uuid import uuid4

from interlock_contracts.predictions import PredictionsErased
from interlock_contracts.quality import ErasedView, EraseRequest
from interlock_messaging import Bus, enqueue
from interlock_runtime.access import Caller
from interlock_runtime.http import SCOPE
from interlock_runtime.problems import problem
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy import ColumnElement, Numeric, and_, case, cast, delete, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from interlock_monitor import store
from interlock_monitor.handlers import SERVICE
from interlock_monitor.store import GroundTruthRow, LoggedRow, LoggedVersionRow

MAX_EXPONENT = 400
"""Beyond it there is no double, and PostgreSQL takes no much larger number."""

_NUMBER = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,9})?")


@post("/models/{name:str}/predictions/erase", status_code=200, opt={SCOPE: "admin"})
async def erase_predictions(
    name: FromPath[str], request: Request[Any, Any, Any], bus: NamedDependency[Bus], data: JSONBody[EraseRequest]
) -> ErasedView:
    """Erase every logged row of a model whose column has this value, with its ground truth, and tell how many.

    The audit log has the column, the counts and who asked, and not the value, by which the subject could be told.
    """
    caller: Caller = request.user
    async with bus.transaction() as session:
        if (deleted := await store.deletion_of(session, name)) is not None:
            raise problem(410, "Deleted model", deleted)
        schemas = (await session.scalars(select(LoggedVersionRow).where(LoggedVersionRow.model == name))).all()
        if not any(data.column in each.features for each in schemas):
            raise problem(404, "Unknown column", _unknown_column(name, data.column, schemas))
        erased = await _erase(session, name, has_value(schemas, data.column, data.value))
        event = PredictionsErased(model=name, column=data.column, **erased, by=caller.name)
        await enqueue(session, event, source=SERVICE, cause=str(uuid4()))
    return ErasedView(model=name, column=data.column, **erased)


def has_value(schemas: Any, column: str, value: str | float) -> ColumnElement[bool]:
    """Return the condition that a logged row's ``column`` has ``value``, however it is written.

    ``3`` finds 3, 3.0 and "3": whoever asks need not know the column's type. Versions name their columns in an order
    of their own.
    """
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return or_(
        false(),
        *(
            and_(LoggedRow.version == each.version, _is(LoggedRow.features[each.features.index(column)], text))
            for each in schemas
            if column in each.features
        ),
    )


def _is(logged: Any, text: str) -> ColumnElement[bool]:
    written = logged.as_string()
    if (number := _number(text)) is None:
        return written == text  # type: ignore[no-any-return]
    # A cast of what is no number would be an error, and CASE alone keeps it from being made.
    as_number = case((func.json_typeof(logged) == "number", cast(written, Numeric)))
    return or_(written == text, as_number == number)


def _number(text: str) -> Decimal | None:
    """Return the number that ``text`` is, as JSON writes it; None where it is none or too large."""
    if not _NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    return number if abs(number.adjusted()) <= MAX_EXPONENT else None


async def _erase(session: AsyncSession, model: str, condition: ColumnElement[bool]) -> dict[str, int]:
    erased = delete(LoggedRow).where(LoggedRow.model == model, condition).returning(LoggedRow.prediction).cte("erased")
    truths = (
        delete(GroundTruthRow)
        .where(GroundTruthRow.model == model, GroundTruthRow.prediction.in_(select(erased.c.prediction)))
        .returning(GroundTruthRow.prediction)
        .cte("truths")
    )
    counted = select(
        select(func.count()).select_from(erased).scalar_subquery(),
        select(func.count()).select_from(truths).scalar_subquery(),
    )
    rows, ground_truths = (await session.execute(counted)).one()
    return {"rows": rows, "truths": ground_truths}


def _unknown_column(model: str, column: str, schemas: Any) -> str:
    if not schemas:
        return f"nothing is logged of model {model!r}"
    known = ", ".join(sorted({name for each in schemas for name in each.features}))
    return f"no logged version of {model!r} has the column {column!r}; there are {known}"


ROUTES = [erase_predictions]
