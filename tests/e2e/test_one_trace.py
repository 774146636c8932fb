"""One trace from an upload to the swap in each worker, as the console has it: every hop, and who caused whom."""

from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx
import pytest
from interlock_contracts import telemetry

from tests.support.stack_user import ROW, User, csv
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

Edge = tuple[str, str]

SEND, PROCESS = "send interlock.events:", "process "

STEPS: tuple[str, ...] = (
    "ingest POST /datasets/{name}",
    "ingest check",
    f"ingest {SEND}dataset.ingested",
    f"train_dispatch {PROCESS}train_dispatch.dataset.ingested",
    "train_dispatch RUN {name}",
    "train_dispatch train",
    f"train_dispatch {SEND}training.completed",
    f"registry {PROCESS}registry.training.completed",
    f"registry {SEND}model.registered",
    f"evaluation_gate {PROCESS}evaluation_gate.model.registered",
    "evaluation_gate gate",
    f"evaluation_gate {SEND}evaluation.passed",
    f"registry {PROCESS}registry.evaluation.passed",
    "registry promote",
    f"registry {SEND}model.promoted",
    f"gateway {PROCESS}gateway.model.promoted",
    "gateway swap",
    f"gateway {SEND}model.serving",
    f"registry {PROCESS}registry.model.serving",
)
"""The way of a model, each step the cause of the next."""

BESIDE: set[Edge] = {
    *(("train_dispatch RUN {name}", f"train_dispatch {each}") for each in ("queue", "dispatch")),
    ("train_dispatch RUN {name}", f"train_dispatch {SEND}training.queued"),
    (f"train_dispatch {SEND}training.queued", "registry process registry.training.queued"),
    ("train_dispatch RUN {name}", f"train_dispatch {SEND}training.started"),
    *(
        ("train_dispatch train", f"train_dispatch {each}")
        for each in ("read", "share", "select", "search", "fit", "export")
    ),
    ("train_dispatch select", "train_dispatch candidate"),
    ("train_dispatch search", "train_dispatch trial"),
    (f"evaluation_gate {SEND}evaluation.passed", f"train_dispatch {PROCESS}train_dispatch.evaluation.passed"),
    (f"registry {SEND}model.promoted", f"train_dispatch {PROCESS}train_dispatch.model.promoted"),
    (f"registry {SEND}model.promoted", f"prediction {PROCESS}prediction.model.promoted"),
    ("gateway swap", "gateway load"),
}
"""What happens beside the way, or on several ways at once."""

HEARD: set[Edge] = {(f"gateway {PROCESS}gateway.model.promoted", "gateway swap"), ("registry promote", "gateway swap")}
"""How a worker learns of a promotion: by its event, or from the registry, which it may happen to ask before."""

MAY_BE: set[Edge] = {("train_dispatch RUN {name}", f"train_dispatch {SEND}training.progressed")}
"""Whether a short training is seen on its way is chance."""


def named(span: dict[str, Any], model: str) -> str:
    return f"{span['service'].removeprefix('interlock-')} {span['name'].replace(model, '{name}')}"


def edges(spans: list[dict[str, Any]], model: str) -> set[Edge]:
    """Return who caused whom, by service and name; what the console hears is left out, as it hears everything."""
    by_id = {span["span_id"]: span for span in spans}
    found = {
        (named(by_id[span["parent_id"]], model), named(span, model)) for span in spans if span["parent_id"] in by_id
    }
    return {(cause, effect) for cause, effect in found if not effect.startswith("console ")}


async def traced(user: User, trace_id: str, *names: str, swaps: int = 0) -> dict[str, Any]:
    """Return a trace from the console, once it has spans of all these names, and so many swaps."""
    key = {"Authorization": f"Bearer {user.env['INTERLOCK_API_KEY']}"}
    async with httpx.AsyncClient(base_url=user.env["INTERLOCK_CONSOLE_URL"], headers=key, timeout=30) as console:

        async def look() -> dict[str, Any] | None:
            answer = await console.get(f"/view/traces/{trace_id}")
            view: dict[str, Any] = answer.json() if answer.is_success else {"spans": []}
            complete = set(names) <= {span["name"] for span in view["spans"]} and len(of(view, "swap")) >= swaps
            return view if complete else None

        found: dict[str, Any] = await until(look, seconds=60)
        return found


def of(view: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [span for span in view["spans"] if span["name"] == name]


async def test_one_trace_from_an_upload_to_the_swap_of_each_worker(user: User) -> None:
    """Each expected edge and no other, one root, no orphan; a prediction leads back to its promotion."""
    name = await user.apply(trigger=["data"], candidates=["linear", "xgboost"], trials=2)
    caller = uuid4().hex
    # The caller does not record its own calls; how a model came to be is recorded all the same.
    user.http.headers["traceparent"] = f"00-{caller}-{'1' * 16}-00"
    await user.ingest(name, csv(200, seed=1))
    del user.http.headers["traceparent"]
    (run,) = await until(lambda: user.runs(name))
    assert (await user.ended(run["run_id"]))["state"] == "succeeded"
    await user.serves(name, 1)
    workers = (await user.json("GET", f"/models/{name}/rollout"))["workers"]

    expected = set(pairwise(STEPS)) | BESIDE
    whole = {effect.partition(" ")[2].replace("RUN {name}", f"RUN {name}") for _, effect in expected}

    async def joined() -> dict[str, Any] | None:
        """Each process tells its spans by itself, a second later."""
        seen = await traced(user, caller, *whole, swaps=workers)
        return seen if expected - HEARD <= edges(seen["spans"], name) else None

    view = await until(joined, seconds=90)
    found = edges(view["spans"], name)

    assert run["trace_id"] == caller
    assert found - MAY_BE - HEARD == expected - HEARD
    assert found & HEARD
    assert [span["name"] for span in view["spans"] if span["parent_id"] == "1" * 16] == [telemetry.SPAN_UPLOAD]
    assert len({each["attributes"][telemetry.WORKER] for each in of(view, "swap")}) == workers
    assert len(of(view, "candidate")) == 2
    assert len(of(view, "trial")) == 2
    (registered,) = of(view, f"{PROCESS}registry.training.completed")
    assert registered["attributes"][telemetry.WAITED] >= 0, "how long a message has waited is known of each"

    mine = uuid4().hex
    sampled = {"traceparent": f"00-{mine}-{'2' * 16}-01"}
    await user.json("POST", f"/models/{name}/predict", json={"rows": [ROW]}, headers=sampled)
    (asked,) = (await traced(user, mine, telemetry.SPAN_PREDICT))["spans"]
    (promoted,) = of(view, "promote")
    assert [(link["trace_id"], link["span_id"]) for link in asked["links"]] == [(caller, promoted["span_id"])]
