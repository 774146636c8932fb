"""What an answer has besides predictions."""

import numpy as np
import pytest
from interlock_modeling import Model
from interlock_modeling.answer import answer, keys_of
from interlock_modeling.engines import LinearEngine, ModelFormatError
from interlock_modeling.signature import decide, place_of

from tests.unit.modeling.tables import ENCODER, ROW, signature


def test_the_key_of_each_row_is_given_back_as_it_was_sent() -> None:
    """So that answers can be joined to the client's own rows; an answer to rows without keys has none."""
    assert keys_of(signature(), [ROW | {"id": 7}, ROW]) == [{"id": 7}, {}]
    assert keys_of(signature(), [ROW]) == []
    assert keys_of(signature().model_copy(update={"key": []}), [ROW]) == []


def test_the_key_is_no_unknown_column() -> None:
    """Nor does the model see it."""
    assert (
        ENCODER.encode_rows(signature(), [ROW | {"id": 7}])[0].tolist()
        == ENCODER.encode_rows(signature(), [ROW])[0].tolist()
    )


def test_a_label_is_chosen_alike_of_arrays_and_of_lists() -> None:
    """The second of two from the threshold on; without one the most probable, of equals the first."""
    scores = [[0.5, 0.5], [0.7, 0.3], [0.7000000001, 0.2999999999], [0.0, 1.0]]
    for threshold, places in ((None, [0, 0, 0, 1]), (0.3, [1, 1, 0, 1]), (0.5, [1, 0, 0, 1]), (0.99, [0, 0, 0, 1])):
        answered = answer("id", "m", 1, ["no", "yes"], scores, (), threshold)

        assert decide(np.array(scores), threshold).tolist() == places
        assert [place_of(row, threshold) for row in scores] == places
        assert answered.predictions == [["no", "yes"][place] for place in places]


def test_a_threshold_is_for_two_labels() -> None:
    """A stored version that says otherwise is not served."""
    engine = LinearEngine(np.zeros((3, len(ENCODER.names))), np.zeros(3), "softmax")
    stated = signature().model_copy(update={"task": "classification", "labels": ["a", "b", "c"], "threshold": 0.3})

    with pytest.raises(ModelFormatError, match="a threshold is for two labels"):
        Model(stated, ENCODER, engine).check()
