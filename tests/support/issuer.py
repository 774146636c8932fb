"""An issuer of scoped credentials that remembers what it was asked for, or that issues none."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from interlock_artifacts.store import StoreUnavailableError

ISSUED = {"INTERLOCK_S3_ACCESS_KEY": "issued", "INTERLOCK_S3_SESSION_TOKEN": "for a while"}


class Request(NamedTuple):
    """One call of ``issue``."""

    name: str
    prefix: str
    until: datetime
    reads: Sequence[str]


class Issuer:
    """Issues ``ISSUED``, or refuses."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.requests: list[Request] = []
        self._refuses = refuses

    def issue(self, name: str, prefix: str, until: datetime, *, reads: Sequence[str] = ()) -> dict[str, str]:
        self.requests.append(Request(name, prefix, until, reads))
        if self._refuses:
            raise StoreUnavailableError("the object store issues no credentials")
        return ISSUED
