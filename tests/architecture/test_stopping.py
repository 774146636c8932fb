"""What tests start is stopped, whatever becomes of the test."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
Function = ast.FunctionDef | ast.AsyncFunctionDef

ONLY_AFTER_SUCCESS = {
    "good_before_and_after": "what a gateway serves after the block is asserted, nothing stopped",
    "opened": "the garbage of a gateway that has ended is collected early",
}
"""Context managers with something to do after their block that an exception may skip, and why."""


def unprotected(function: Function) -> bool:
    """Return whether something stands after the function's yield that an exception from the block would skip."""
    return any(_skipped(function.body))


def _skipped(body: list[ast.stmt]) -> Iterator[bool]:
    for place, statement in enumerate(body):
        if isinstance(statement, Function) or not any(isinstance(each, ast.Yield) for each in ast.walk(statement)):
            continue
        yield bool(body[place + 1 :]) and not (isinstance(statement, ast.Try) and statement.finalbody)
        if not (isinstance(statement, ast.Try) and statement.finalbody):
            yield from _skipped(getattr(statement, "body", []))


def context_managers() -> Iterator[tuple[str, Function]]:
    for path in sorted(TESTS.rglob("*.py")):
        if "contextmanager" not in (text := path.read_text()):
            continue  # most files: parsing all takes seconds
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, Function) and any(
                "contextmanager" in ast.unparse(each) for each in node.decorator_list
            ):
                yield f"{path.relative_to(TESTS)}: {node.name}", node


def test_a_context_manager_cleans_up_after_an_exception_too() -> None:
    """Without ``finally``, a failed assertion in its block leaves servers and processes behind."""
    found = dict(context_managers())
    assert len(found) > 20
    assert not [name for name, node in found.items() if unprotected(node) and node.name not in ONLY_AFTER_SUCCESS]


@pytest.mark.parametrize(
    ("body", "skips"),
    [
        ("start()\n    yield\n    stop()", True),
        ("with lock:\n        yield\n        stop()", True),
        ("with server:\n        yield\n    stop()", True),
        ("try:\n        yield\n    except OSError:\n        pass\n    stop()", True),
        ("try:\n        yield\n    finally:\n        stop()", False),
        ("with server:\n        yield", False),
    ],
)
def test_what_an_exception_would_skip_is_seen(body: str, skips: bool) -> None:
    """The rule itself: only ``finally`` and ``with`` are sure to come."""
    (function,) = ast.parse(f"def made():\n    {body}\n").body
    assert isinstance(function, Function)
    assert unprotected(function) is skips
