"""No test leaves a thread behind that nobody stops."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_an_application_of_a_test_starts_no_thread_for_its_log() -> None:
    """Litestar's default configures the logging of the process, with a queue whose thread ends with the process only.

    Servers of the benchmarks are processes of their own.
    """
    chatty = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if "benchmarks" not in path.parts and "Litestar" in (text := path.read_text())
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Litestar"
        and not any(each.arg == "logging_config" for each in node.keywords)
    ]

    assert not chatty, "give them logging_config=None"
