"""The parts of a run; each has a stack of its own, and leaves its numbers in the results before the next begins."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.completeness import gaps
from tests.benchmarks.reliability.soak import soak
from tests.chaos.controls import without_inbox, without_outbox
from tests.chaos.run import chaos
from tests.chaos.serving import serve_through
from tests.chaos.stack import chaos_stack


@dataclass(frozen=True)
class Plan:
    """How long each section lasts, in seconds, and how much chaos must be acknowledged."""

    seed: int
    seconds: float
    events: int
    hold: float
    promotions: int
    soak: float


def full(seed: int) -> Plan:
    """Return the run that is published."""
    return Plan(seed, seconds=600, events=10_000, hold=10, promotions=20, soak=600)


def quick(seed: int) -> Plan:
    """Return a run that shows that everything works."""
    return Plan(seed, seconds=30, events=200, hold=1, promotions=5, soak=40)


def _chaos(plan: Plan) -> dict[str, Any]:
    with chaos_stack() as stack:
        given: Any = {"seed": plan.seed, "seconds": plan.seconds, "events": plan.events}
        outcome = asyncio.run(chaos(stack, **given, gap=5, patience=90))
    print(outcome.table())
    return outcome.as_json() | {"asked": plan.events}


def _controls(plan: Plan) -> dict[str, Any]:
    del plan
    with chaos_stack() as stack:
        outcomes = {"inbox": asyncio.run(without_inbox(stack)), "outbox": asyncio.run(without_outbox(stack))}
    for name, outcome in outcomes.items():
        print(f"without {name}\n{outcome.table()}")
    return {name: outcome.as_json() for name, outcome in outcomes.items()}


def _serving(plan: Plan) -> dict[str, Any]:
    behind = ("postgres", "s3", "registry", "ray", "rabbitmq")
    with chaos_stack("reliability", ray=True) as stack:
        served = asyncio.run(serve_through(stack, singly=behind, hold=plan.hold, promotions=plan.promotions))
    print(served.table())
    return served.as_json()


def _soak(plan: Plan) -> dict[str, Any]:
    with chaos_stack() as stack:
        return asyncio.run(soak(stack, seconds=plan.soak))


_MEASURED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "controls": lambda seen: [seen["inbox"]["total"]["duplicated"], seen["outbox"]["total"]["lost"]],
    "serving": lambda seen: {name: seen[name] for name in ("requests", "promotions", "outages")},
    "chaos": lambda seen: [seen["total"]["acknowledged"], seen["faults"]],
    "soak": lambda seen: {
        **{name: seen[name] for name in ("samples", "acknowledged", "predictions")},
        "trends": [f"{each['part']}: {each['measure']}" for each in seen["trends"]],
    },
}
"""What a section must hold more of than nothing."""


def missing(name: str, seen: dict[str, Any]) -> list[str]:
    """Return what a section was to measure and did not; without it, nothing lost proves nothing."""
    return [f"{name}: {seen['error']}"] if "error" in seen else list(gaps(_MEASURED[name](seen), name))


SECTIONS: dict[str, Callable[[Plan], dict[str, Any]]] = {
    "controls": _controls,
    "serving": _serving,
    "chaos": _chaos,
    "soak": _soak,
}
