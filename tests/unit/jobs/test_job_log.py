"""The log of a job as it may be shown: bounded, its end, and without secrets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlock_jobs import job_log
from interlock_jobs.job_log import CUT, LOG_LINES, MASK, LogTail, secret_values

SECRET = "s3cr3t-of-the-job"


def shown(log: bytes, piece: int = 1000, secrets: tuple[str, ...] = ()) -> str:
    """Return the log as it is shown, where it came in pieces of that size."""
    tail = LogTail()
    for start in range(0, len(log), piece):
        tail.add(log[start : start + piece])
    return tail.text(secrets)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.integers(1, 7))
def test_a_short_log_is_shown_as_it_is(log: str, piece: int) -> None:
    """Whatever it has, and however it comes: a piece may end within a letter."""
    assert shown(log.encode(), piece) == log


def test_bytes_that_are_no_text_and_zeros_do_not_stop_it() -> None:
    """A database or a terminal could not take them."""
    assert shown(b"a\xffb\0c\n") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c\n"


@pytest.mark.parametrize("piece", [997, 3_000_000])
def test_of_a_long_log_whole_lines_of_the_end_are_left(piece: int) -> None:
    """The first line says so; memory and answer stay bounded."""
    lines = [f"{number:07d} {'x' * 91}" for number in range(9_000)]
    first, *rest = shown("\n".join(lines).encode(), piece).split("\n")

    assert first == CUT
    assert rest == lines[-len(rest) :]
    assert job_log.LOG_BYTES - 100 <= len("\n".join(rest)) <= job_log.LOG_BYTES


def test_of_many_lines_the_last_are_left() -> None:
    """As many as are promised, and no note where none is missing."""
    lines = [str(number) for number in range(LOG_LINES + 1)]
    assert shown("".join(f"{line}\n" for line in lines).encode()).split("\n") == [CUT, *lines[1:], ""]
    whole = "".join(f"{line}\n" for line in lines[1:])
    assert shown(whole.encode()) == whole


def test_a_line_without_end_is_cut_too() -> None:
    """As a progress bar makes it."""
    note, rest = shown(b"x" * 3_000_000).split("\n")
    assert note == CUT
    assert 0 < len(rest) <= job_log.LOG_BYTES


@given(st.integers(0, 400_000), st.booleans())
def test_no_part_of_a_secret_is_shown_wherever_the_cut_falls(before: int, line: bool) -> None:
    """It is masked before the cut, and what was dropped before that is further away than it is long."""
    log = b"x" * before + SECRET.encode() + (b"\n" if line else b"y") + b"z" * (400_000 - before)
    text = shown(log, 50_000, (SECRET,))

    assert not any(SECRET[start : start + 8] in text for start in range(len(SECRET) - 8))


def test_secrets_are_known_by_the_names_of_their_variables() -> None:
    """What is short would mask plain words, and the address of the store is no secret."""
    environment = {
        "INTERLOCK_S3_SECRET_KEY": SECRET,
        "INTERLOCK_S3_SESSION_TOKEN": "t" * 500,
        "INTERLOCK_S3_ENDPOINT": "http://store:9000",
        "API_KEY": "short",
    }
    assert secret_values(environment) == [SECRET, "t" * 500]
    assert shown(f"key={SECRET}\n".encode(), secrets=(SECRET,)) == f"key={MASK}\n"


def test_of_secrets_within_each_other_the_longest_is_masked_first() -> None:
    """Else its rest would be shown."""
    assert shown(f"{SECRET}-and-more".encode(), secrets=(SECRET, f"{SECRET}-and-more")) == MASK
