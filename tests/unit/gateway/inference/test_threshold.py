"""A threshold chooses the label in every protocol, on the fast path and beside it."""

import pytest

from tests.support.gateway_app import Door
from tests.support.stored_models import put_classifier
from tests.unit.gateway.fastpath.test_protocol import scraped

SIZES = [1.0, 1.5, 4.0, 6.0]
PROBABILITIES = [0.2689414213699951, 0.3775406687981454, 0.8807970779778823, 0.9820137900379085]
COUNTED, MODEL = "interlock_predicted_labels_total", ("model", "counted")
CHOSEN = {0.3: [False, True, True, True], 0.95: [False, False, False, True]}


@pytest.mark.parametrize("threshold", list(CHOSEN))
async def test_every_protocol_gives_the_label_that_the_threshold_chooses(door: Door, threshold: float) -> None:
    """Probabilities stay what they are; a warning takes the request off the fast path, to the same labels."""
    model, chosen = f"sales-{round(100 * threshold)}", CHOSEN[threshold]
    door.behind.promote(put_classifier(door.store, model=model, threshold=threshold), seq=1)
    await door.serves(1, model=model)
    rows = [{"size": size, "color": "green"} for size in SIZES]
    fast = (await door.http.post(f"/models/{model}/predict", json={"rows": rows})).json()
    odd = [row | {"color": "violet"} for row in rows]
    explained = (await door.http.post(f"/models/{model}/predict", json={"rows": odd})).json()
    scored = (await door.http.post(f"/models/{model}/invocations", json={"dataframe_records": rows})).json()
    tensor = {"name": "size", "shape": [4], "datatype": "FP64", "data": SIZES}
    inferred = (await door.http.post(f"/v2/models/{model}/infer", json={"inputs": [tensor]})).json()["outputs"]

    assert fast["predictions"] == explained["predictions"] == scored["predictions"] == chosen
    assert "warnings" in explained
    assert "warnings" not in fast
    assert [each["true"] for each in fast["probabilities"]] == pytest.approx(PROBABILITIES)
    assert {each["name"]: each["data"] for each in inferred}["prediction"] == chosen


async def test_label_counts_are_of_what_was_answered(door: Door) -> None:
    """The statistics of outputs count predicted labels, not more probable ones."""
    door.behind.promote(put_classifier(door.store, model="counted", threshold=0.3), seq=1)
    await door.serves(1, model="counted")
    rows = [{"size": size, "color": "green"} for size in SIZES]
    await door.http.post("/models/counted/predict", json={"rows": rows})
    counted = {
        dict(key[1:])["label"]: n for key, n in (await scraped(door)).items() if key[0] == COUNTED and MODEL in key
    }

    assert counted == {"false": 1, "true": 3}
