"""Immutable files: what was committed once stays as it was, as a queue, a database or a reader still depends on it."""

import pytest

from tests.support import immutable_files


def test_nothing_that_never_changes_was_changed_or_deleted() -> None:
    """The index of digests tells, also where no history is at hand."""
    now, known = immutable_files.files(), immutable_files.index()

    gone = sorted(known.keys() - now.keys())
    changed = sorted(path for path in known.keys() & now.keys() if known[path] != now[path])

    assert not gone, f"put back: {gone}"
    assert not changed, f"put back, and add a new file instead: {changed}"


def test_everything_new_is_in_the_index() -> None:
    """From its first commit on, that is; `make contracts` adds it."""
    assert sorted(immutable_files.files().keys() - immutable_files.index().keys()) == []


def test_no_golden_event_ever_committed_was_changed_or_deleted() -> None:
    """History is asked where there is one, and an index that was edited along with the file is found out."""
    history = immutable_files.history()
    if history is None:
        pytest.skip("no history at hand: the index alone tells")

    assert history, "the examples have a history"
    for path, blobs in history.items():
        assert blobs == {immutable_files.blob(path)}, f"{path} was changed or deleted since it was committed first"
