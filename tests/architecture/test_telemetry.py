"""Names of spans and attributes: declared once, called as the semantic conventions call them, used by declaration."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import opentelemetry.semconv._incubating.attributes as incubating
import opentelemetry.semconv.attributes as stable
import pytest
from interlock_contracts import telemetry

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for folder in ("libs", "services") for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts
)
DECLARED = {name: value for name, value in vars(telemetry).items() if name.isupper() and isinstance(value, str)}
KINDS = ("SPAN_", "EVENT_HELD", "EVENT_RETRIED", "EVENT_DEAD_LETTERED", "EVENT_ALREADY_HANDLED", "LINK_")
"""How those names begin that are no attribute's."""

ATTRIBUTES = {name: value for name, value in DECLARED.items() if not name.startswith(KINDS)}
NAMES_SPANS = {"start_span", "start_as_current_span", "request_span", "add_event", "phase", "record_phase"}
NAMES_ATTRIBUTES = {"set_attribute"}


def known_to_the_conventions() -> set[str]:
    """Return every attribute of the installed semantic conventions, stable or still in the making."""

    def modules(package: ModuleType) -> Iterator[ModuleType]:
        for each in pkgutil.iter_modules(package.__path__):
            yield importlib.import_module(f"{package.__name__}.{each.name}")

    found = [module for package in (stable, incubating) for module in modules(package)]
    return {value for module in found for value in vars(module).values() if isinstance(value, str)}


@pytest.mark.parametrize("name", sorted(ATTRIBUTES))
def test_an_attribute_is_the_conventions_own_or_plainly_ours(name: str) -> None:
    """A name that looks like a convention's but is none would mean nothing to any other tool."""
    value = ATTRIBUTES[name]

    assert value.startswith("interlock.") != (value in known_to_the_conventions()), value


def test_no_name_is_declared_twice() -> None:
    """Two constants for one attribute would drift apart."""
    assert len(set(ATTRIBUTES.values())) == len(ATTRIBUTES)


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the strings that name a span, its event or an attribute where a constant should."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in ATTRIBUTES.values():
            yield node.lineno, str(node.value)
        if not isinstance(node, ast.Call):
            continue
        called = _called(node)
        named = node.args[0] if node.args and called in NAMES_SPANS | NAMES_ATTRIBUTES else None
        if isinstance(named, ast.Constant | ast.JoinedStr):
            yield node.lineno, ast.unparse(named)
        for given in node.keywords:
            if given.arg == "attributes" and called in NAMES_SPANS and isinstance(given.value, ast.Dict):
                yield from ((key.lineno, ast.unparse(key)) for key in given.value.keys if isinstance(key, ast.Constant))


def test_no_code_spells_a_name_itself() -> None:
    """Who searches for a name finds one declaration, and whoever renames it renames it everywhere."""
    found = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in SOURCES
        for line, name in _literals(ast.parse(path.read_text()))
    ]

    assert found == []


def test_the_search_for_literals_finds_them() -> None:
    """Each way to spell a name by hand is seen."""
    text = 'tracer.start_span("swap", attributes={"a.b": 1}); span.set_attribute("x", 1); f("cicd.pipeline.name")'

    assert {name for _, name in _literals(ast.parse(text))} == {"'swap'", "'a.b'", "'x'", "cicd.pipeline.name"}
