"""``pipeline.yaml`` as a type: what a user declares about data, training, gate and promotion."""

import hashlib
import json
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from interlock_contracts.cron import Cron
from interlock_contracts.refs import Name, Sha256

MetricName = Literal["r2", "rmse", "mae", "bias", "accuracy", "f1_weighted", "roc_auc", "log_loss"]
Candidate = Literal["linear", "random_forest", "gradient_boosting", "xgboost", "neural_network"]

REGRESSION_METRICS: tuple[MetricName, ...] = ("r2", "rmse", "mae", "bias")
CLASSIFICATION_METRICS: tuple[MetricName, ...] = ("accuracy", "f1_weighted", "roc_auc", "log_loss")

Fraction = Annotated[float, Field(ge=0, le=1)]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


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

    An ``optional`` one may be missing in a file or a request, and then counts as null; any other must be there.
    ``format`` is how a datetime is written as text, as Python's ``strptime`` has it; ISO 8601 is understood anyway.
    """

    type: Literal["number", "integer", "boolean", "category", "datetime"]
    optional: bool = Field(default=False, exclude_if=lambda value: not value)
    format: str | None = Field(default=None, max_length=50, exclude_if=lambda value: value is None)
    min: float | None = None
    max: float | None = None
    values: list[str] | None = Field(default=None, min_length=1)
    max_cardinality: int | None = Field(default=None, ge=1)
    max_null_fraction: Fraction | None = None

    @model_validator(mode="after")
    def _rules_fit_the_type(self) -> Self:
        if self.type not in ("number", "integer") and (self.min is not None or self.max is not None):
            raise ValueError(f"min and max belong to number and integer columns, not to {self.type}")
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
    """

    max_null_fraction: Fraction = 1.0
    min_rows: int = Field(default=1, ge=1)
    unique_key: bool = False
    max_bad_rows: int = Field(default=0, ge=0)
    max_null_target: Fraction = 0.1
    max_row_change: float | None = Field(default=0.3, ge=0, exclude_if=lambda value: value == 0.3)  # noqa: PLR2004
    max_psi: float | None = Field(default=0.25, gt=0, exclude_if=lambda value: value == 0.25)  # noqa: PLR2004
    on_change: Literal["warn", "refuse"] = Field(default="warn", exclude_if=lambda value: value == "warn")


class Holdout(Section):
    """Which rows the trainer never sees: by a hash of the row, or the newest part by a datetime column."""

    fraction: float = Field(default=0.2, gt=0, lt=1)
    by: Literal["hash", "time"] = "hash"
    column: str | None = None

    @model_validator(mode="after")
    def _time_names_its_column(self) -> Self:
        if (self.by == "time") != (self.column is not None):
            raise ValueError("`by: time` needs `column`, and `by: hash` takes none")
        return self


class Data(Section):
    """The table: its format, columns and rules."""

    format: Literal["csv", "jsonl", "parquet"] = "csv"
    csv: Csv = Csv()
    key: Columns | None = None
    columns: dict[str, Column] = Field(min_length=2)
    extra_columns: Literal["ignore", "refuse"] = "ignore"
    rules: Rules = Rules()
    holdout: Holdout = Holdout()

    @field_validator("columns")
    @classmethod
    def _names_are_the_users(cls, value: dict[str, Column]) -> dict[str, Column]:
        for name in value:
            if not name or name.startswith("__"):
                raise ValueError(f"a column cannot be called {name!r}: it is empty, or begins with two underscores")
            if "\0" in name:
                raise ValueError(f"a column cannot be called {name!r}: no file of text can hold a NUL character")
        return value


class Training(Section):
    """When to train, on what, and how hard to search.

    A label with fewer rows than there are folds fails the training, or is set aside: trained without, and told.
    """

    window: Literal["all", "latest"] | Annotated[int, Field(ge=1)] = "all"
    trigger: list[Literal["data", "event"]] = ["data", "event"]
    candidates: list[Candidate] = Field(
        default=["linear", "random_forest", "gradient_boosting", "xgboost"], min_length=1
    )
    folds: int = Field(default=5, ge=2, le=20)
    trials: int = Field(default=20, ge=0, le=10_000)
    seed: int = 42
    rare_labels: Literal["refuse", "set_aside"] = Field(default="refuse", exclude_if=lambda value: value == "refuse")
    timeout_minutes: float = Field(default=60, gt=0, le=7 * 24 * 60)

    @field_validator("candidates", "trigger")
    @classmethod
    def _no_repeats(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError("each entry may be named once")
        return value


class Threshold(Section):
    """Bounds that a metric must keep on the holdout; ``bias`` is compared as it is, sign included."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        return self


class Champion(Section):
    """How much better than what serves now a candidate must be, and how sure we must be of it."""

    metric: MetricName
    min_improvement: float = 0.0
    confidence: float = Field(default=0.95, gt=0.5, lt=1)


class Gate(Section):
    """What a candidate must show on the holdout before it may serve."""

    metrics: dict[MetricName, Threshold] = {}
    champion: Champion | None = None
    slices: list[str] = []
    latency_p99_ms: float | None = Field(default=None, gt=0)


class Batch(Section):
    """A file that is answered again and again: ``schedule`` is a cron line of five fields, in UTC.

    The input is the dataset that was accepted last or, where ``object`` names one, that object of our own bucket,
    read as ``format`` (else as ``data.format``); its key is below ``incoming/<pipeline>/``.
    """

    name: Name
    schedule: str = Field(max_length=100)
    object: str | None = Field(default=None, min_length=1, max_length=500)
    format: Literal["csv", "jsonl", "parquet"] | None = None
    on_error: Literal["fail", "null"] = "fail"

    @field_validator("schedule")
    @classmethod
    def _schedule_is_cron(cls, value: str) -> str:
        Cron(value)
        return value


class Pipeline(Section):
    """One model's whole declaration, kept in the user's own repository."""

    name: Name
    task: Literal["regression", "classification"]
    target: str
    data: Data
    training: Training = Training()
    gate: Gate = Gate()
    promotion: Literal["automatic", "approval"] = "automatic"
    batch: list[Batch] = Field(default=[], max_length=20)

    @property
    def features(self) -> dict[str, Column]:
        """Return the feature columns in declared order: all but the target and the key."""
        not_features = {self.target, *(self.data.key or ())}
        return {name: column for name, column in self.data.columns.items() if name not in not_features}

    @property
    def champion(self) -> Champion:
        """Return the declared comparison with the champion, or the task's usual one."""
        return self.gate.champion or Champion(metric="r2" if self.task == "regression" else "roc_auc")

    @property
    def digest(self) -> Sha256:
        """Return the SHA-256 of the canonical JSON: equal declarations have equal digests."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @model_validator(mode="after")
    def _target_is_declared_and_fits(self) -> Self:
        target = self.data.columns.get(self.target)
        if target is None:
            raise ValueError(f"target {self.target!r} is not among data.columns")
        if self.task == "regression" and target.type not in ("number", "integer"):
            raise ValueError(
                f"a regression's target must be a number or an integer; {self.target!r} is a {target.type}"
            )
        if self.task == "classification" and target.type not in ("category", "boolean", "integer"):
            raise ValueError(
                f"a classification's target must be a category, boolean or integer; {self.target!r} is a {target.type}"
            )
        return self

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        columns = self.data.columns
        named = [("data.key", name) for name in self.data.key or ()]
        named += [("gate.slices", name) for name in self.gate.slices]
        if self.data.holdout.column is not None:
            named.append(("data.holdout.column", self.data.holdout.column))
            if columns.get(self.data.holdout.column, Column(type="datetime")).type != "datetime":
                raise ValueError(f"data.holdout.column {self.data.holdout.column!r} must be a datetime column")
        for where, name in named:
            if name not in columns:
                raise ValueError(f"{where} names {name!r}, which is not among data.columns")
        if self.target in (self.data.key or ()):
            raise ValueError(f"{self.target!r} cannot be both the target and part of the key")
        for name in (self.target, *(self.data.key or ()), self.data.holdout.column or self.target):
            if columns[name].optional:
                raise ValueError(f"{name!r} cannot be optional: every row of a training file needs it")
        if not self.features:
            raise ValueError("no feature is left: columns other than the target and the key are the features")
        if self.data.rules.unique_key and not self.data.key:
            raise ValueError("rules.unique_key needs data.key")
        return self

    @model_validator(mode="after")
    def _batches_are_told_apart_and_stay_inside(self) -> Self:
        names = [batch.name for batch in self.batch]
        if len(set(names)) != len(names):
            raise ValueError("two batches have the same name")
        prefix = f"incoming/{self.name}/"
        for batch in self.batch:
            steps = (batch.object or prefix + "x").removeprefix(prefix).split("/")
            inside = batch.object is None or batch.object.startswith(prefix)
            odd = {".", ".."} & set(steps) or any("\\" in each or not each.isprintable() for each in steps)
            if not inside or not all(steps) or odd:
                raise ValueError(f"batch {batch.name!r}: its object must be a plain key below {prefix}")
        return self

    @model_validator(mode="after")
    def _metrics_fit_the_task(self) -> Self:
        allowed = REGRESSION_METRICS if self.task == "regression" else CLASSIFICATION_METRICS
        used = [*self.gate.metrics, self.champion.metric]
        for metric in used:
            if metric not in allowed:
                raise ValueError(f"metric {metric!r} is not for {self.task}; use one of {', '.join(allowed)}")
        return self
