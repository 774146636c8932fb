"""A hundred tables without a leak, of twenty-five shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine

from tests.benchmarks.trust.tables import Columns, Made, hours, labels, normal_table, put

Rng = np.random.Generator


def clean(rng: Rng, tables: int = 100) -> Iterator[Made]:
    """Yield the tables, each shape in turn with other numbers and from 40 to some 2,000 rows."""
    for number in range(tables):
        rows = int(np.exp(rng.uniform(np.log(40), np.log(2000))))
        shape = SHAPES[number % len(SHAPES)]
        made = shape(rng, rows)
        made.name = f"{shape.__name__.strip('_')} of {len(made.columns['y'])} rows"
        yield made


def _weighted_sum(rng: Rng, rows: int) -> Made:
    return Made("", normal_table(rng, rows))


def _strong_feature(rng: Rng, rows: int) -> Made:
    x = rng.normal(size=rows)
    noise = rng.uniform(0.5, 1)  # from 0.90 to 0.97 of the target, as the distance of a flight tells its time
    return Made("", {"x": x, "other": rng.normal(size=rows), "y": 3 * x + noise * rng.normal(size=rows)})


def _curved(rng: Rng, rows: int) -> Made:
    table = normal_table(rng, rows)
    return Made("", {**table, "y": np.sin(table["x0"]) + table["x1"] ** 2 + 0.5 * rng.normal(size=rows)})


def _prices(rng: Rng, rows: int) -> Made:
    area = np.round(rng.gamma(5, 20, rows), 1)
    rooms = np.maximum(1, np.round(area / 30 + rng.normal(size=rows))).astype(np.int64)
    city = rng.integers(0, 25, rows)
    place = rng.uniform(-50, 50, (25, 2))[city]
    price = np.round(area * 40 * np.exp(0.3 * rng.normal(size=rows)) * (1 + city / 25), -2)
    names = np.array([f"city {each}" for each in range(25)])[city]
    return Made("", {"area": area, "rooms": rooms, "city": names, "lat": place[:, 0], "lon": place[:, 1], "y": price})


def _counts(rng: Rng, rows: int) -> Made:
    table = normal_table(rng, rows)
    return Made("", {**table, "y": rng.poisson(np.exp(table["y"] / 3))})


def _survey(rng: Rng, rows: int) -> Made:
    plan, age = rng.integers(0, 3, 8 * rows), rng.integers(18, 70, 8 * rows)
    answer = rng.random(8 * rows) < np.array([0.9, 0.3, 0.05])[plan]
    return Made("", {"plan": labels(plan, ("a", "b", "c")), "age": age, "y": answer})


def _numbered_survey(rng: Rng, rows: int) -> Made:
    table = _survey(rng, rows).columns
    return Made("", put(table, id=np.arange(len(table["y"]))), declared={"id": {"role": "ignore"}})


def _keyed(rng: Rng, rows: int) -> Made:
    return Made("", put(normal_table(rng, rows), id=rng.permutation(rows)), data={"key": ["id"]})


def _two_labels(rng: Rng, rows: int) -> Made:
    table = normal_table(rng, rows, noise=2)
    return Made("", {**table, "y": labels((table["y"] > 0).astype(int), ("no", "yes"))})


def _rare_label(rng: Rng, rows: int) -> Made:
    table = normal_table(rng, 2 * rows, noise=2)
    return Made("", {**table, "y": table["y"] > np.quantile(table["y"], 0.95)})


def _three_blobs(rng: Rng, rows: int) -> Made:
    kind = rng.integers(0, 3, rows)
    x = rng.normal(size=(rows, 3)) + 2 * np.eye(3)[kind]
    return Made("", {**{f"x{n}": x[:, n] for n in range(3)}, "y": labels(kind, ("red", "green", "blue"))})


def _categories(rng: Rng, rows: int) -> Made:
    kinds = rng.integers(0, (4, 12, 40), (rows, 3))
    y = sum(rng.normal(size=40)[kinds[:, n]] for n in range(3)) + rng.normal(size=rows)
    return Made("", {**{f"c{n}": np.array([f"v{each}" for each in kinds[:, n]]) for n in range(3)}, "y": y})


def _dates(rng: Rng, rows: int) -> Made:
    at = hours(rows)[np.sort(rng.integers(0, rows, rows))]
    table = normal_table(rng, rows)
    return Made("", {"at": at, **table, "y": table["y"] + np.sin(np.arange(rows) / 20)})


def _forecast(rng: Rng, rows: int) -> Made:
    walk = np.cumsum(rng.normal(size=rows))
    columns: Columns = {"at": hours(rows), "x": rng.normal(size=rows), "y": walk}
    return Made("", columns, data={"holdout": {"by": "time", "column": "at"}})


def _zeros(rng: Rng, rows: int) -> Made:
    table = normal_table(rng, rows)
    for name in ("x0", "x1"):
        table[name] = np.maximum(table[name], 0)
    return Made("", {**table, "y": np.maximum(table["y"], 0)})


def _missing(rng: Rng, rows: int) -> Made:
    table = normal_table(rng, rows)
    for name in ("x0", "x1"):
        table[name] = np.where(rng.random(rows) < 0.3, np.nan, table[name])
    table["x2"] = np.where(table["y"] + 3 * rng.normal(size=rows) > 2, np.nan, table["x2"])
    return Made("", table)


def _sorted(rng: Rng, rows: int) -> Made:
    table = normal_table(rng, rows)
    order = np.argsort(table["x0"])
    return Made("", {name: each[order] for name, each in table.items()})


def _wide(rng: Rng, rows: int) -> Made:
    return Made("", normal_table(rng, max(40, rows // 8), columns=60, noise=3))


def _skewed(rng: Rng, rows: int) -> Made:
    table = normal_table(rng, rows)
    return Made("", {name: np.exp(2 * each) for name, each in table.items()})


def _wages(rng: Rng, rows: int) -> Made:
    age, years = rng.integers(18, 66, rows), rng.integers(0, 40, rows)
    wage = (30_000 + 700 * years + 8000 * rng.standard_t(4, rows)).astype(np.int64)
    bonus = (wage * rng.uniform(0, 0.2, rows)).astype(np.int64)
    return Made("", {"age": age, "years": years, "bonus": bonus, "y": wage})


def _products(rng: Rng, rows: int) -> Made:
    product = rng.integers(0, 30, rows)
    weight, price = rng.gamma(2, 1, 30), np.round(rng.gamma(3, 10, 30), 2)
    y = rng.random(rows) < rng.uniform(0.2, 0.5, 30)[product]
    article = np.array([f"a{each}" for each in product])
    return Made("", {"article": article, "weight": weight[product], "price": price[product], "y": y})


def _panel(rng: Rng, rows: int) -> Made:
    who = np.repeat(np.arange(max(20, rows // 10)), 10)
    level = rng.normal(size=len(who))[who]
    x = rng.normal(size=(len(who), 2))
    table: Columns = {"person": who, "x0": x[:, 0], "x1": x[:, 1], "y": level + x[:, 0] + rng.normal(size=len(who))}
    return Made("", table, data={"key": ["person"]})


def _flags(rng: Rng, rows: int) -> Made:
    flags = rng.random((rows, 5)) < 0.4
    y = flags @ rng.normal(size=5) + rng.normal(size=rows)
    return Made("", {**{f"f{n}": flags[:, n] for n in range(5)}, "y": y})


def _parts_of_a_whole(rng: Rng, rows: int) -> Made:
    shares = rng.dirichlet((2, 3, 4), rows)
    return Made("", {**{f"part{n}": shares[:, n] for n in range(3)}, "y": shares[:, 0] + 0.2 * rng.normal(size=rows)})


def _published(rng: Rng, rows: int) -> Made:
    del rows
    load = (load_iris, load_wine, load_breast_cancer, load_diabetes)[int(rng.integers(4))]
    data, target = load(return_X_y=True)
    kinds = labels(target.astype(int), ("p", "q", "r")) if load is not load_diabetes else target
    return Made("", {**{f"x{n}": data[:, n] for n in range(data.shape[1])}, "y": kinds})


SHAPES: tuple[Callable[[Rng, int], Made], ...] = (
    _weighted_sum, _strong_feature, _curved, _prices, _counts, _survey, _numbered_survey, _keyed, _two_labels,
    _rare_label, _three_blobs, _categories, _dates, _forecast, _zeros, _missing, _sorted, _wide, _skewed, _wages,
    _products, _panel, _flags, _parts_of_a_whole, _published,
)  # fmt: skip
