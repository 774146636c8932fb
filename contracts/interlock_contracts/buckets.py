"""Deterministic sampling: the hash that puts a subject (a request, a customer) into a share, alike in every process."""

from zlib import crc32

BUCKETS = 2**32


def bucket(subject: str, salt: bytes) -> int:
    """Return a number below ``BUCKETS``, uniform over subjects; under two salts two independent ones.

    CRC-32 of salt and subject, then the 32-bit finalizer of MurmurHash3. CRC-32 alone is linear: another salt flips the
    same bits of every subject, so samples under two salts would be the same, or disjoint, instead of independent. Never
    ``hash()``, which is another in every process.
    """
    mixed = crc32(subject.encode(), crc32(salt))
    mixed = (mixed ^ mixed >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    mixed = (mixed ^ mixed >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return mixed ^ mixed >> 16


def in_share(subject: str, share: float, salt: bytes) -> bool:
    """Return whether ``subject`` is in a ``share`` of all, from 0 to 1; whoever is in one is in every larger one.

    Each purpose takes a ``salt`` of its own, or its sample would be part of another's.
    """
    return share >= 1.0 or bucket(subject, salt) < share * BUCKETS
