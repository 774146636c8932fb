"""Forests that are made, not grown."""

from dataclasses import replace

import numpy as np
from interlock_modeling.engines import ForestEngine
from interlock_modeling.engines.forest import Precision
from interlock_modeling.engines.forest_nodes import Splits, pack
from interlock_modeling.engines.links import Link


def stumps(precision: Precision = "float64", link: Link = "identity", base: float = 10.0) -> ForestEngine:
    """Return x0 <= 0.1 ? 1 : (x1 <= 5 ? 2 : 3), and a tree that is a single leaf of 100."""
    splits = Splits(
        ahead=np.array([1, 0, 1, 0, 0, 0]),
        feature=np.array([0, 0, 1, 0, 0, 0]),
        threshold=np.array([0.1, 0.0, 5.0, 0.0, 0.0, 0.0]),
    )
    return ForestEngine(
        nodes=pack(splits, 2, single=precision == "float32"),
        roots=np.array([0, 5], np.uint64),
        output=np.array([0, 0], np.int64),
        value=np.array([[1.0], [2.0], [3.0], [100.0]]),
        base=np.array([base]),
        scale=0.5,
        link=link,
        features=2,
        precision=precision,
    )


def random_forest(trees: int, features: int, depth: int, precision: Precision) -> ForestEngine:
    """Return complete trees of random splits at tenths, with the row's leaf written in its value's digits."""
    rng = np.random.default_rng(trees)
    size = 2 ** (depth + 1) - 1
    place = np.arange(size)
    ahead = np.tile(np.where(place < size // 2, place + 1, 0), trees)
    splits = Splits(ahead, rng.integers(0, features, trees * size), rng.integers(-9, 9, trees * size) / 10)
    return ForestEngine(
        nodes=pack(splits, features, single=precision == "float32"),
        roots=(np.arange(trees) * size).astype(np.uint64),
        output=np.arange(trees) % 2,
        value=rng.normal(size=(trees * 2**depth, 1)),
        base=np.array([0.5, -0.5]),
        scale=0.25,
        link="identity",
        features=features,
        precision=precision,
    )


def boosted(link: Link, scale: float) -> ForestEngine:
    """Return one output, or two, with sums of about ``scale``."""
    engine = replace(random_forest(5, 3, 3, "float64"), scale=float(scale))
    if link == "softmax":
        return replace(engine, link=link)
    return replace(engine, link=link, base=np.array([0.1]), output=np.zeros(5, np.int64))
