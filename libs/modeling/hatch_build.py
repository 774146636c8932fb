"""Compiles the kernel of tree ensembles while this package is built or installed: for a wheel, and for a checkout.

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

ENGINES = Path(__file__).parent / "interlock_modeling" / "engines"
GLIBC = (2, 17)

OPTIONS = ("-std=c11", "-O3", "-shared", "-fPIC", "-s", "-Wall", "-Wextra", "-Werror", "-fno-sanitize=undefined")
SAME_BITS_EVERYWHERE = ("-ffp-contract=off",)
"""Where a processor can multiply and add in one step, it would round once instead of twice."""


class CompiledKernel(BuildHookInterface):  # type: ignore[type-arg]
    """Hatchling's hook: writes ``libforest.so`` beside its source, and names the platform in the wheel's tag."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        if self.target_name != "wheel":
            return
        compile_kernel()
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform_tag()}"
        build_data["artifacts"].append("libforest.so")


def compile_kernel() -> None:
    """Compile it.

    Raises:
        subprocess.CalledProcessError: the compiler refused, and has said why on the standard error.
    """
    target = [f"--target={platform.machine()}-linux-gnu.{GLIBC[0]}.{GLIBC[1]}"] if sys.platform == "linux" else []
    source, output = ENGINES / "forest_kernel.c", ENGINES / "libforest.so"
    compiler = [sys.executable, "-m", "ziglang", "cc"]
    subprocess.run(  # noqa: S603 - no argument comes from a client
        [*compiler, *target, *OPTIONS, *SAME_BITS_EVERYWHERE, "-o", str(output), str(source), "-lm"], check=True
    )


def _platform_tag() -> str:
    if sys.platform == "linux":
        return f"manylinux_{GLIBC[0]}_{GLIBC[1]}_{platform.machine()}"
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
