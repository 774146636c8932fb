"""The OpenAPI document that the gateway serves: its own routes, and of those it passes on what their services say.

Run as ``python -m tests.support.openapi`` it writes ``contracts/interlock_contracts/openapi.json``. No service may
import another, so this stands where all of them are known.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from interlock_runtime.content_coding import AS_SENT
from interlock_runtime.http import security
from interlock_runtime.openapi import described, reached
from litestar import Litestar

from tests.security.apps import Way, applications, ways

PATH = Path(__file__).parents[2] / "contracts" / "interlock_contracts" / "openapi.json"

Json = dict[str, Any]


def documents(apps: dict[str, Litestar]) -> dict[str, Json]:
    """Return every service's own document."""
    return {service: described(app, service, security) for service, app in apps.items()}


def passed_on(apps: dict[str, Litestar]) -> list[tuple[Way, str]]:
    """Return every route that the gateway forwards as it is, and the service whose it is."""
    found = [way for way in ways({"gateway": apps["gateway"]}) if AS_SENT in way.handler.opt]
    return [(way, service) for way in found for service in way.handler.tags or ()]


def gateways(apps: dict[str, Litestar]) -> Json:
    """Return the gateway's document, completed with what it passes on.

    Raises:
        ValueError: two services mean something else by the same name.
    """
    each = documents(apps)
    whole = each["gateway"]
    schemas: Json = whole["components"]["schemas"]
    for way, service in passed_on(apps):
        method = way.method.lower()
        operation = each[service]["paths"][way.path][method]
        whole["paths"][way.path][method] = operation
        theirs = each[service]["components"]["schemas"]
        for name in reached(operation, theirs):
            if schemas.setdefault(name, theirs[name]) != theirs[name]:
                raise ValueError(f"{name} of {service} is not what others call {name}")
    whole["components"]["schemas"] = {name: schemas[name] for name in reached(whole["paths"], schemas)}
    return whole


def rendered(apps: dict[str, Litestar]) -> str:
    """Return the text of the file."""
    return json.dumps(gateways(apps), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    with TemporaryDirectory() as folder:
        text = rendered(applications(Path(folder)))
    if not PATH.exists() or PATH.read_text() != text:
        PATH.write_text(text)
        sys.stdout.write(f"written: {PATH.name}\n")


if __name__ == "__main__":
    main()
