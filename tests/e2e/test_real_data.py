"""Whole tables, with pipelines as a user writes them, by the command line alone.

One is made from a seed, so that every checkout can run it; the real ones need files beside the checkout, and --slow.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support.tables import write_students

CHECKOUT = Path(__file__).parents[2]
DATA = CHECKOUT.parent / "shared" / "data"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
]
_REAL = (pytest.mark.slow, pytest.mark.skipif(not DATA.is_dir(), reason="the tables are not part of the project"))


@dataclass(frozen=True)
class Case:
    """An example, its table, and what the gate must measure; ``tree`` is whether a tree model must win.

    Without a ``table`` one is made that fits the example.
    """

    example: str
    table: str | None
    metric: str
    low: float
    high: float
    tree: bool


CASES = [
    Case("students", None, "r2", 0.82, 0.92, tree=False),
    pytest.param(Case("students", "students/stud.csv", "r2", 0.82, 0.92, tree=False), marks=_REAL),
    pytest.param(Case("diamonds", "diamonds/diamonds.csv", "r2", 0.97, 0.99, tree=True), marks=_REAL),
    pytest.param(Case("income", "adult_income/income.csv", "roc_auc", 0.90, 0.94, tree=True), marks=_REAL),
]


def interlock(env: dict[str, str], *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "interlock_cli", *arguments, "--json"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"interlock {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.example}-{'real' if case.table else 'made'}")
def test_a_table_ends_in_a_model_that_is_as_good_as_it_can_be(
    stack: dict[str, str], case: Case, tmp_path: Path
) -> None:
    """Apply, ingest, watch, predict; the held-out score is in the range that others have found."""
    name = f"{case.example}-{uuid4().hex[:6]}"
    spec = (CHECKOUT / "docs" / "examples" / f"{case.example}.yaml").read_text()
    (tmp_path / "pipeline.yaml").write_text(spec.replace(f"name: {case.example}\n", f"name: {name}\n"))
    table = str(DATA / case.table if case.table else tmp_path / "made.csv")
    if case.table is None:
        write_students(Path(table))

    interlock(stack, "apply", str(tmp_path / "pipeline.yaml"))
    assert interlock(stack, "ingest", name, table)["state"] == "accepted"
    if "event]" in spec and "[data" not in spec:
        interlock(stack, "retrain", name)
    assert interlock(stack, "watch", "--model", name)["version"] == 1
    version = interlock(stack, "show", f"{name}/1")
    score = version["report"]["metrics"][case.metric]
    print(f"\n{case.example}: {case.metric} {score:.4f} on {version['report']['rows']} rows held out,", end=" ")
    print(f"winner {version['details']['winner']} in {version['details']['fit_seconds']:.1f} s of fits")

    assert case.low <= score <= case.high
    assert (version["details"]["winner"] != "linear") == case.tree
    answers = interlock(stack, "predict", name, "--file", table)
    answers = answers if isinstance(answers, list) else [answers]
    with Path(table).open() as lines:
        assert sum(len(each["predictions"]) for each in answers) == sum(1 for _ in lines) - 1
    assert {each["version"] for each in answers} == {1}
