"""Forests of any size in a store, each of which tells its version by its answers."""

import numpy as np
from interlock_artifacts import ArtifactStore
from interlock_contracts.refs import ModelRef
from interlock_modeling.engines.forest import ForestEngine
from interlock_modeling.engines.forest_nodes import Splits, pack

from tests.support.stored_models import REGRESSION, put

DEPTH = 16
TREE_BYTES = 2**DEPTH * 24
"""A full tree of this depth: two nodes of 8 bytes and a leaf of 8 for each leaf."""


def put_forest(
    store: ArtifactStore, version: int, *, model: str, size: int = TREE_BYTES, depth: int = DEPTH
) -> ModelRef:
    """Store a forest of about ``size`` bytes whose every answer is ``1000 * version + 500``."""
    trees = max(1, size // (2**depth * 24))
    nodes, inner = 2 ** (depth + 1) - 1, 2**depth - 1
    rng = np.random.default_rng(version)
    number = np.arange(nodes)
    ahead = np.where(number < inner, number + 1, 0)
    splits = Splits(
        ahead=np.tile(ahead, trees),
        feature=rng.integers(0, 3, nodes * trees),
        threshold=rng.uniform(0, 100, nodes * trees).astype(np.float32).astype(np.float64),
    )
    engine = ForestEngine(
        nodes=pack(splits, 3, single=True),
        roots=(np.arange(trees) * nodes).astype(np.uint64),
        output=np.zeros(trees, dtype=np.int64),
        value=np.full((trees * (inner + 1), 1), (1000 * version + 500) / trees),
        base=np.zeros(1),
        scale=1.0,
        link="identity",
        features=3,
        precision="float32",
    )
    return put(store, REGRESSION, engine, version=version, model=model)
