"""Start of a stack, or of what is missing of it: concurrently, each service once its dependencies are healthy."""

from collections import ChainMap
from collections.abc import Iterable

from interlock_localstack import orphans
from interlock_localstack.component import Component, Report
from interlock_localstack.concurrent_start import ConcurrentStart
from interlock_localstack.keys import admin_key
from interlock_localstack.plan import plan, shared_settings
from interlock_localstack.ports import Reservations, choose_ports
from interlock_localstack.state_dir import StateDir
from interlock_localstack.supervision import Supervisor


def start_stack(state_dir: StateDir, names: list[str], report: Report) -> None:
    """Start the named components and wait until each is healthy; running ones are kept, changed ones restarted.

    Raises:
        StackError: a component does not become healthy; the others are left running.
    """
    state_dir.root.mkdir(parents=True, exist_ok=True)
    with state_dir.lock(), Reservations() as reservations:
        state_dir.create()
        supervisor = Supervisor(state_dir)
        running = supervisor.is_running()
        if not running:
            # Orphans of a crashed supervisor or session would hold ports and locks.
            orphans.terminate_marked(state_dir.mark(), grace_seconds=3)
        whole = plan(state_dir, choose_ports(state_dir, reservations, running=running))
        components = {name: whole[name] for name in names}
        if not running:
            supervisor.start(reservations.descriptors)
        stale = supervisor.declare(
            {name: component.process for name, component in components.items() if component.process}
        )
        supervisor.stop_components(stale)
        for name in stale:
            supervisor.replace(name)
        _record(state_dir, components.values(), keep=running)
        ConcurrentStart(supervisor, state_dir, report).run(components)


def _record(state_dir: StateDir, components: Iterable[Component], *, keep: bool) -> None:
    before = (state_dir.read("parts") or []) if keep else []
    records = {each["name"]: each for each in before} | {component.name: component.record() for component in components}
    state_dir.write("parts", list(records.values()))
    leading = [each["exports"] for each in records.values()]
    state_dir.write(
        "environment", dict(ChainMap(*leading, shared_settings(state_dir), {"INTERLOCK_API_KEY": admin_key(state_dir)}))
    )
    state_dir.write("admin", dict(ChainMap(*[each.get("admin", {}) for each in records.values()])))
