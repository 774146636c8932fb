"""What ends a training that trying again would not help."""

from collections.abc import Iterator
from contextlib import contextmanager


class DataError(Exception):
    """The training failed because of its data or its pipeline; trying again would not help. The text says why."""


@contextmanager
def told_as(what: str) -> Iterator[None]:
    """Turn whatever a library makes of its numbers into a ``DataError`` that begins with ``what``.

    What the machine or the network lacks stays what it is: that may be better the next time.
    """
    try:
        yield
    except (DataError, OSError, MemoryError):
        raise
    except Exception as error:
        raise DataError(f"{what}: {type(error).__name__}: {error}"[:500]) from error
