"""Where the search looks: the kind's own ranges, or those that the pipeline declares, without what it fixes."""

from collections.abc import Mapping
from typing import Any

from interlock_contracts.candidates import Candidate
from interlock_contracts.parameters import PARAMETERS
from interlock_contracts.pipeline import Pipeline
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from interlock_trainer.kinds import KINDS
from interlock_trainer.kinds.kind import Range


def space_of(pipeline: Pipeline, candidate: Candidate) -> dict[str, BaseDistribution]:
    """Return the distribution of each parameter that is searched, in an order that hangs on nothing else."""
    own, declared = KINDS[candidate].space, pipeline.training.search.spaces.get(candidate, {})
    fixed = pipeline.training.parameters.get(candidate, {})
    ranges = {**own, **{name: _declared(candidate, name, ends, own.get(name)) for name, ends in declared.items()}}
    return {name: _distribution(each) for name, each in ranges.items() if name not in fixed}


def contains(space: Mapping[str, BaseDistribution], params: Mapping[str, Any]) -> bool:
    """Return whether the search could propose these parameters."""
    spans: Any = space  # the distributions that are made here all have ends
    return all(name in params and span.low <= params[name] <= span.high for name, span in spans.items())


def _declared(candidate: Candidate, name: str, ends: list[float], own: Range | None) -> Range:
    """Return a declared range: by logarithms where the kind's own is, and it does not begin at 0."""
    low, high = ends
    log = own is not None and own.log and low > 0
    return Range(low, high, log=log, whole=PARAMETERS[candidate][name].whole)


def _distribution(span: Range) -> BaseDistribution:
    if span.whole:
        return IntDistribution(int(span.low), int(span.high), log=span.log)
    return FloatDistribution(span.low, span.high, log=span.log)
