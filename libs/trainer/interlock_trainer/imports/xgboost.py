"""XGBoost's own model files, JSON or UBJSON: trees of numbers, which are data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from interlock_contracts.mlmodel import MlflowModel

from interlock_trainer.errors import DataError
from interlock_trainer.imports.original import Matrix, Original
from interlock_trainer.kinds.xgboost import LINKS, forest_of


def read(path: Path, about: MlflowModel, labels: int) -> Original:
    """Read a booster that gives a number, or probabilities of so many ``labels`` where there are any.

    Raises:
        DataError: it is no such file, or of a kind that is not served.
    """
    content = path.read_bytes()
    if not content.startswith(b"{"):
        raise DataError(
            f"{about.file} is neither JSON nor UBJSON; save the model again with model_format='ubj', or 'json'"
        )
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(content))
        booster = _best_of(booster, about.model_class)
        learner = json.loads(booster.save_raw("json"))["learner"]
    except (xgboost.core.XGBoostError, ValueError, KeyError, TypeError) as error:
        first = str(error).partition("\n")[0]  # what follows is a stack
        raise DataError(f"XGBoost cannot read {about.file}: {first[:300]}") from error
    _check(learner, labels)

    def answer(matrix: Matrix) -> Matrix:
        found = booster.predict(xgboost.DMatrix(matrix, nthread=1), validate_features=False).astype(np.float64)
        return np.column_stack((1.0 - found, found)) if labels and found.ndim == 1 else found

    names = list(booster.feature_names) if booster.feature_names else None
    return Original(names, booster.num_features(), lambda width: forest_of(learner, width), answer)


def _best_of(booster: xgboost.Booster, model_class: str | None) -> xgboost.Booster:
    """Return the trees that the model answers with: the wrappers for scikit-learn stop at the best iteration."""
    best = booster.attr("best_iteration")
    if best is None or not (model_class or "").startswith("xgboost.sklearn"):
        return booster
    return booster[: int(best) + 1]


def _check(learner: dict[str, Any], labels: int) -> None:
    kind, objective = learner["gradient_booster"]["name"], learner["objective"]["name"]
    if kind != "gbtree":
        raise DataError(f"a booster of the kind {kind}: only gbtree is imported")
    links = {name: link for name, link in LINKS.items() if (link == "identity") == (not labels)}
    if objective not in links:
        task = "classification" if labels else "regression"
        raise DataError(f"objective {objective} for a {task}: only {', '.join(links)} are imported for it")
    found = max(2, int(learner["learner_model_param"]["num_class"]))
    if labels and found != labels:
        raise DataError(f"the model knows {found} classes, the pipeline's target has {labels} labels")
    for tree in learner["gradient_booster"]["model"]["trees"]:
        if tree.get("categories_nodes") or int(tree["tree_param"].get("size_leaf_vector") or 0) > 1:
            raise DataError("trees that split by categories, or with several numbers in a leaf, are not imported")
