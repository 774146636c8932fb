"""Transient errors: a dependency is down, or refuses everybody. Waiting helps, counting attempts does not."""

import errno
import socket

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

_ERRNOS = frozenset(
    {
        *(errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN, errno.ETIMEDOUT),
        *(errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM),
    }
)
"""The network is away, or this machine has run out of something."""

_STATES = ("08", "53", "57P", "57014", "58", "25006", "28", "3D000")
"""SQLSTATEs: no connection, no resources, shutting down or starting up, a statement that took too long, a disk that
fails, a standby that cannot be written to, a login that is refused, a database that is not there."""


def is_dependency_unavailable(error: BaseException) -> bool:
    """Return whether ``error`` says that a dependency is down, so that waiting helps and counting does not.

    A refused login is one: it is everybody's, mended by a person, and no fault of the message in flight.
    """
    if isinstance(error, DBAPIError):
        broken = error.connection_invalidated or isinstance(error, InterfaceError | OperationalError)
        return broken or _state(error.orig).startswith(_STATES)
    if isinstance(error, PoolTimeoutError | ConnectionError | TimeoutError | socket.gaierror):
        return True
    if isinstance(error, OSError):
        # asyncio says so, without a number, when a name has several addresses and none of them answers.
        return error.errno in _ERRNOS or str(error).startswith("Multiple exceptions: [Errno")
    return _state(error).startswith(_STATES)


def is_unstorable(error: BaseException) -> bool:
    """Return whether the database says that no column takes such a value (SQLSTATE class 22): no repeat helps."""
    return isinstance(error, DBAPIError) and _state(error.orig).startswith("22")


def _state(error: BaseException | None) -> str:
    """Return the SQLSTATE that a driver's error carries, or nothing."""
    return str(getattr(error, "sqlstate", None) or "")
