"""A pytest plugin: what has been imported and collected stays, so Python does not look through it for garbage.

Imports and the list of tests are hundreds of thousands of objects, and were looked through again and again: the longer
the more of them there were.
"""

import gc
from collections.abc import Generator

import pytest

YOUNG_OBJECTS = 10_000
"""Allocations between two looks at what is new; Python's 700 are made by a single request."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for nothing while test modules are imported, and leave out what is there then."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS)
        gc.enable()
