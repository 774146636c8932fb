import importlib.util
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from interlock_modeling.engines import forest_kernel

from tests.unit.modeling.engines.forests import random_forest

ENGINES = Path(forest_kernel.__file__).parent
BUILD = Path(__file__).parents[4] / "libs/modeling/hatch_build.py"


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", BUILD)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_numbers_of_other_types_are_converted() -> None:
    """C reads eight bytes a cell, whatever they mean; so nothing but float64 gets there."""
    engine = random_forest(9, 3, depth=4, precision="float32")
    matrix = np.random.default_rng(1).integers(-1, 2, (21, 3))

    expected = engine.predict(matrix.astype(np.float64))

    for kind in ("int64", "float32", "int8", ">f8"):
        assert engine.predict(matrix.astype(kind)).tobytes() == expected.tobytes()


def test_arrays_of_a_file_that_lie_apart_are_put_together() -> None:
    """Columns first, or every second one: the kernel takes arrays row by row."""
    engine = random_forest(9, 3, depth=4, precision="float64")
    twice = np.repeat(engine.roots, 2)[::2]
    kernel = forest_kernel.ForestKernel(
        engine.nodes,
        twice,
        engine.output,
        np.asfortranarray(engine.value),
        engine.base,
        scale=engine.scale,
        link=engine.link,
        features=engine.features,
        single=False,
    )
    matrix = np.random.default_rng(1).uniform(-1, 1, (21, 3))

    assert kernel.check() is None
    assert kernel.walk(matrix).tobytes() == engine.predict(matrix).tobytes()


def test_a_block_that_no_memory_is_left_for_is_an_error_and_no_crash() -> None:
    """A process under a limit of memory gets a MemoryError, as from Python."""
    script = """if True:
        import resource
        import numpy as np
        from tests.unit.modeling.engines.forests import random_forest

        engine = random_forest(1, 300_000, depth=2, precision="float64")
        matrix = np.zeros((1024, 300_000))
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
        try:
            engine.predict(matrix)
        except MemoryError:
            print("out of memory")
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "out of memory\n"


def test_what_is_compiled_runs_on_any_linux_of_the_last_ten_years(build: ModuleType) -> None:
    """A symbol of a newer glibc, and the wheel's tag would promise what the library does not keep."""
    for library in build.KERNELS.values():
        found = re.findall(rb"GLIBC_(\d+\.\d+(?:\.\d+)?)", library.read_bytes())
        versions = [tuple(map(int, each.split(b"."))) for each in found]

        assert versions
        assert max(versions) <= build.GLIBC
    assert build._platform_tag() == "manylinux_2_17_" + sysconfig.get_platform().split("-")[-1]
