"""What a host was told to serve outlives its gateway: a start without the registry serves it, and nothing goes back."""

from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from interlock_artifacts import MemoryStore
from interlock_gateway.models.last_known import PromotionCache

from tests.support.gateway_app import NOWHERE, Behind, client, gateway, listening, opened
from tests.support.signing import TRUST
from tests.support.stored_models import ROW, promotion, put_model, version_of
from tests.support.waiting import until

REGISTRY = "http://registry"


def test_the_newest_promotion_of_each_model_is_remembered_in_any_order(tmp_path: Path) -> None:
    """Workers of a host write to one promotion cache, each when it gets that far."""
    for seq in (2, 5, 3, 5, 1):
        PromotionCache(tmp_path, REGISTRY, TRUST).note(promotion(seq))

    assert [each.seq for each in PromotionCache(tmp_path, REGISTRY, TRUST).promotions()] == [5]


@pytest.mark.parametrize("damage", [b"", b'{"registry":"http://registry","promotions":{"flights":{"seq":', b"[]"])
def test_a_damaged_ledger_is_an_empty_one(tmp_path: Path, damage: bytes) -> None:
    """It is a help, and no start fails for it."""
    PromotionCache(tmp_path, REGISTRY, TRUST).note(promotion(2))
    (tmp_path / "serving.json").write_bytes(damage)

    assert not PromotionCache(tmp_path, REGISTRY, TRUST).promotions()
    PromotionCache(tmp_path, REGISTRY, TRUST).note(promotion(1))
    assert [each.seq for each in PromotionCache(tmp_path, REGISTRY, TRUST).promotions()] == [1]


def test_another_registry_is_another_world(tmp_path: Path) -> None:
    """Its numbers begin anew, so this one's promotions count for nothing there."""
    PromotionCache(tmp_path, REGISTRY, TRUST).note(promotion(9))

    assert not PromotionCache(tmp_path, "http://other", TRUST).promotions()


async def test_a_start_without_the_registry_serves_what_served_last(tmp_path: Path) -> None:
    """The host's folder has all that it takes: which version, and its bytes, verified again."""
    behind, store = Behind(), MemoryStore()
    async with listening(behind.app()) as address:
        behind.promote(put_model(store, 4), seq=7)
        async with listening(gateway(store, tmp_path, address)) as url, client(url) as http:
            assert (await http.post("/models/flights/predict", json={"rows": [ROW]})).json()["version"] == 4
        store.objects.clear()
    gone = gateway(store, tmp_path, address)
    async with listening(gone) as url, client(url) as http:
        answer = (await http.post("/models/flights/predict", json={"rows": [ROW]})).json()
        assert answer["version"] == version_of(answer["predictions"][0]) == 4
        ready = (await http.get("/health/ready")).json()
        assert ready["registry"] == "ok", "it serves what should serve, as far as anybody here knows"


async def test_a_start_with_an_older_registry_does_not_go_back(tmp_path: Path) -> None:
    """A registry restored from an old backup is not trusted over what served here."""
    behind, store = Behind(), MemoryStore()
    async with listening(behind.app()) as address:
        old, new = put_model(store, 1), put_model(store, 2)
        behind.promote(new, seq=2)
        async with listening(gateway(store, tmp_path, address)) as url, client(url) as http:
            assert (await http.post("/models/flights/predict", json={"rows": [ROW]})).json()["version"] == 2
        behind.promote(old, seq=1)
        async with listening(gateway(store, tmp_path, address)) as url, client(url) as http:
            assert (await http.post("/models/flights/predict", json={"rows": [ROW]})).json()["version"] == 2


async def test_a_worker_reports_what_it_holds_and_withdraws_when_it_stops(tmp_path: Path) -> None:
    """Its report is its sign of life; when it stops, convergence does not wait for it."""
    async with opened(tmp_path) as door:
        door.behind.promote(put_model(door.store, 3), seq=5)
        await door.serves(3)
        (worker,) = await until(lambda: [name for name, each in door.behind.reports.items() if each.models])
        (held,) = door.behind.reports[worker].models
        assert (held.model, held.known_seq, held.version, held.promotion_seq) == ("flights", 5, 3, 5)
        behind = door.behind
    assert not behind.reports


async def test_without_a_ledger_a_start_without_the_registry_is_not_ready(tmp_path: Path) -> None:
    """Nobody knows what should serve, so it must not get requests."""
    async with listening(gateway(MemoryStore(), tmp_path / uuid4().hex, NOWHERE)) as url, client(url) as http:
        assert "not known yet" in (await http.get("/health/ready")).json()["registry"]


async def test_an_archived_model_serves_no_longer_until_it_is_back(tmp_path: Path) -> None:
    """Nor is it served by a start without the registry; the registry must say so, and not merely be silent."""

    async def status(http: httpx.AsyncClient) -> int:
        return (await http.post("/models/flights/predict", json={"rows": [ROW]})).status_code

    async def refuses() -> bool:
        return await status(http) == 404

    behind, store = Behind(), MemoryStore()
    async with listening(behind.app()) as address:
        behind.promote(put_model(store, 1), seq=1)
        async with listening(gateway(store, tmp_path, address)) as url, client(url) as http:
            assert await status(http) == 200
            behind.archive("flights")
            await until(refuses)
            told = (await http.post("/models/flights/predict", json={"rows": [ROW]})).json()
            assert "'flights' is archived" in told["detail"]
            assert not PromotionCache(tmp_path, address, TRUST).promotions()
            behind.archive("flights", archived=False)
            await until(lambda: PromotionCache(tmp_path, address, TRUST).promotions())
            assert await status(http) == 200
            behind.serving.clear()
            await behind.reported()
            await behind.reported()  # the answer to the first may be of before
            assert await status(http) == 200
