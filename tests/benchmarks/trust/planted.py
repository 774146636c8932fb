"""Thirty tables with a leak each, as users have made them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.trust.tables import Columns, Made, hours, labels, normal_table, put

COPY, FORMULA = ("target_copy",), ("target_formula", "target_copy")
ID, TWINS, ENTITY, TIME = ("row_id",), ("near_duplicates",), ("shared_entities",), ("shared_times",)


def planted(rng: np.random.Generator, rows: int = 1000) -> Iterator[Made]:
    """Yield the tables, of some ``rows`` rows each."""
    yield from _copies(normal_table(rng, rows), rng)
    yield from _of_labels(rng, rows)
    yield from _formulas(rng, rows)
    yield from _ids(rng, rows)
    yield from _twins(rng, rows)
    yield from _entities(rng, rows)
    yield from _in_time(rng, rows)


def _copies(clean: Columns, rng: np.random.Generator) -> Iterator[Made]:
    y, rows = clean["y"], len(clean["y"])
    ranks = y.argsort().argsort()
    forms: dict[str, NDArray[Any]] = {
        "a copy": y.copy(),
        "in another unit": y * 2.54 + 100,
        "its exponential": np.exp(y),
        "falling": -(y**3),
        "its rank": ranks.astype(np.float64),
        "with noise of a millionth": y + 1e-6 * y.std() * rng.normal(size=rows),
        "rounded": np.round(y, 1),
        "as grades": labels(np.digitize(y, np.quantile(y, (0.2, 0.4, 0.6, 0.8))), ("e", "d", "c", "b", "a")),
        "passed or failed": labels((y > np.quantile(y, 0.7)).astype(int), ("failed", "passed")),
        "coded by a category": np.array(
            [f"c{each}" for each in np.random.default_rng(3).permutation(60)[ranks * 60 // rows]]
        ),
        "in the half of the rows that have it": np.where(rng.random(rows) < 0.5, y, np.nan),
    }
    for name, column in forms.items():
        yield Made(f"target {name}", put(clean, after=column), rules=COPY)
    skewed = put(clean, paid=np.exp(3 * y) * 1.19)
    yield Made("heavy-tailed target in another currency", {**skewed, "y": np.exp(3 * y)}, rules=COPY)


def _of_labels(rng: np.random.Generator, rows: int) -> Iterator[Made]:
    clean = normal_table(rng, rows, noise=2)
    score = clean["y"]
    churned = score > np.quantile(score, 0.85)
    clean["y"] = labels(churned.astype(int), ("no", "yes"))
    yield Made("label as a number", put(clean, flag=churned.astype(np.int64)), rules=COPY)
    left = np.where(churned, rng.integers(1, 300, rows), np.nan).astype(np.float64)
    yield Made("day of leaving, only of those who left", put(clean, left_on=left), rules=COPY)
    yield Made("score that the label was cut from", put(clean, score=score), rules=COPY)
    reason = np.where(churned, rng.choice(["price", "moved", "service"], rows), "active")
    yield Made("reason, only where there is one", put(clean, reason=reason), rules=COPY)


def _formulas(rng: np.random.Generator, rows: int) -> Iterator[Made]:
    a, b = rng.gamma(3, 2, rows) + 1, rng.gamma(2, 3, rows) + 1
    other = rng.normal(size=rows)
    base = {"a": a, "b": b, "other": other}
    targets = {"sum": a + b, "difference": a - b, "product": a * b, "ratio": a / b}
    for name, y in targets.items():
        yield Made(f"{name} of two columns", {**base, "y": np.round(y, 4)}, rules=FORMULA)
    yield Made("larger of two columns", {**base, "y": labels((a > b).astype(int), ("b", "a"))}, rules=FORMULA)


def _ids(rng: np.random.Generator, rows: int) -> Iterator[Made]:
    clean = normal_table(rng, rows)
    yield Made("row number", put(clean, n=np.arange(rows)), rules=ID)
    yield Made("order number with gaps", put(clean, order=np.cumsum(rng.integers(1, 90, rows))), rules=ID)
    yield Made("shuffled identifier", put(clean, code=rng.permutation(rows) + 5000), rules=ID)
    names = np.array([f"u-{each:08x}" for each in rng.permutation(10**6)[:rows]])
    yield Made("name of each row", put(clean, name=names), rules=ID)


def _twins(rng: np.random.Generator, rows: int) -> Iterator[Made]:
    some = normal_table(rng, rows // 3)
    tripled = {name: np.tile(each, 3) for name, each in some.items()}
    ignored = {"row_id": {"role": "ignore"}}
    number = np.arange(len(tripled["y"]))
    yield Made("rows three times, numbered", put(tripled, row_id=number), declared=ignored, rules=TWINS)
    shaken = {name: each + 1e-6 * rng.normal(size=len(each)) for name, each in tripled.items()}
    yield Made("rows three times, rounded otherwise", shaken, rules=TWINS)


def _entities(rng: np.random.Generator, rows: int) -> Iterator[Made]:
    things = rows // 12
    own = {f"t{n}": rng.normal(size=things) for n in range(3)}
    level = 2 * rng.normal(size=things)
    which = np.repeat(np.arange(things), 12)
    columns: Columns = {name: each[which] for name, each in own.items()}
    columns |= {"visit": np.tile(np.arange(12), things), "y": level[which] + rng.normal(size=len(which))}
    words = np.array([f"p{each}" for each in which])
    ignored = {"patient": {"role": "ignore"}}
    yield Made("patients with twelve visits each", put(columns, patient=words), declared=ignored, rules=ENTITY)
    keyed = put({name: each for name, each in columns.items() if name != "visit"}, device=which, visit=columns["visit"])
    yield Made(
        "devices of which a key of two columns parts the rows", keyed, data={"key": ["device", "visit"]}, rules=ENTITY
    )


def _in_time(rng: np.random.Generator, rows: int) -> Iterator[Made]:
    walk = np.cumsum(rng.normal(size=rows))
    columns = {"at": hours(rows), "x": rng.normal(size=rows), "y": walk + 0.1 * rng.normal(size=rows)}
    yield Made("hours of a slow series, split by hash", columns, rules=TIME)
