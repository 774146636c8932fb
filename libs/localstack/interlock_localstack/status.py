"""Status of a recorded stack: which components run and are healthy, right now."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xmlrpc.client import Fault

from interlock_localstack.component import Probe
from interlock_localstack.health import health_fault
from interlock_localstack.listeners import component_port_fault
from interlock_localstack.state_dir import StateDir
from interlock_localstack.supervision import Supervisor


def stack_status(state_dir: StateDir) -> list[dict[str, Any]]:
    """Return each component as ``name, kind, pid, healthy, url``, and ``detail`` where it is not healthy."""
    records = state_dir.read("parts") or []
    try:
        known = Supervisor(state_dir).info() if records else {}
    except (OSError, Fault):
        known = {}
    with ThreadPoolExecutor(len(records) or 1) as pool:
        return list(pool.map(lambda record: _component_status(state_dir, record, known), records))


def _component_status(
    state_dir: StateDir, record: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    name, info = record["name"], known.get(record["name"], {})
    pid = info.get("pid") or None
    why: str | None
    if record["ours"] and pid is None:
        state = info.get("statename")
        why = f"not running: {state}, {info['description']}" if state else "not running; interlock up starts it"
    else:
        ports = record.get("listens", ()) if record["ours"] else ()
        why = health_fault(Probe(**record["probe"])) or component_port_fault(state_dir.mark(name), ports)
    seen = {"name": name, "kind": record["kind"], "pid": pid, "healthy": why is None, "url": record["url"]}
    return seen if why is None else {**seen, "detail": why}
