"""How a training searches for hyperparameters: around which kinds, within which ranges, and how much is fitted."""

from typing import Annotated, Literal, Self

from pydantic import Field, StrictFloat, StrictInt, field_validator, model_validator

from interlock_contracts.candidates import Candidate
from interlock_contracts.data import Section
from interlock_contracts.parameters import read_parameters

Number = StrictInt | StrictFloat
Interval = Annotated[list[Number], Field(min_length=2, max_length=2)]
"""The least and the greatest value, both inclusive."""


class Search(Section):
    """``halving`` fits trials on two folds with a quarter of their trees first, and all of it only for the best sixth.

    ``full`` fits every trial whole. ``tune: all`` searches around each candidate, with ``trials`` for each, where
    ``winner`` searches around the best one only. ``spaces`` are ranges of parameters by candidate, in place of the
    search's own; a parameter that it does not search by itself is searched where a range is given.
    """

    strategy: Literal["halving", "full"] = "halving"
    tune: Literal["winner", "all"] = "winner"
    spaces: dict[Candidate, dict[str, Interval]] = {}

    @field_validator("spaces")
    @classmethod
    def _ranges_are_of_parameters(
        cls, value: dict[Candidate, dict[str, list[float]]]
    ) -> dict[Candidate, dict[str, list[float]]]:
        return {kind: _intervals(kind, given) for kind, given in value.items() if given}

    @model_validator(mode="after")
    def _ranges_ascend(self) -> Self:
        for kind, given in self.spaces.items():
            for name, (low, high) in given.items():
                if low >= high:
                    raise ValueError(f"spaces.{kind}.{name}: {low} to {high} is no range; write [least, greatest]")
        return self


def _intervals(kind: Candidate, given: dict[str, list[float]]) -> dict[str, list[float]]:
    lows = read_parameters(kind, {name: interval[0] for name, interval in given.items()})
    highs = read_parameters(kind, {name: interval[1] for name, interval in given.items()})
    return {name: [lows[name], highs[name]] for name in given}


def check_search(search: Search, candidates: list[Candidate], fixed: dict[Candidate, dict[str, float]]) -> None:
    """Check that every range is of a candidate, and of a parameter that is not fixed.

    Raises:
        ValueError: one is not; names it.
    """
    for kind, given in search.spaces.items():
        if kind not in candidates:
            raise ValueError(f"search.spaces are for {kind}, which is not among the candidates {', '.join(candidates)}")
        if both := sorted(given.keys() & fixed.get(kind, {}).keys()):
            raise ValueError(f"{kind}: {', '.join(both)} cannot both be fixed by parameters and have a range in spaces")
