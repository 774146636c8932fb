"""``pipeline.yaml`` as a type: what a user declares about data, training, gate and promotion."""

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from interlock_contracts.batch import Batch
from interlock_contracts.candidates import MONOTONE, QUANTILE
from interlock_contracts.data import Column, Data, Section
from interlock_contracts.gate import CLASSIFICATION_METRICS, REGRESSION_METRICS, Champion, Gate, MetricName
from interlock_contracts.refs import Name, Sha256
from interlock_contracts.retention import Monitoring, Retention
from interlock_contracts.slices import check_slices
from interlock_contracts.stages import PRODUCTION, Stages
from interlock_contracts.training_section import Training

Transform = Literal["log1p", "log"]
TRANSFORMED_ABOVE: dict[Transform, float] = {"log1p": -1.0, "log": 0.0}
"""What a target must be greater than to be transformed."""


def _column_name(value: Any) -> Any:
    if isinstance(value, dict):
        raise ValueError("it is a column's name, or {column: price, transform: log1p}; transforms are log1p and log")  # noqa: TRY004
    return value


class Pipeline(Section):
    """One model's whole declaration, kept in the user's own repository.

    ``target`` may be written as ``{column: price, transform: log1p}``: fits then see the transformed target, all else
    is in its own unit.
    """

    name: Name
    task: Literal["regression", "classification"]
    target: Annotated[str, BeforeValidator(_column_name)]
    target_transform: Transform | None = Field(default=None, exclude_if=lambda value: value is None)
    data: Data
    training: Training = Training()
    gate: Gate = Gate()
    promotion: Literal["automatic", "approval"] = "automatic"
    stages: Stages = Field(default=[PRODUCTION], exclude_if=lambda value: value == [PRODUCTION])
    batch: list[Batch] = Field(default=[], max_length=20)
    monitoring: Monitoring = Field(default=Monitoring(), exclude_if=lambda value: value == Monitoring())
    retention: Retention = Field(default=Retention(), exclude_if=lambda value: value == Retention())

    @property
    def features(self) -> dict[str, Column]:
        """Return the feature columns in declared order: all but the target, the key and those with a role."""
        not_features = {self.target, *(self.data.key or ()), *self.ignored}
        return {name: column for name, column in self.data.columns.items() if name not in not_features}

    @property
    def ignored(self) -> list[str]:
        """Return the columns that predictions ignore, in declared order: those with a role other than ``feature``."""
        return [name for name, column in self.data.columns.items() if column.role != "feature"]

    @property
    def monotone(self) -> dict[str, int]:
        """Return the features by which the answer may move one way only: 1 up, -1 down."""
        ways = {"increasing": 1, "decreasing": -1}
        return {name: ways[column.monotone] for name, column in self.features.items() if column.monotone is not None}

    @property
    def champion(self) -> Champion:
        """Return the declared comparison with the champion, or the task's usual one."""
        of_number: MetricName = "r2" if self.training.quantile is None else "pinball_loss"
        return self.gate.champion or Champion(metric=of_number if self.task == "regression" else "roc_auc")

    @property
    def digest(self) -> Sha256:
        """Return the SHA-256 of the canonical JSON: equal declarations have equal digests."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @model_validator(mode="before")
    @classmethod
    def _target_may_come_with_its_transform(cls, value: Any) -> Any:
        target = value.get("target") if isinstance(value, dict) else None
        if not isinstance(target, dict) or "target_transform" in value:
            return value
        transform = target.get("transform")
        known = transform is None or (isinstance(transform, str) and transform in TRANSFORMED_ABOVE)
        if not known or "column" not in target or not target.keys() <= {"column", "transform"}:
            return value  # for the field to refuse
        return {**value, "target": target["column"], "target_transform": transform}

    @model_validator(mode="after")
    def _target_is_declared_and_fits(self) -> Self:
        target = self.data.columns.get(self.target)
        if target is None:
            raise ValueError(f"target {self.target!r} is not among data.columns")
        if self.task == "regression" and target.type not in ("number", "integer"):
            raise ValueError(
                f"a regression's target must be a number or an integer; {self.target!r} is a {target.type}"
            )
        if self.task == "classification" and self.target_transform is not None:
            raise ValueError("target: a transform is for a regression, whose target is a number")
        if self.task == "classification" and target.type not in ("category", "boolean", "integer"):
            raise ValueError(
                f"a classification's target must be a category, boolean or integer; {self.target!r} is a {target.type}"
            )
        return self

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        columns, identifying = self.data.columns, self.data.identifying
        named = [(f"data.{word}", name) for name, word in identifying.items()]
        named += [("gate.slices", name) for each in self.gate.sliced for name in each.column]
        if (newest := self.data.holdout_column) is not None:
            named.append(("data.holdout.column", newest))
            if columns.get(newest, Column(type="datetime")).type != "datetime":
                raise ValueError(f"data.holdout.column {newest!r} must be a datetime column")
        for where, name in named:
            if name not in columns:
                raise ValueError(f"{where} names {name!r}, which is not among data.columns")
        if (word := identifying.get(self.target)) is not None:
            raise ValueError(f"{self.target!r} cannot be both the target and part of the {word}")
        for name in (self.target, *identifying, newest or self.target):
            if columns[name].optional:
                raise ValueError(f"{name!r} cannot be optional: every row of a training file needs it")
        check_slices(self.gate.sliced, columns, self.task)
        return self

    @model_validator(mode="after")
    def _roles_leave_something_to_learn_from(self) -> Self:
        for name in (self.target, *(self.data.key or ())):
            if (role := self.data.columns[name].role) != "feature":
                raise ValueError(f"{name!r} cannot have the role {role!r}: it is the target, or part of the key")
        if not self.features:
            why = "features are the columns without a role, but for target, key and the time by which is held out"
            raise ValueError(f"no feature is left: {why}")
        return self

    @model_validator(mode="after")
    def _monotone_columns_can_be_honoured(self) -> Self:
        columns = self.data.columns
        for name in (self.target, *(self.data.key or ())):
            if columns[name].monotone is not None:
                raise ValueError(f"{name!r} cannot be monotone: it is the target, or part of the key")
        unable = [candidate for candidate in self.training.candidates if candidate not in MONOTONE]
        if self.monotone and unable:
            why = f"cannot be held to the monotone column {next(iter(self.monotone))!r}; {', '.join(MONOTONE)} can"
            raise ValueError(f"training.candidates: {', '.join(unable)} {why}")
        if self.monotone and len(columns[self.target].values or ()) > 2:  # noqa: PLR2004
            raise ValueError(f"monotone columns need a number or two labels; {self.target!r} has more")
        return self

    @model_validator(mode="after")
    def _weighted_labels_can_occur(self) -> Self:
        weights, target = self.training.class_weight, self.data.columns[self.target]
        if weights is not None and self.task != "classification":
            raise ValueError(
                "training.class_weight is for classification; rows are weighted by a `role: weight` column"
            )
        known = ["true", "false"] if target.type == "boolean" else target.values
        for label in weights if isinstance(weights, dict) else ():
            if known is not None and label not in known:
                raise ValueError(f"training.class_weight names {label!r}; labels are {', '.join(known[:20])}")
            if target.type == "integer" and str(_whole(label)) != label:
                raise ValueError(f"training.class_weight names {label!r}; labels are whole numbers")
        return self

    @model_validator(mode="after")
    def _threshold_chooses_between_two_labels(self) -> Self:
        if self.training.threshold is not None:
            if self.task != "classification":
                raise ValueError("training.threshold is for classification: it is a probability of the positive label")
            if len(labels := self.data.columns[self.target].values or ()) > 2:  # noqa: PLR2004
                raise ValueError(f"training.threshold is for two labels; {self.target!r} has {len(labels)}")
        return self

    @model_validator(mode="after")
    def _quantile_can_be_fitted(self) -> Self:
        if self.training.quantile is None:
            return self
        if self.task != "regression":
            raise ValueError("training.quantile is for regression: it is a quantile of a number")
        unable = [candidate for candidate in self.training.candidates if candidate not in QUANTILE]
        if unable:
            detail = f"{', '.join(unable)} cannot be fitted to a quantile; {', '.join(QUANTILE)} can"
            raise ValueError(f"training.candidates: {detail}")
        if self.monotone:
            raise ValueError("training.quantile cannot be combined with monotone columns: leaves are set once more")
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
    def _files_leave_the_window(self) -> Self:
        if self.retention.datasets is not None and self.training.window == "all":
            why = "with `window: all` the next training reads every file, so none would ever go"
            raise ValueError(f"retention.datasets needs a training.window, for instance 12: {why}")
        return self

    @model_validator(mode="after")
    def _metrics_fit_the_task(self) -> Self:
        allowed = REGRESSION_METRICS if self.task == "regression" else CLASSIFICATION_METRICS
        used = [*self.gate.metrics, self.champion.metric]
        for metric in used:
            if metric not in allowed:
                raise ValueError(f"metric {metric!r} is not for {self.task}; use one of {', '.join(allowed)}")
        if "pinball_loss" in used and self.training.quantile is None:
            raise ValueError("metric 'pinball_loss' needs training.quantile: it is the loss at one quantile")
        return self


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
