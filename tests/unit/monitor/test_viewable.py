"""Whatever is logged and told, live quality can be shown: one bad event breaks no page."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from interlock_contracts.predictions import FeedbackReceived, PredictionLogged
from interlock_contracts.quality import QualityView
from interlock_monitor.domain import Count, Pair
from interlock_monitor.quality import by_version

from tests.support.event_strategies import events

BUCKET = timedelta(hours=1)
START = datetime(2026, 11, 21, 8, tzinfo=UTC)
LABELS = st.none() | st.sampled_from([[False, True], [0, 1, 2], ["no", "yes"]])


@settings(max_examples=200)
@given(st.data(), LABELS)
def test_quality_of_whatever_was_logged_and_told_can_be_shown(data: st.DataObject, labels: list[Any] | None) -> None:
    """Also of answers, probabilities and ground truth that do not belong to the version's task."""
    logged, told = data.draw(events(PredictionLogged.type)), data.draw(events(FeedbackReceived.type))
    assert isinstance(logged, PredictionLogged)
    assert isinstance(told, FeedbackReceived)
    truths = [each.actual for each in told.feedback]
    pairs = [
        Pair(logged.version, START, row.answer, row.probabilities, actual) for row in logged.rows for actual in truths
    ]
    counts = [Count(logged.version, START, logged.answered, logged.dropped, len(logged.rows))]
    joined = Counter((pair.version, pair.at) for pair in pairs)

    measured = by_version({logged.version: labels}, counts, joined, pairs, since=START, bucket=BUCKET)

    view = QualityView(
        model=logged.model,
        since=START,
        until=START + BUCKET,
        bucket_seconds=3600,
        unmatched=0,
        versions=measured,
    )
    assert QualityView.model_validate_json(view.model_dump_json()) == view
    (version,) = view.versions
    assert (version.logged, version.joined) == (len(logged.rows), len(pairs))
    assert version.n <= len(pairs)
