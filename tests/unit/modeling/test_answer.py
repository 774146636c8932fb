"""What an answer has besides predictions."""

from interlock_modeling.answer import keys_of

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
