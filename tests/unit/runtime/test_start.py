"""A service's process makes no look for garbage while it starts, and looks again while it serves."""

import ast
import gc
from typing import Any

import pytest
import uvicorn
from interlock_contracts.deployment import NAMES
from interlock_gateway import app
from interlock_runtime.process import serve
from interlock_runtime.settings import HttpSettings
from litestar import Litestar
from litestar.datastructures import State
from opentelemetry.sdk.trace import TracerProvider
from pydantic import SecretStr

from tests.conftest import CHECKOUT


@pytest.fixture
def starting(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Be a process that starts, for as long as the test lasts."""
    threshold = gc.get_threshold()
    gc.disable()
    yield monkeypatch
    gc.set_threshold(*threshold)
    gc.enable()


@pytest.mark.parametrize("service", NAMES)
def test_the_first_import_of_a_service_is_the_start(service: str) -> None:
    """Whatever else is imported, is so without a look for garbage; only Python's own modules may come before."""
    program = CHECKOUT / "services" / service / f"interlock_{service}" / "__main__.py"
    imports = [each for each in ast.parse(program.read_text()).body if isinstance(each, ast.Import | ast.ImportFrom)]
    own = ("gc", "sys", "contextlib")
    first = next(each for each in imports if getattr(each, "module", each.names[0].name) not in own)
    assert isinstance(first, ast.Import)
    assert first.names[0].name == "interlock_runtime.start"


def test_a_service_looks_for_garbage_while_it_serves(starting: pytest.MonkeyPatch) -> None:
    """From its first request on."""
    seen: list[bool] = []
    starting.setattr(uvicorn, "run", lambda *_, **__: seen.append(gc.isenabled()))
    serve(Litestar([], logging_config=None), HttpSettings(key_pepper=SecretStr("a pepper of sixteen")))
    assert seen == [True]


def test_so_does_a_worker_of_the_gateway(starting: pytest.MonkeyPatch) -> None:
    """Its server is started by its parent, which says only what makes the application."""
    starting.setattr(app, "GatewaySettings", lambda: None)
    starting.setattr(app, "setup_telemetry", lambda *_: TracerProvider())
    starting.setattr(app, "create_app", lambda _: Litestar([], logging_config=None, state=State({"served": None})))
    app.create_worker()
    assert gc.isenabled()
