"""The benchmark from a retraining to the first answer, in its tiny form: one round, in which every hop is seen."""

import pytest

from tests.benchmarks.completeness import gaps
from tests.benchmarks.test_retrain_to_serving import measured
from tests.support.stack_user import User

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


async def test_the_time_from_a_retraining_to_the_first_answer_is_measured(user: User, stack: dict[str, str]) -> None:
    """Each hop has its spans, and together they are the time that a user waits."""
    (hops,) = await measured(user, stack, 1)
    parts = [seconds for hop, seconds in hops.items() if not hop.startswith("total")]
    assert len(parts) == 10
    assert sum(parts) == pytest.approx(hops["total"])
    assert not list(gaps(hops["total"], "total"))
