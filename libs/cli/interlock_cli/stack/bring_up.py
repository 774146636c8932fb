"""Starts a stack, or what is missing of it: servers at the same time, each service as soon as it can work."""

import time
from collections import ChainMap
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from interlock_cli.stack import leftovers
from interlock_cli.stack.health import ailment
from interlock_cli.stack.home import Home
from interlock_cli.stack.keys import admin_key
from interlock_cli.stack.log_lines import readable
from interlock_cli.stack.part import Part, Say
from interlock_cli.stack.plan import common, plan
from interlock_cli.stack.ports import ports
from interlock_cli.stack.supervision import Supervisor
from interlock_cli.terminal import Failure

POLL_SECONDS = 0.1
READY_SECONDS = 180.0
LOG_LINES = 12


def up(home: Home, names: list[str], say: Say) -> None:
    """Start the named parts and wait until each works; running parts stay, changed ones are started anew.

    Raises:
        Failure: a part does not work; the others are left running.
    """
    home.root.mkdir(parents=True, exist_ok=True)
    with home.lock():
        home.make()
        supervisor = Supervisor(home)
        running = supervisor.running()
        if not running:
            # What a crash of the supervisor or of the machine's owner left would hold ports and locks.
            leftovers.end(home.mark(), patience=3)
        whole = plan(home, ports(home, running=running))
        parts = {name: whole[name] for name in names}
        if not running:
            supervisor.start()
        stale = supervisor.declare({name: part.process for name, part in parts.items() if part.process})
        supervisor.stop(stale)
        for name in stale:
            supervisor.replace(name)
        _record(home, parts.values(), keep=running)
        _start(supervisor, home, parts, say)


def _record(home: Home, parts: Iterable[Part], *, keep: bool) -> None:
    before = (home.read("parts") or []) if keep else []
    records = {each["name"]: each for each in before} | {part.name: part.record() for part in parts}
    home.write("parts", list(records.values()))
    leading = [each["exports"] for each in records.values()]
    home.write("environment", dict(ChainMap(*leading, common(home), {"INTERLOCK_API_KEY": admin_key(home)})))
    home.write("admin", dict(ChainMap(*[each.get("admin", {}) for each in records.values()])))


def _start(supervisor: Supervisor, home: Home, parts: dict[str, Part], say: Say) -> None:
    states = supervisor.info()
    begun = {name: Future[None]() for name in parts}
    faults: list[str] = []

    def bring(part: Part) -> None:
        try:
            for name in part.after:
                if name in begun:
                    begun[name].result()
            _bring(supervisor, home, part, states.get(part.name, {}), say)
        except Failure as failure:
            faults.append(failure.message)
            begun[part.name].set_exception(failure)
        except BaseException as error:
            begun[part.name].set_exception(error)
            raise
        else:
            begun[part.name].set_result(None)

    with ThreadPoolExecutor(len(parts) or 1) as pool:
        for future in [pool.submit(bring, part) for part in parts.values()]:
            future.result()
    if faults:
        raise Failure("\n".join(dict.fromkeys(faults)), hint="interlock status, interlock logs PART")


def _bring(supervisor: Supervisor, home: Home, part: Part, state: dict[str, Any], say: Say) -> None:
    began = time.monotonic()
    alive = state.get("statename") in ("RUNNING", "STARTING", "BACKOFF")
    if part.process is not None and not alive:
        if part.process.prepare is not None:
            part.process.prepare(say)
        supervisor.begin(part.name)
    _wait(supervisor, home, part)
    if part.finish is not None:
        part.finish()  # also of one that runs: an `up` before may have been broken off just here, and repeating is free
    how = "yours" if part.process is None else "running" if alive else "ready"
    say(f"{part.name:<16} {how:<8} {time.monotonic() - began:5.1f} s   {part.url}")


def _wait(supervisor: Supervisor, home: Home, part: Part) -> None:
    deadline = time.monotonic() + (READY_SECONDS if part.process else 10)
    pids = set()
    while (why := ailment(part.probe)) is not None:
        vain = False
        if part.process is not None:
            info = supervisor.info().get(part.name, {})
            pids |= {info.get("pid")} - {0, None}
            vain = len(pids) > part.process.starts
        if vain or time.monotonic() > deadline:
            raise Failure(f"{part.name} does not work: {why}{_last_words(home, part)}")
        time.sleep(POLL_SECONDS)
    if part.process is None:
        return
    # Somebody else may answer on its port while our own process dies of that.
    if supervisor.info()[part.name]["pid"] == 0:
        raise Failure(f"{part.name} does not run, yet something answers at {part.url}{_last_words(home, part)}")


def _last_words(home: Home, part: Part) -> str:
    log = home.logs / f"{part.name}.log"
    if part.process is None or not log.exists():
        return ""
    lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
    return "".join(f"\n    {readable(line)}" for line in lines)
