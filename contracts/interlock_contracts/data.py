"""The ``data`` section of ``pipeline.yaml``: how a file is written, its columns, what it must satisfy, its holdout."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_serializer,
    field_validator,
    model_validator,
)

Fraction = Annotated[float, Field(ge=0, le=1)]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


ColumnType = Literal["number", "integer", "boolean", "category", "datetime"]

Role = Literal["feature", "ignore", "slice", "time", "weight"]

Columns = Annotated[list[str], BeforeValidator(_listed), Field(min_length=1)]
"""One column name or a list of them."""


class Section(BaseModel):
    """Base of every part of the file: an unknown key is an error, because it is a typing mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _check_date_format(kind: str, date_format: str) -> None:
    """Raise ValueError unless the format is that of a datetime column, and says which day it is."""
    if kind != "datetime":
        raise ValueError(f"format belongs to datetime columns, not to {kind}")
    if date_format.startswith("%Y-") and not date_format.startswith("%Y-%m-%d"):
        raise ValueError(f"format {date_format!r} could be taken for ISO 8601, which has the month before the day")
    day = datetime(2001, 12, 31)  # noqa: DTZ001 - only its day matters
    try:
        if datetime.strptime(day.strftime(date_format), date_format).date() == day.date():  # noqa: DTZ007
            return
    except ValueError:
        pass
    raise ValueError(f"format {date_format!r} does not say which day it is; write %d.%m.%Y or %m/%d/%Y, for instance")


class Column(Section):
    """A declared column; ``min`` and ``max`` are inclusive and in the column's own unit.

    A ``role`` other than ``feature`` means that it is read, checked and kept as any column, but not learned from: for
    ``gate.slices``, as the time or the weight of the row, or for nothing yet. A request need not have it.
    A ``monotone`` one moves the answer one way only, other columns being equal.
    An ``optional`` one may be missing in a file or a request, and then counts as null; any other must be there.
    ``format`` is how a datetime is written as text, as Python's ``strptime`` has it; ISO 8601 is understood anyway.
    Where ``drift`` is expected, as of the month in a monthly file, it is measured and shown, but nothing follows of it.
    Where a ``leak`` is expected, somebody has looked at what the column tells of the target or of other rows, and it is
    no finding any more.
    """

    type: ColumnType
    role: Role = Field(default="feature", exclude_if=lambda value: value == "feature")
    optional: bool = Field(default=False, exclude_if=lambda value: not value)
    format: str | None = Field(default=None, max_length=50, exclude_if=lambda value: value is None)
    monotone: Literal["increasing", "decreasing"] | None = Field(default=None, exclude_if=lambda value: value is None)
    drift: Literal["expected"] | None = Field(default=None, exclude_if=lambda value: value is None)
    leak: Literal["expected"] | None = Field(default=None, exclude_if=lambda value: value is None)
    min: float | None = None
    max: float | None = None
    values: list[str] | None = Field(default=None, min_length=1)
    max_cardinality: int | None = Field(default=None, ge=1)
    max_null_fraction: Fraction | None = None

    @model_validator(mode="after")
    def _rules_fit_the_type(self) -> Self:
        if self.type not in ("number", "integer") and (self.min is not None or self.max is not None):
            raise ValueError(f"min and max belong to number and integer columns, not to {self.type}")
        if self.role == "time" and self.type != "datetime":
            raise ValueError(f"role: time belongs to datetime columns, not to {self.type}")
        if self.role == "weight" and (self.type not in ("number", "integer") or self.optional):
            raise ValueError("role: weight belongs to number and integer columns that are not optional")
        if self.monotone is not None and (self.type in ("category", "datetime") or self.role != "feature"):
            raise ValueError("monotone belongs to features that are numbers, integers or booleans")
        if self.drift is not None and (self.type == "datetime" or self.role == "ignore"):
            raise ValueError("drift belongs to columns that it is measured of: no datetimes, none with `role: ignore`")
        if self.format is not None:
            _check_date_format(self.type, self.format)
        if self.type != "category" and (self.values is not None or self.max_cardinality is not None):
            raise ValueError(f"values and max_cardinality belong to category columns, not to {self.type}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self


class Csv(Section):
    """How a CSV is written; declared, never guessed."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quote: Annotated[str, Field(min_length=1, max_length=1)] = '"'
    encoding: str = "utf-8"
    null_values: list[str] = [""]
    decimal: Literal[".", ","] = Field(default=".", exclude_if=lambda value: value == ".")
    thousands: Literal[".", ",", "'", " "] | None = Field(default=None, exclude_if=lambda value: value is None)

    @field_validator("encoding")
    @classmethod
    def _encoding_is_known(cls, value: str) -> str:
        try:
            "".encode(value)
        except LookupError:
            raise ValueError(f"unknown encoding {value!r}; for instance utf-8 or latin-1") from None
        return value

    @model_validator(mode="after")
    def _cells_can_be_told_apart(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}")
        if self.delimiter == self.quote:
            raise ValueError(f"delimiter and quote are both {self.quote!r}")
        for name, sign in (("delimiter", self.delimiter), ("quote", self.quote)):
            if not sign.isascii() or sign in "\r\n\0":
                raise ValueError(f"{name} must be one ASCII character that is no line break, not {sign!r}")
        return self


class Rules(Section):
    """What a file must satisfy as a whole.

    A file may have ``max_row_change`` fewer or more rows than the one accepted before it (0.3: 30 %), and columns that
    have moved by a population stability index of ``max_psi``; null leaves either open. ``on_change`` says what happens
    to one that has changed more.

    ``leak`` says what happens to a file in which a leak is found, ``max_known_rows`` which share of its rows earlier
    files may have already; null warns where they have them all.
    """

    max_null_fraction: Fraction = 1.0
    min_rows: int = Field(default=1, ge=1)
    unique_key: bool = False
    max_bad_rows: int = Field(default=0, ge=0)
    max_null_target: Fraction = 0.1
    max_row_change: float | None = Field(default=0.3, ge=0, exclude_if=lambda value: value == 0.3)  # noqa: PLR2004
    max_psi: float | None = Field(default=0.25, gt=0, exclude_if=lambda value: value == 0.25)  # noqa: PLR2004
    on_change: Literal["warn", "refuse"] = Field(default="warn", exclude_if=lambda value: value == "warn")
    leak: Literal["warn", "refuse"] = Field(default="warn", exclude_if=lambda value: value == "warn")
    max_known_rows: Fraction | None = Field(default=None, exclude_if=lambda value: value is None)


def _moment(value: Any) -> Any:
    """Return a moment with its zone; ISO 8601 without one is UTC, as in a file, and a day its midnight."""
    if value is None or value == "first_file":
        return value
    try:
        read = datetime.fromisoformat(value.isoformat() if isinstance(value, date) else value)
    except (TypeError, ValueError):
        why = "is no moment; write for instance 2026-05-01T00:00:00Z, or first_file"
        raise ValueError(f"{value!r} {why}") from None
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


class Holdout(Section):
    """Which rows the trainer never sees: by a hash of the row, or the newest part by a datetime column.

    Without ``column``, that is the one with the role ``time``. Rows at or after the ``watermark`` are held out, in
    every file: a moment, or the one from which on the newest ``fraction`` of the pipeline's first accepted file lies.
    None is in stored pipelines of before alone, of which each file is cut by itself; a file without it says
    ``first_file``.
    """

    fraction: float = Field(default=0.2, gt=0, lt=1)
    by: Literal["hash", "time"] = "hash"
    column: str | None = None
    watermark: Annotated[Literal["first_file"] | datetime | None, BeforeValidator(_moment)] = Field(
        default=None, exclude_if=lambda value: value is None
    )

    @model_validator(mode="after")
    def _hash_takes_no_time(self) -> Self:
        for word in ("column", "watermark"):
            if self.by == "hash" and getattr(self, word) is not None:
                raise ValueError(f"`by: hash` takes no `{word}`")
        return self


class Data(Section):
    """The table: its format, columns and rules.

    Rows of one ``group`` lie on one side of every split. ``identity`` are columns that never change of a row that has
    no key: they decide its side, so that it stays there when other columns come, go or are corrected.
    """

    format: Literal["csv", "jsonl", "parquet"] = "csv"
    csv: Csv = Csv()
    key: Columns | None = None
    group: Columns | None = Field(default=None, exclude_if=lambda value: value is None)
    identity: Columns | None = Field(default=None, exclude_if=lambda value: value is None)
    columns: dict[str, Column] = Field(min_length=2)
    extra_columns: Literal["ignore", "refuse"] = "ignore"
    rules: Rules = Rules()
    holdout: Holdout = Holdout()

    @property
    def identifying(self) -> dict[str, str]:
        """Return the columns of key, group and identity, each with the word that names it."""
        words = {"key": self.key, "group": self.group, "identity": self.identity}
        return {name: word for word, names in words.items() for name in names or ()}

    @property
    def side_columns(self) -> list[str] | None:
        """Return the columns whose hash decides a row's side of the split; None for all declared ones, or the time."""
        return None if self.holdout.by == "time" else self.group or self.key or self.identity

    @property
    def holdout_column(self) -> str | None:
        """Return the column whose newest part is held out; None where a hash decides."""
        if self.holdout.by == "hash":
            return None
        return self.holdout.column or next(name for name, each in self.columns.items() if each.role == "time")

    @property
    def weight_column(self) -> str | None:
        """Return the column with the rows' weights, if there is one."""
        return next((name for name, each in self.columns.items() if each.role == "weight"), None)

    @field_serializer("columns", mode="wrap")
    def _says_that_the_time_is_a_feature(
        self, value: dict[str, Column], handler: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        """Keep the role of the column that decides who is newest, if it has one: without, a file means ``time``."""
        dumped: dict[str, Any] = handler(value)
        name = self.holdout_column
        if name in value and "role" in value[name].model_fields_set:
            dumped[name]["role"] = value[name].role
        return dumped

    @field_validator("columns")
    @classmethod
    def _names_are_the_users(cls, value: dict[str, Column]) -> dict[str, Column]:
        for name in value:
            if not name or name.startswith("__"):
                raise ValueError(f"a column cannot be called {name!r}: it is empty, or begins with two underscores")
            if "\0" in name:
                raise ValueError(f"a column cannot be called {name!r}: no file of text can hold a NUL character")
        return value

    @model_validator(mode="after")
    def _unique_keys_have_a_key(self) -> Self:
        if self.rules.unique_key and not self.key:
            raise ValueError("rules.unique_key needs data.key")
        return self

    @model_validator(mode="after")
    def _times_and_weights_are_clear(self) -> Self:
        weights = [name for name, column in self.columns.items() if column.role == "weight"]
        if len(weights) > 1:
            raise ValueError(f"columns: only one can have `role: weight`; {', '.join(map(repr, weights))} have it")
        times = [name for name, column in self.columns.items() if column.role == "time"]
        if self.holdout.by == "time" and self.holdout.column is None and len(times) != 1:
            have = f"{', '.join(map(repr, times))} have it" if times else "none has it"
            raise ValueError(f"holdout `by: time` needs `column`, or one column with `role: time`; {have}")
        return self

    @model_validator(mode="after")
    def _one_thing_decides_the_side(self) -> Self:
        for word, columns in (("group", self.group), ("identity", self.identity)):
            if columns is None:
                continue
            if self.holdout.by == "time":
                raise ValueError(f"{word} decides a row's side of the split, and so does holdout `by: time`: drop one")
            if len(set(columns)) != len(columns):
                raise ValueError(f"{word}: each column may be named once")
            for name in columns:
                if name in self.columns and self.columns[name].role in ("time", "weight"):
                    raise ValueError(f"{word}: {name!r} is the {self.columns[name].role} of the row")
        if self.identity is not None and (other := "group" if self.group else "key" if self.key else None):
            raise ValueError(f"identity decides a row's side of the split, and so does {other}: drop identity")
        return self
