"""What an application has wired together, for tests that look behind its routes."""

from typing import TypeVar

from litestar import Litestar

T = TypeVar("T")


def dependency(app: Litestar, kind: type[T]) -> T:
    """Return the one dependency of ``app`` that is of this type."""
    values = [provide.dependency() for provide in app.dependencies.values()]  # type: ignore[union-attr]
    (found,) = [value for value in values if isinstance(value, kind)]
    return found
