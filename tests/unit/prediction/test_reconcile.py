"""What the registry promotes is noted, also where its event was missed; loading it is another matter."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from interlock_artifacts import MemoryStore
from interlock_prediction.reconcile import PromotionReconciler
from interlock_runtime.clients import RegistryClient
from interlock_serving.eviction import ModelMemory
from interlock_serving.manager import LoadReport, ModelManager
from interlock_serving.slot import ServedModel
from pydantic import SecretStr

from tests.support import signing
from tests.support.signing import TRUST
from tests.support.stored_models import loader_in, put_model


class Lab:
    """A manager, and a registry that counts how often it is asked; ``views`` is None while it is down."""

    def __init__(self, folder: Path) -> None:
        self.store = MemoryStore()
        self.views: list[Any] | None = []
        self.asked = 0
        self.reports: list[LoadReport[ServedModel]] = []
        self.manager = ModelManager(
            "replica-1",
            loader_in(self.store, folder),
            TRUST,
            ModelMemory(1 << 20, "MEMORY"),
            serve=ServedModel.of,
            report=self.report,
        )
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.answer))
        registry = RegistryClient("registry", "http://registry", SecretStr("key"), client)
        self.reconciler = PromotionReconciler(registry, self.manager)

    def answer(self, _: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.views is None:
            return httpx.Response(503)
        return httpx.Response(200, json=[view.model_dump(mode="json") for view in self.views])

    async def report(self, report: LoadReport[ServedModel]) -> None:
        self.reports.append(report)

    def promote(self, version: int, model: str = "flights") -> None:
        self.views = [signing.serving(put_model(self.store, version, model=model), version)]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


async def test_a_promotion_whose_event_was_missed_is_noted_and_not_loaded(lab: Lab) -> None:
    """The next request loads it."""
    lab.promote(2)
    await lab.reconciler.reconcile()
    await lab.reconciler.reconcile()

    known = lab.manager.promotion("flights")
    assert known is not None
    assert known.seq == 2
    assert not lab.reports
    assert lab.manager.choose_version("flights") is None


async def test_an_archived_model_is_forgotten_until_it_is_back(lab: Lab) -> None:
    """What the registry merely leaves out stays known: an older backup of it would take models away."""
    lab.promote(2)
    promoted = list(lab.views or [])
    await lab.reconciler.reconcile()
    lab.views = [promoted[0].model_copy(update={"archived": True})]
    await lab.reconciler.reconcile()
    assert lab.manager.promotion("flights") is None

    lab.views = promoted
    await lab.reconciler.reconcile()
    lab.views = []
    await lab.reconciler.reconcile()
    assert lab.manager.promotion("flights") is not None


async def test_the_registry_is_asked_only_for_a_model_of_which_nothing_is_known(lab: Lab) -> None:
    """So an outage of the registry touches no model that serves; where it is needed, the caller gets the error."""
    lab.promote(1)
    await lab.reconciler.ensure_known("flights")
    await lab.reconciler.ensure_known("flights")
    assert lab.asked == 1

    lab.views = None
    await lab.reconciler.ensure_known("flights")
    with pytest.raises(ConnectionError):
        await lab.reconciler.ensure_known("students")


async def test_a_promotion_that_is_not_signed_is_reported_and_not_noted(lab: Lab) -> None:
    """Somebody who answers at the registry's address has no key."""
    lab.promote(1)
    assert lab.views is not None
    lab.views[0].signed = None
    await lab.reconciler.ensure_known("flights")

    assert lab.manager.promotion("flights") is None
    (report,) = lab.reports
    assert report.cause == "promotion/flights/1"
