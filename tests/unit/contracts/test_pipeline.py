"""pipeline.yaml: what is declared is checked, and every fault is named."""

from typing import Any

import pytest
from interlock_contracts.pipeline import Pipeline
from pydantic import ValidationError


def declared(**changes: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "name": "student-math",
        "task": "regression",
        "target": "math_score",
        "data": {
            "key": "id",
            "columns": {
                "id": {"type": "integer"},
                "gender": {"type": "category", "values": ["female", "male"]},
                "math_score": {"type": "number", "min": 0, "max": 100},
            },
        },
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        section = spec
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value
    return spec


def _batch(key: str) -> dict[str, str]:
    return {"name": "nightly", "schedule": "0 3 * * *", "object": key}


def test_features_are_the_columns_but_target_and_key() -> None:
    """A key would let a model remember rows, a target would tell it the answer."""
    assert list(Pipeline.model_validate(declared()).features) == ["gender"]


def test_the_digest_follows_the_meaning_and_not_the_spelling() -> None:
    """A default written out, or another order of keys, starts nothing."""
    spelled = declared(training__folds=5, data__key=["id"])

    assert Pipeline.model_validate(declared()).digest == Pipeline.model_validate(spelled).digest
    assert Pipeline.model_validate(declared()).digest != Pipeline.model_validate(declared(training__folds=4)).digest


def test_a_column_that_is_not_optional_is_declared_as_before_there_were_any() -> None:
    """Digests of pipelines that are applied already stay."""
    plain, column = declared(), {"type": "category", "values": ["female", "male"]}
    required = declared(data__columns__gender={**column, "optional": False})

    assert Pipeline.model_validate(required).digest == Pipeline.model_validate(plain).digest
    assert "optional" not in Pipeline.model_validate(plain).model_dump_json()
    assert Pipeline.model_validate(declared(data__columns__gender={**column, "optional": True})).digest != (
        Pipeline.model_validate(plain).digest
    )


def test_a_log_without_declared_days_is_declared_as_before_there_were_any() -> None:
    """Digests of pipelines that are applied already stay; days are a positive number."""
    plain = Pipeline.model_validate(declared())
    declares = declared()
    assert Pipeline.model_validate({**declares, "monitoring": {}}).digest == plain.digest
    assert "monitoring" not in plain.model_dump_json()

    kept = Pipeline.model_validate({**declares, "monitoring": {"prediction_log_days": 90}})
    assert kept.digest != plain.digest
    assert Pipeline.model_validate_json(kept.model_dump_json()) == kept
    with pytest.raises(ValidationError, match="prediction_log_days"):
        Pipeline.model_validate({**declares, "monitoring": {"prediction_log_days": 0}})


def test_columns_with_a_role_are_no_features() -> None:
    """They are read, checked and kept all the same; slices may be by them, and by features as before."""
    roles = {"note": ("category", "ignore"), "school": ("category", "slice"), "at": ("datetime", "time")}
    columns = {name: {"type": kind, "role": role} for name, (kind, role) in roles.items()}
    spec = declared(gate__slices=["school", "note", "gender"])
    spec["data"]["columns"] |= columns
    pipeline = Pipeline.model_validate(spec)

    assert list(pipeline.features) == ["gender"]
    assert pipeline.ignored == ["note", "school", "at"]
    assert Pipeline.model_validate_json(pipeline.model_dump_json()) == pipeline


def test_a_column_without_a_role_is_declared_as_before_there_were_any() -> None:
    """Digests of pipelines that are applied already stay."""
    spelled = declared(data__columns__gender={"type": "category", "values": ["female", "male"], "role": "feature"})

    assert Pipeline.model_validate(spelled).digest == Pipeline.model_validate(declared()).digest
    assert "role" not in Pipeline.model_validate(declared()).model_dump_json()


def test_drift_is_expected_of_what_it_is_measured_of() -> None:
    """Elsewhere the declaration would be ignored; without it a pipeline has the digest that it had."""
    spec = declared(data__columns__gender={"type": "category", "drift": "expected"})
    pipeline = Pipeline.model_validate(spec)

    assert Pipeline.model_validate_json(pipeline.model_dump_json()) == pipeline
    assert "drift" not in Pipeline.model_validate(declared()).model_dump_json()
    for column in ({"type": "datetime"}, {"type": "category", "role": "ignore"}):
        spec["data"]["columns"]["gender"] = column | {"drift": "expected"}
        with pytest.raises(ValidationError, match="drift belongs to columns that it is measured of"):
            Pipeline.model_validate(spec)


def test_a_row_has_one_weight() -> None:
    """Which of two counts could not be told."""
    spec = declared()
    spec["data"]["columns"] |= {name: {"type": "number", "role": "weight"} for name in ("w", "v")}
    with pytest.raises(ValidationError, match="only one can have `role: weight`; 'w', 'v' have it"):
        Pipeline.model_validate(spec)
    del spec["data"]["columns"]["v"]

    assert Pipeline.model_validate(spec).data.weight_column == "w"


@pytest.mark.parametrize(
    ("target", "good", "bad", "told"),
    [
        ({"type": "boolean"}, "true", "yes", "labels are true, false"),
        ({"type": "integer"}, "-1", "01", "labels are whole numbers"),
        ({"type": "category", "values": ["lo", "hi"]}, "hi", "high", "labels are lo, hi"),
    ],
)
def test_weighted_labels_must_be_able_to_occur(target: dict[str, Any], good: str, bad: str, told: str) -> None:
    """They are written as in answers; where labels are not declared, the training knows them."""
    spec = declared(task="classification", data__columns__math_score=target, training__class_weight={good: 2})
    free = declared(
        task="classification", data__columns__math_score={"type": "category"}, training__class_weight={"x": 2}
    )

    assert Pipeline.model_validate(spec).training.class_weight == {good: 2.0}
    assert Pipeline.model_validate(free).training.class_weight == {"x": 2.0}
    spec["training"]["class_weight"] = {bad: 2}
    with pytest.raises(ValidationError, match=f"class_weight names '{bad}'; {told}"):
        Pipeline.model_validate(spec)


def test_fixed_parameters_mean_the_same_however_they_are_written() -> None:
    """A share of 1 is not the number 1, and no parameters at all are declared as before there were any."""
    whole, point = (
        Pipeline.model_validate(
            declared(training__parameters={"random_forest": {"max_features": one, "max_depth": 3 * one}, "linear": {}})
        )
        for one in (1, 1.0)
    )

    assert whole.digest == point.digest
    assert repr(whole.training.parameters) == "{'random_forest': {'max_features': 1.0, 'max_depth': 3}}"
    assert Pipeline.model_validate_json(whole.model_dump_json()) == whole
    assert "parameters" not in Pipeline.model_validate(declared()).model_dump_json()


def test_a_target_may_come_with_its_transform() -> None:
    """Stored it is a field of its own, so that a target is a column's name to whoever reads pipelines."""
    transformed = Pipeline.model_validate(declared(target={"column": "math_score", "transform": "log1p"}))

    assert (transformed.target, transformed.target_transform) == ("math_score", "log1p")
    assert Pipeline.model_validate_json(transformed.model_dump_json()) == transformed
    assert Pipeline.model_validate(declared(target={"column": "math_score"})) == Pipeline.model_validate(declared())
    assert "transform" not in Pipeline.model_validate(declared()).model_dump_json()
    assert transformed.digest != Pipeline.model_validate(declared()).digest


@pytest.mark.parametrize("name", ["id", "math_score"])
def test_neither_key_nor_target_may_be_optional(name: str) -> None:
    """A row without them is of no use."""
    spec = declared()
    spec["data"]["columns"][name]["optional"] = True

    with pytest.raises(ValidationError, match=f"'{name}' cannot be optional"):
        Pipeline.model_validate(spec)


def test_the_champion_rule_has_a_default_for_each_task() -> None:
    """Nothing replaces what serves without a comparison, even where the file asks for none."""
    assert Pipeline.model_validate(declared()).champion.metric == "r2"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "Student Math"}, "name"),
        ({"batch": [{"name": "a", "schedule": "0 3 * *"}]}, "4 fields"),
        ({"batch": [{"name": "a", "schedule": "0 3 * * *"}] * 2}, "two batches have the same name"),
        ({"batch": [_batch("incoming/other/a.csv")]}, "a plain key below incoming/student-math/"),
        ({"batch": [_batch("incoming/student-math/../x")]}, "a plain key below incoming/student-math/"),
        ({"batch": [_batch("http://example.org/a.csv")]}, "a plain key below incoming/student-math/"),
        ({"trainning__folds": 3}, "trainning"),
        ({"target": {"column": "math_score", "transform": "sqrt"}}, "transforms are log1p and log"),
        ({"target": {"column": "math_score", "transform": ["log"]}}, "transforms are log1p and log"),
        ({"target": {"name": "math_score"}}, "a column's name, or {column: price, transform: log1p}"),
        (
            {"task": "classification", "target": {"column": "gender", "transform": "log"}},
            "a transform is for a regression",
        ),
        ({"target": "grade"}, "'grade' is not among data.columns"),
        ({"target": "gender"}, "a regression's target must be a number or an integer"),
        ({"task": "classification"}, "a classification's target must be a category, boolean or integer"),
        ({"data__key": ["math_score"]}, "both the target and part of the key"),
        ({"data__key": "nope"}, "data.key names 'nope'"),
        ({"gate__slices": ["nope"]}, "gate.slices names 'nope'"),
        ({"gate__metrics": {"accuracy": {"min": 0.5}}}, "metric 'accuracy' is not for regression"),
        ({"gate__metrics": {"r2": {}}}, "give min, max or both"),
        ({"data__columns__gender": {"type": "category", "min": 1}}, "min and max belong to number"),
        ({"data__columns__math_score": {"type": "number", "min": 5, "max": 1}}, "min 5 is above max 1"),
        ({"data__holdout": {"by": "time"}}, "needs `column`, or one column with `role: time`; none has it"),
        ({"data__columns__gender": {"type": "category", "role": "time"}}, "role: time belongs to datetime columns"),
        ({"data__columns__gender": {"type": "category", "role": "ignore"}}, "no feature is left"),
        ({"data__columns__id": {"type": "integer", "role": "ignore"}}, "'id' cannot have the role 'ignore'"),
        ({"data__columns__math_score": {"type": "number", "role": "slice"}}, "'math_score' cannot have the role"),
        ({"data__columns__gender": {"type": "category", "role": "label"}}, "'slice', 'time' or 'weight'"),
        ({"data__columns__gender": {"type": "category", "role": "weight"}}, "role: weight belongs to number"),
        ({"data__columns__gender": {"type": "number", "role": "weight", "optional": True}}, "that are not optional"),
        ({"training__class_weight": "balanced"}, "training.class_weight is for classification"),
        ({"training__class_weight": {"a": 0}}, "greater than 0"),
        (
            {"data__columns__gender": {"type": "category", "monotone": "increasing"}},
            "monotone belongs to features that",
        ),
        (
            {"data__columns__math_score": {"type": "number", "monotone": "increasing"}},
            "'math_score' cannot be monotone: it is the target",
        ),
        (
            {"data__columns__gender": {"type": "number", "monotone": "decreasing"}},
            "linear cannot be held to the monotone column 'gender'; decision_tree, random_forest, extra_trees,",
        ),
        (
            {
                "task": "classification",
                "data__columns__math_score": {"type": "category", "values": ["a", "b", "c"]},
                "data__columns__gender": {"type": "boolean", "monotone": "increasing"},
                "training__candidates": ["xgboost"],
            },
            "monotone columns need a number or two labels; 'math_score' has more",
        ),
        ({"training__parameters": {"random_forest": {"min_sample_leaf": 5}}}, "did you mean 'min_samples_leaf'?"),
        ({"training__parameters": {"linear": {"x": 5}}}, "linear has no parameter 'x'; it has penalty"),
        ({"training__parameters": {"xgboost": {"learning_rate": 5}}}, "cannot be 5; it is a number from 0.0001 to 1"),
        ({"training__parameters": {"xgboost": {"max_depth": 2.5}}}, "cannot be 2.5; it is a whole number from 1 to 32"),
        ({"training__parameters": {"xgboost": {"max_depth": True}}}, "valid integer"),
        (
            {"training__parameters": {"neural_network": {"width": 9}}},
            "neural_network, which is not among the candidates",
        ),
        ({"training__search": {"spaces": {"linear": {"penalty": [2, 1]}}}}, "2.0 to 1.0 is no range"),
        ({"training__search": {"spaces": {"linear": {"penalty": [1]}}}}, "at least 2 items"),
        ({"training__search": {"spaces": {"linear": {"alpha": [1, 2]}}}}, "linear has no parameter 'alpha'"),
        ({"training__search": {"spaces": {"random_forest": {"max_depth": [0, 9]}}}}, "max_depth cannot be 0"),
        ({"training__search": {"spaces": {"lightgbm": {"max_depth": [2, 9]}}}}, "lightgbm, which is not among"),
        (
            {
                "training__search": {"spaces": {"linear": {"penalty": [1, 2]}}},
                "training__parameters": {"linear": {"penalty": 1}},
            },
            "penalty cannot both be fixed by parameters and have a range",
        ),
        ({"training__search": {"strategy": "hyperband"}}, "'halving' or 'full'"),
        ({"data__csv": {"encoding": "utf-9"}}, "unknown encoding 'utf-9'"),
        ({"data__csv": {"delimiter": "::"}}, "delimiter"),
        ({"data__csv": {"delimiter": "'", "quote": "'"}}, "both"),
        ({"data__csv": {"delimiter": "§"}}, "ASCII"),
        ({"data__columns": {"__row__": {"type": "number"}, "math_score": {"type": "number"}}}, "two underscores"),
        ({"training__candidates": ["linear", "linear"]}, "named once"),
        ({"training__candidates": ["magic"]}, "random_forest"),
        ({"training__folds": 1}, "greater than or equal to 2"),
    ],
)
def test_a_fault_is_named(changes: dict[str, Any], told: str) -> None:
    """The message tells the field, and what would be right."""
    with pytest.raises(ValidationError) as caught:
        Pipeline.model_validate(declared(**changes))

    assert told in str(caught.value)
