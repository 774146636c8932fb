"""Libraries that are imported when they are needed, and what to install where they are not there."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Name the extra that an import within needs.

    Raises:
        ModuleNotFoundError: the library is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"{error.name} is not installed; it comes with interlock-client[{name}]"
        raise ModuleNotFoundError(message, name=error.name) from error
