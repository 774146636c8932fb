"""Samples by hash: uniform, independent under two salts, growing without a change of mind, equal in every process."""

import subprocess
import sys
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interlock_contracts.buckets import BUCKETS, bucket, in_share
from interlock_contracts.predictions import sampled

IDS = {
    "uuids": [f"{number:08x}-0000-4000-a000-{number * 2654435761 % 2**48:012x}" for number in range(100_000)],
    "counted": [str(number) for number in range(100_000)],
    "named": [f"customer-{number:06d}@example.com" for number in range(100_000)],
}
SALTS = [b"prediction log", b"experiment 1", b"experiment 2", bytes(8), bytes(7) + b"\1"]


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("one", range(len(SALTS)))
def test_samples_under_two_salts_are_independent(kind: str, one: int) -> None:
    """Of the 10 % of one salt, 10 % are in that of every other; with CRC-32 alone it may be none, or most."""
    ids = IDS[kind]
    of_one = [each for each in ids if in_share(each, 0.1, SALTS[one])]

    assert 0.095 < len(of_one) / len(ids) < 0.105
    for other in (salt for salt in SALTS if salt != SALTS[one]):
        assert 0.09 <= sum(in_share(each, 0.1, other) for each in of_one) / len(of_one) <= 0.11


def test_the_logs_sample_is_no_part_of_another() -> None:
    """What an experiment splits by the same id, the log has its ratio of."""
    logged = [each for each in IDS["uuids"] if sampled(each, 0.1)]

    assert 0.09 <= sum(in_share(each, 0.1, b"experiment 1") for each in logged) / len(logged) <= 0.11
    plain = [each for each in IDS["uuids"] if crc32(each.encode()) < 0.1 * BUCKETS]
    assert 0.09 <= sum(sampled(each, 0.1) for each in plain) / len(plain) <= 0.11


@given(st.text(), st.binary(max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_whoever_is_in_stays_in_as_a_share_grows(subject: str, salt: bytes, one: float, other: float) -> None:
    """And nobody is in a share of nothing, everybody in that of all."""
    smaller, larger = sorted((one, other))

    assert in_share(subject, smaller, salt) <= in_share(subject, larger, salt)
    assert in_share(subject, 1.0, salt)
    assert not in_share(subject, 0.0, salt)
    assert 0 <= bucket(subject, salt) < BUCKETS


def test_every_process_comes_to_the_same_answer() -> None:
    """Whatever it was started with; the numbers themselves stay, or a share would be dealt anew by an upgrade."""
    code = "from interlock_contracts.buckets import bucket; print(bucket('flights', b'salt'))"
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True, text=True
        ).stdout
        for seed in ("0", "1")
    }

    assert said == {f"{bucket('flights', b'salt')}\n"}
    assert bucket("flights", b"salt") == 1_931_473_610
