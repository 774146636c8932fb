"""An issuer of scoped credentials that remembers what it was asked for, or that lends nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from interlock_artifacts.store import StoreUnavailableError

LENT = {"INTERLOCK_S3_ACCESS_KEY": "lent", "INTERLOCK_S3_SESSION_TOKEN": "for a while"}


class Request(NamedTuple):
    """One call of ``issue``."""

    name: str
    prefix: str
    until: datetime
    reads: Sequence[str]


class Issuer:
    """Lends ``LENT``, or refuses."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.requests: list[Request] = []
        self._refuses = refuses

    def issue(self, name: str, prefix: str, until: datetime, *, reads: Sequence[str] = ()) -> dict[str, str]:
        self.requests.append(Request(name, prefix, until, reads))
        if self._refuses:
            raise StoreUnavailableError("the object store lends no rights")
        return LENT
