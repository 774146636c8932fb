"""Nothing that arrives is run: no pickle and its relatives, no unsafe loader, anywhere but where Ray itself does it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BANNED_MODULES = {"pickle", "_pickle", "joblib", "cloudpickle", "dill", "marshal", "shelve", "skops", "torch"}
"""Modules whose loaders run what they read."""

BANNED_CALLS = {"eval", "exec", "__import__"}
BANNED_ATTRIBUTES = {
    "yaml": {"load", "load_all", "unsafe_load", "full_load", "unsafe_load_all", "full_load_all"},
    "onnx": {"load", "load_model", "load_external_data_for_model"},
    "np": {"load", "fromregex", "memmap"},
    "numpy": {"load", "memmap"},
    "pa": {"deserialize", "PyExtensionType"},
    "pd": {"read_pickle", "eval"},
    "pandas": {"read_pickle", "eval"},
    "ray": {"put", "get", "client"},
}
"""``numpy.load`` would need ``allow_pickle=False`` at each place; nothing of ours is kept that way, so it is banned."""

ALLOWED = {
    # The text compiled is put together from the number and kinds of columns; names travel as values beside it.
    ("libs/modeling/interlock_modeling/fast_decoder.py", "exec"),
    # Inside a Ray job, Ray pickles between its own processes; no service does that or reads what came of it.
    ("libs/trainer/interlock_trainer/ray_pool.py", "ray.get"),
    ("libs/trainer/interlock_trainer/ray_pool.py", "ray.put"),
    ("libs/scoring/interlock_scoring/ray_pool.py", "ray.get"),
    # Protocol buffers, and tensors in files of the folder: it was unpacked without links, and onnx refuses a tensor's
    # file outside of it (tests/unit/trainer/imports/test_importing.py).
    ("libs/trainer/interlock_trainer/imports/onnx.py", "onnx.load"),
}


def sources() -> Iterator[Path]:
    for folder in ("contracts", "libs", "services"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if ".venv" not in path.parts:
                yield path


def offences(text: str) -> Iterator[str]:
    """Yield by name what may run what it reads."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names if name.name.split(".")[0] in BANNED_MODULES)
            case ast.ImportFrom(module=str(module), names=names):
                top = module.split(".")[0]
                if top in BANNED_MODULES:
                    yield module
                yield from (f"{top}.{name.name}" for name in names if name.name in BANNED_ATTRIBUTES.get(top, ()))
            case ast.Call(func=ast.Name(id=name)) if name in BANNED_CALLS:
                yield name
            case ast.Call(func=ast.Attribute(value=ast.Name(id=top), attr=name)):
                if name in BANNED_ATTRIBUTES.get(top, ()):
                    yield f"{top}.{name}"
            case ast.keyword(arg="allow_pickle" | "shell", value=ast.Constant(value=True)):
                yield f"{node.arg}=True"
            case _:
                pass


def test_nothing_that_arrives_is_run() -> None:
    """A walk over every module, the trainer's too: it hands over files of arrays, so it needs no pickle either."""
    found = {(str(path.relative_to(ROOT)), what) for path in sources() for what in offences(path.read_text())} - ALLOWED
    assert not found


def test_what_is_allowed_is_still_there() -> None:
    """An exception that nobody needs any more is a hole for the next one."""
    found = {(str(path.relative_to(ROOT)), what) for path in sources() for what in offences(path.read_text())}
    assert found >= ALLOWED


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from joblib import load",
        "import torch.serialization",
        "import numpy as np\nnp.load('x')",
        "from numpy import load",
        "import yaml\nyaml.load('x')",
        "from yaml import unsafe_load",
        "eval('1')",
        "read(allow_pickle=True)",
        "run('ls', shell=True)",
    ],
)
def test_the_walk_sees_what_it_looks_for(text: str) -> None:
    """The walk itself is tried, or it could be blind without anybody noticing."""
    assert list(offences(text))
