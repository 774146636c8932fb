import logging
from typing import Any

import pytest
from interlock_modeling.engines import forest_kernel
from interlock_modeling.engines.forest_nodes import NARROW, WIDE


def functions() -> list[Any]:
    loaded = [forest_kernel.kernels(layout) for layout in (NARROW, WIDE)]
    return [function for kernels in loaded for function in (kernels.walk, kernels.check)]


def test_compiled_code_has_names_that_hold_in_every_process() -> None:
    """A record's name is a number that each process counts anew: with the caches of two, wide nodes met narrow code."""
    assert all(len(function.signatures) == 1 for function in functions())
    assert not any("Record" in repr(kind) for function in functions() for kind in function.signatures[0])


def test_each_layout_has_its_own_files_in_the_cache() -> None:
    """Workers that compile for both at once could otherwise load the one's code for the other, and crash."""
    assert len({function._cache._cache_file._index_name for function in functions()}) == 4


def test_without_a_folder_for_the_cache_it_is_compiled_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    """A container without a home and with read-only packages starts slowly, but it starts."""
    known: dict[str, Any] = {"__name__": "nowhere"}
    exec("def double(number): return 2 * number", known)  # a function without a file has no place in the cache

    with caplog.at_level(logging.WARNING):
        double = forest_kernel._cached(known["double"], "narrow")

    assert double(21) == 42
    assert "set NUMBA_CACHE_DIR" in caplog.text
