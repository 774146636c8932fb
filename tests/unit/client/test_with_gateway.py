"""Both clients at the gateway itself, with models that serve."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pandas as pd
import polars as pl
import pytest
from interlock_client import AsyncClient, Client, InvalidError, NotAllowedError, NotFoundError

from tests.support.gateway_app import KEY, Door, opened
from tests.support.stored_models import put_classifier, put_model


@pytest.fixture
def pauses() -> None:
    """Let time go by: the gateway needs it."""


@pytest.fixture(scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    """Return a gateway with a regression, `flights`, and a classification, `sales`, that serve."""
    async with opened(tmp_path_factory.mktemp("models")) as door:
        door.behind.promote(put_model(door.store, 1), seq=1)
        door.behind.promote(put_classifier(door.store, model="sales"), seq=1)
        await door.serves(1)
        await door.serves(1, model="sales")
        yield door


@pytest.fixture
async def client(door: Door) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(str(door.http.base_url), KEY) as client:
        yield client


@pytest.mark.parametrize("library", [pd, pl])
async def test_a_frame_is_predicted_by_what_serves(client: AsyncClient, library: Any) -> None:
    """Version 1 of `flights` answers with 1000 and the size; a missing color is no fault."""
    found = await client.predict("flights", library.DataFrame({"size": [3.0, 4.5], "color": ["green", None]}))

    assert list(found["prediction"]) == [1003, 1004.5]
    assert list(found["model_version"]) == [1, 1]
    assert len(set(found["prediction_id"])) == 2


async def test_a_classification_has_a_column_for_each_label(client: AsyncClient) -> None:
    """They sum to one, and the larger is the prediction."""
    found = await client.predict("sales", pd.DataFrame({"size": [1.0, 9.0], "color": ["red", "red"]}))

    assert found["prediction"].tolist() == [False, True]
    assert (found["probability_false"] + found["probability_true"]).tolist() == pytest.approx([1, 1])


async def test_the_gateways_refusals_are_errors_of_their_kind(client: AsyncClient, door: Door) -> None:
    """Each fault with its row and column, as data."""
    with pytest.raises(InvalidError) as raised:
        await client.predict("flights", pd.DataFrame({"size": [1.0, None], "color": ["red", "red"]}))
    assert [(each["row"], each["column"]) for each in raised.value.errors] == [(1, "size")]

    with pytest.raises(NotFoundError):
        await client.predict("nobody", [{"size": 1}])
    async with AsyncClient(str(door.http.base_url), "another-key-of-length") as stranger:
        with pytest.raises(NotAllowedError):
            await stranger.predict("flights", [{"size": 1}])


async def test_a_large_frame_is_more_than_one_request_takes(client: AsyncClient) -> None:
    """The gateway takes ten thousand rows, and ten megabytes."""
    rows = 12_345
    found = await client.predict("flights", pd.DataFrame({"size": [n % 100 for n in range(rows)], "color": "red"}))

    assert len(found) == rows
    assert found["prediction"].tolist() == [1000 + n % 100 for n in range(rows)]
    assert found["prediction_id"].is_unique


async def test_the_client_that_waits_gets_the_same(door: Door) -> None:
    """In a thread of its own here, for the gateway shares this one."""

    def ask() -> list[float]:
        with Client(str(door.http.base_url), KEY) as client:
            return [each.prediction for each in client.predict("flights", [{"size": 3, "color": "red"}])]

    assert await asyncio.to_thread(ask) == [1003]
