"""Compiles the kernels of tree ensembles and of row hashes while this package is built or installed.

The compiler is Zig's, a wheel of the build's: the same on every machine, and what it makes runs on every Linux since
glibc 2.17.
"""

import platform
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = Path(__file__).parent / "interlock_modeling"
KERNELS = {
    PACKAGE / "engines" / "forest_kernel.c": PACKAGE / "engines" / "libforest.so",
    PACKAGE / "row_hash.c": PACKAGE / "librowhash.so",
}
GLIBC = (2, 17)

OPTIONS = ("-std=c11", "-O3", "-shared", "-fPIC", "-s", "-Wall", "-Wextra", "-Werror", "-fno-sanitize=undefined")
SAME_BITS_EVERYWHERE = ("-ffp-contract=off",)
"""Where a processor can multiply and add in one step, it would round once instead of twice."""


class CompiledKernel(BuildHookInterface):  # type: ignore[type-arg]
    """Hatchling's hook: writes each library beside its source, and names the platform in the wheel's tag."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        if self.target_name != "wheel":
            return
        for source, library in KERNELS.items():
            compile_kernel(source, library)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform_tag()}"
        build_data["artifacts"] += [library.name for library in KERNELS.values()]


def compile_kernel(source: Path, library: Path) -> None:
    """Compile one of them.

    Raises:
        subprocess.CalledProcessError: the compiler refused, and has said why on the standard error.
    """
    target = [f"--target={platform.machine()}-linux-gnu.{GLIBC[0]}.{GLIBC[1]}"] if sys.platform == "linux" else []
    compiler = [sys.executable, "-m", "ziglang", "cc"]
    subprocess.run(  # noqa: S603 - no argument comes from a client
        [*compiler, *target, *OPTIONS, *SAME_BITS_EVERYWHERE, "-o", str(library), str(source), "-lm"], check=True
    )


def _platform_tag() -> str:
    if sys.platform == "linux":
        return f"manylinux_{GLIBC[0]}_{GLIBC[1]}_{platform.machine()}"
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
