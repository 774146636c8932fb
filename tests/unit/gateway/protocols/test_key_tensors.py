"""Columns of the key over the Open Inference Protocol: they come back beside the predictions."""

import struct

from tests.support.gateway_app import Door
from tests.support.stored_models import put_model
from tests.unit.gateway.protocols.test_rest import COLOR, SIZE, infer, refusal


async def test_the_key_comes_back_behind_the_predictions(door: Door) -> None:
    """In JSON and as bytes, unless other outputs are named."""
    door.behind.promote(put_model(door.store, 1, model="sold", key=["who"]), seq=1)
    await door.serves(1, model="sold")
    who = {"name": "who", "shape": [2], "datatype": "INT32", "data": [7, 8]}
    told = (await infer(door, SIZE, COLOR, who, model="sold")).json()["outputs"]
    only = (await infer(door, SIZE, COLOR, who, model="sold", outputs=[{"name": "who"}])).json()["outputs"]
    none = await infer(door, SIZE, COLOR, model="sold", outputs=[{"name": "who"}])
    raw = await infer(door, SIZE, COLOR, who, model="sold", parameters={"binary_data_output": True})

    assert [each["name"] for each in told] == ["prediction", "who"]
    assert told[1] == {"name": "who", "datatype": "INT32", "shape": [2], "data": [7, 8]}
    assert only == told[1:]
    assert refusal(none) == "there is no output 'who'; the model gives prediction"
    assert raw.content.endswith(struct.pack("<2i", 7, 8))
