"""Section ``training`` of a pipeline: when to train, on what, which candidates, and how hard to search."""

from typing import Annotated, Literal, Self

from pydantic import Field, StrictFloat, StrictInt, field_validator, model_validator

from interlock_contracts.candidates import Candidate
from interlock_contracts.data import Section
from interlock_contracts.parameters import read_parameters
from interlock_contracts.search import Search, check_search
from interlock_contracts.threshold import Threshold, ThresholdByMetric

Window = Literal["all", "latest"] | Annotated[int, Field(ge=1)]
"""Which files a training reads: the newest, so many of the newest, or all."""

ClassWeights = Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(min_length=1)]
"""Weights by label, as names of probabilities are written: ``true``, ``1``; a label that is not named weighs 1."""


class Training(Section):
    """When to train, on what, and how hard to search.

    ``parameters`` of a candidate are fixed: its search leaves them alone.
    ``class_weight`` is what each row of a label weighs in fitting; ``balanced`` makes all labels weigh the same.
    ``threshold`` is the least probability at which the positive one of two labels, the second, is predicted; without
    it the more probable label is. ``{metric: f1}`` lets the training choose it on the folds.
    ``quantile`` is the one of the target that a regression answers, in place of the mean.
    ``learning_curve`` fits the winner on fewer rows as well: about as much work as one more trial.
    A label with fewer rows than there are folds fails the training, or is set aside: trained without, and reported.
    """

    window: Window = "all"
    trigger: list[Literal["data", "event"]] = ["data", "event"]
    candidates: list[Candidate] = Field(
        default=["linear", "random_forest", "gradient_boosting", "xgboost"], min_length=1
    )
    parameters: dict[Candidate, dict[str, StrictInt | StrictFloat]] = Field(
        default={}, exclude_if=lambda value: not value
    )
    folds: int = Field(default=5, ge=2, le=20)
    trials: int = Field(default=20, ge=0, le=10_000)
    search: Search = Field(default=Search(), exclude_if=lambda value: value == Search())
    seed: int = 42
    class_weight: Literal["balanced"] | ClassWeights | None = Field(
        default=None, exclude_if=lambda value: value is None
    )
    quantile: float | None = Field(default=None, gt=0, lt=1, exclude_if=lambda value: value is None)
    threshold: Threshold | None = Field(default=None, exclude_if=lambda value: value is None)
    learning_curve: bool = Field(default=False, exclude_if=lambda value: not value)
    rare_labels: Literal["refuse", "set_aside"] = Field(default="refuse", exclude_if=lambda value: value == "refuse")
    timeout_minutes: float = Field(default=60, gt=0, le=7 * 24 * 60)

    @property
    def trials_in_all(self) -> int:
        """Return how many trials there are at most, of all candidates that are searched around."""
        return self.trials * (len(self.candidates) if self.search.tune == "all" else 1)

    @property
    def threshold_number(self) -> float | None:
        """Return the threshold where it is declared as a number."""
        return None if isinstance(self.threshold, ThresholdByMetric) else self.threshold

    @field_validator("candidates", "trigger")
    @classmethod
    def _no_repeats(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError("each entry may be named once")
        return value

    @field_validator("parameters")
    @classmethod
    def _parameters_are_known(cls, value: dict[Candidate, dict[str, float]]) -> dict[Candidate, dict[str, float]]:
        return {kind: read_parameters(kind, given) for kind, given in value.items() if given}

    @model_validator(mode="after")
    def _parameters_are_of_candidates(self) -> Self:
        for kind in self.parameters:
            if kind not in self.candidates:
                raise ValueError(
                    f"parameters are for {kind}, which is not among the candidates {', '.join(self.candidates)}"
                )
        check_search(self.search, self.candidates, self.parameters)
        return self
