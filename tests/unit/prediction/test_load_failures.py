"""A replica says why it does not load a version: once for each reason, and as soon as the bus can be reached."""

import pytest
from interlock_artifacts.signing import UntrustedPromotionError
from interlock_contracts.models import ModelLoadFailed
from interlock_prediction.load_failures import LoadFailurePublisher
from interlock_serving.load_backoff import load_failure
from interlock_serving.manager import LoadReport
from interlock_serving.slot import ServedModel, Swapped

from tests.support.stored_models import RecordingBus, promotion


class Lab:
    """A publisher with a bus that can be down."""

    def __init__(self) -> None:
        self.bus = RecordingBus()
        self.failures = LoadFailurePublisher("replica-1", self.bus)

    async def fail(self, seq: int, error: Exception) -> None:
        failed = load_failure(promotion(seq), error, now=0.0, last=None)
        await self.failures.report(LoadReport(failed.promotion, failed, 0.1, f"promotion/flights/{seq}"))

    async def distrust(self, seq: int) -> None:
        error = UntrustedPromotionError("it is not signed")
        await self.failures.report(LoadReport(promotion(seq), error, 0.0, "the event"))

    def published(self) -> list[tuple[int, str]]:
        events = [event for event, _ in self.bus.published if isinstance(event, ModelLoadFailed)]
        return [(event.promotion_seq, event.reason) for event in events]


@pytest.fixture
def lab() -> Lab:
    return Lab()


async def test_a_failure_is_published_with_its_reason_and_its_cause(lab: Lab) -> None:
    """Operators see which replica does not load which version, and why."""
    await lab.fail(2, ValueError("the engine is damaged"))
    await lab.distrust(3)

    (failed, cause), (untrusted, event) = lab.bus.published
    assert isinstance(failed, ModelLoadFailed)
    assert (failed.model, failed.version, failed.promotion_seq, failed.worker) == ("flights", 2, 2, "replica-1")
    assert failed.reason == "ValueError: the engine is damaged"
    assert isinstance(untrusted, ModelLoadFailed)
    assert untrusted.reason == "UntrustedPromotionError: it is not signed"
    assert (cause, event) == ("promotion/flights/2", "the event")


async def test_each_reason_is_published_once_for_a_version(lab: Lab) -> None:
    """Loading and reconciling meet it again and again; another reason, or another promotion, is news."""
    for _ in range(3):
        await lab.fail(1, ConnectionError("S3 is down"))
        await lab.fail(1, ValueError("the engine is damaged"))
        await lab.distrust(2)
        await lab.fail(3, ValueError("the engine is damaged"))

    assert lab.published() == [
        (1, "ConnectionError: S3 is down"),
        (1, "ValueError: the engine is damaged"),
        (2, "UntrustedPromotionError: it is not signed"),
        (3, "ValueError: the engine is damaged"),
    ]


async def test_what_cannot_be_published_is_published_later_in_order(lab: Lab) -> None:
    """Though the load that failed may not be tried again for minutes."""
    lab.bus.down = True
    await lab.fail(1, ValueError("the engine is damaged"))
    await lab.distrust(2)
    await lab.failures.flush()
    assert not lab.bus.published

    lab.bus.down = False
    await lab.failures.flush()
    await lab.failures.flush()
    assert [seq for seq, _ in lab.published()] == [1, 2]


async def test_what_serves_is_not_published(lab: Lab) -> None:
    """That a version serves is the gateway's to say."""
    swapped: Swapped[ServedModel] = Swapped(promotion(1), ServedModel(1, 1, None))  # type: ignore[arg-type]
    await lab.failures.report(LoadReport(swapped.promotion, swapped, 0.1, "c"))

    assert not lab.bus.published
