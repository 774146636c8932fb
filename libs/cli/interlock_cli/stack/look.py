"""What a recorded stack looks like right now."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xmlrpc.client import Fault

from interlock_cli.stack import leftovers
from interlock_cli.stack.health import ailment
from interlock_cli.stack.home import Home
from interlock_cli.stack.listeners import port_fault
from interlock_cli.stack.part import Probe
from interlock_cli.stack.supervision import Supervisor


def status(home: Home) -> list[dict[str, Any]]:
    """Return each part as ``name, kind, pid, healthy, url``, and ``detail`` where it is not healthy."""
    records = home.read("parts") or []
    try:
        known = Supervisor(home).info() if records else {}
    except (OSError, Fault):
        known = {}
    with ThreadPoolExecutor(len(records) or 1) as pool:
        return list(pool.map(lambda record: _look(home, record, known), records))


def _look(home: Home, record: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    info = known.get(record["name"], {})
    pid = info.get("pid") or None
    why = None
    if record["ours"] and pid is None:
        state = info.get("statename")
        why = f"not running: {state}, {info['description']}" if state else "not running; interlock up starts it"
    else:
        why = ailment(Probe(**record["probe"])) or _port_fault(home, record)
    seen = {"name": record["name"], "kind": record["kind"], "pid": pid, "healthy": why is None, "url": record["url"]}
    return seen if why is None else {**seen, "detail": why}


def _port_fault(home: Home, record: Mapping[str, Any]) -> str | None:
    ports = record.get("listens", ()) if record["ours"] else ()
    return port_fault(ports, leftovers.marked(home.mark(record["name"]))) if ports else None
