"""The house rules that a linter does not know."""

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from interlock_contracts.catalog import OBSERVER, ROUTES
from interlock_messaging import topology

ROOT = Path(__file__).resolve().parents[2]
SERVICES = sorted(path.name for path in (ROOT / "services").iterdir() if (path / "pyproject.toml").exists())
ROOMS = {"gateway": 14}
"""At most so many files and folders at the top of a service that has folders."""

EVENTS_OF = {"LoggedVersion": "PredictionLogged"}
"""What makes events for services; whoever makes one says them."""

BANNED = {"utils", "common", "helpers", "base", "core", "misc", "impl", "shared"}


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if ".venv" not in path.parts:
                yield path


def test_no_file_is_longer_than_300_lines() -> None:
    """A file that cannot be read at one go has more than one reason to change."""
    long = {
        str(path.relative_to(ROOT)): count
        for path in sources("contracts", "libs", "services", "tests")
        if (count := len(path.read_text().splitlines())) > 300
    }
    assert not long


def test_no_module_is_named_for_nothing() -> None:
    """If no noun fits, the code belongs next to its caller."""
    assert not [path for path in sources("contracts", "libs", "services") if path.stem in BANNED]


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_files(service: str) -> None:
    """Knowing one service is knowing all."""
    package = ROOT / "services" / service / f"interlock_{service}"
    modules = {path.stem for path in package.glob("*.py")} | {
        path.parent.name for path in package.glob("*/__init__.py")
    }

    assert {"__init__", "__main__", "app", "handlers", "domain", "settings"} <= modules
    assert len(modules) <= ROOMS.get(service, len(modules))


@pytest.mark.parametrize("service", SERVICES)
def test_the_catalog_is_true_to_the_code(service: str) -> None:
    """A service hears exactly what the catalog says it hears."""
    handlers = importlib.import_module(f"interlock_{service}.handlers")
    heard = {
        event_type for subscriber in handlers.router.subscribers for event_type in topology.types_of(subscriber.queue)
    }
    heard |= {each for queue in getattr(handlers, "BATCH_QUEUES", ()) for each in topology.types_of(queue)}

    said = {route.event.type for route in ROUTES if service in (*route.consumers, *route.per_worker)}
    assert heard == (said if service != OBSERVER else {route.event.type for route in ROUTES if not route.ephemeral})


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_says_exactly_what_the_catalog_says(service: str) -> None:
    """Every event that a service may say is made somewhere in its code, and no other is."""
    made = {
        node.func.id
        for path in sources(f"services/{service}")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    made |= {event for maker, event in EVENTS_OF.items() if maker in made}
    code = "\n".join(path.read_text() for path in sources(f"services/{service}"))
    for route in ROUTES:
        name = route.event.__name__
        says = name in made or re.search(rf"\b{name} if\b|else {name}\b", code) is not None
        assert says == (service in route.producers), f"{service} {name}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_domain_is_plain_python(service: str) -> None:
    """A decision takes values and returns values: no session, clock, settings or framework."""
    tree = ast.parse((ROOT / "services" / service / f"interlock_{service}" / "domain.py").read_text())
    imported = {
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not imported & {"faststream", "sqlalchemy", "litestar", "ray", "minio", "httpx", "os"}
    assert not imported & {"interlock_runtime", "interlock_messaging", "interlock_artifacts"}


def test_only_the_middleware_commits() -> None:
    """One message is one transaction; a handler that commits breaks the promise of the inbox."""
    offenders = [path for path in sources("services") if re.search(r"\.commit\(\)", path.read_text())]
    assert not offenders


def test_the_environment_is_read_in_one_place() -> None:
    """Settings are composed from groups; a variable read elsewhere is one nobody finds."""
    allowed = (
        "libs/runtime",
        "libs/artifacts/interlock_artifacts/__main__.py",
        "libs/jobs/interlock_jobs/environment.py",
        "libs/messaging/interlock_messaging/crash_points.py",
        "libs/messaging/interlock_messaging/__main__.py",
        "libs/trainer",
        "libs/scoring",
        "libs/client/interlock_client/settings.py",
        "libs/cli",
        "libs/localstack",
        "libs/deployment",
    )
    offenders = [
        path
        for path in sources("contracts", "libs", "services")
        if re.search(r"os\.environ|os\.getenv", path.read_text())
        and not str(path.relative_to(ROOT)).startswith(allowed)
    ]
    assert not offenders


def test_nothing_but_the_trainer_unpickles() -> None:
    """What is served is data; code that arrives in a file is never run."""
    offenders = [
        path
        for path in sources("contracts", "libs", "services")
        if re.search(r"\b(pickle|joblib|cloudpickle|dill)\b\.(load|loads)", path.read_text())
    ]
    assert not offenders


def test_every_member_is_a_dependency_of_the_workspace() -> None:
    """A member that the root forgets is not installed by `make test`."""
    declared = " ".join(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
    for member in (ROOT / "contracts", *(ROOT / "libs").iterdir(), *(ROOT / "services").iterdir()):
        if (member / "pyproject.toml").exists():
            assert tomllib.loads((member / "pyproject.toml").read_text())["project"]["name"] in declared


def test_every_test_says_what_it_shows() -> None:
    """A test without a sentence is a riddle to whoever breaks it."""
    silent = [
        f"{path.relative_to(ROOT)}::{node.name}"
        for path in sources("tests")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert not silent
