"""Starts a stack, or what is missing of it: servers at the same time, each service as soon as it can work."""

from collections import ChainMap
from collections.abc import Iterable

from interlock_cli.stack import leftovers
from interlock_cli.stack.home import Home
from interlock_cli.stack.keys import admin_key
from interlock_cli.stack.part import Part, Say
from interlock_cli.stack.plan import common, plan
from interlock_cli.stack.ports import Reservations, choose_ports
from interlock_cli.stack.startup import Startup
from interlock_cli.stack.supervision import Supervisor


def up(home: Home, names: list[str], say: Say) -> None:
    """Start the named parts and wait until each works; running parts stay, changed ones are started anew.

    Raises:
        Failure: a part does not work; the others are left running.
    """
    home.root.mkdir(parents=True, exist_ok=True)
    with home.lock(), Reservations() as reservations:
        home.make()
        supervisor = Supervisor(home)
        running = supervisor.running()
        if not running:
            # What a crash of the supervisor or of the machine's owner left would hold ports and locks.
            leftovers.end(home.mark(), patience=3)
        whole = plan(home, choose_ports(home, reservations, running=running))
        parts = {name: whole[name] for name in names}
        if not running:
            supervisor.start(reservations.descriptors)
        stale = supervisor.declare({name: part.process for name, part in parts.items() if part.process})
        supervisor.stop(stale)
        for name in stale:
            supervisor.replace(name)
        _record(home, parts.values(), keep=running)
        Startup(supervisor, home, say).run(parts)


def _record(home: Home, parts: Iterable[Part], *, keep: bool) -> None:
    before = (home.read("parts") or []) if keep else []
    records = {each["name"]: each for each in before} | {part.name: part.record() for part in parts}
    home.write("parts", list(records.values()))
    leading = [each["exports"] for each in records.values()]
    home.write("environment", dict(ChainMap(*leading, common(home), {"INTERLOCK_API_KEY": admin_key(home)})))
    home.write("admin", dict(ChainMap(*[each.get("admin", {}) for each in records.values()])))
