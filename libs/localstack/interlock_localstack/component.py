"""Components of a local stack: servers and services, how they are started and how their health is probed."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["server", "service"]
Report = Callable[[str], None]
"""Shows a line of progress to the user."""
Protocol = Literal["amqp", "postgres", "s3", "ray", "service"]


@dataclass(frozen=True)
class Probe:
    """Health probe of a component: ``url`` with credentials, ``token`` where HTTP asks for one."""

    protocol: Protocol
    url: str
    token: str | None = None


@dataclass(frozen=True)
class Process:
    """A process that the supervisor runs.

    ``env`` is its whole environment; ``prepare`` creates what it needs on disk, before a start only;
    it has ``stop_seconds`` to end after ``stop_signal`` before it is killed. ``interlock up`` gives up on
    a component that has ended ``max_starts`` times before it was healthy; the supervisor never does.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    prepare: Callable[[Report], None] | None = None
    stop_signal: str = "TERM"
    stop_seconds: int = 15
    max_starts: int = 3

    @property
    def digest(self) -> str:
        """Return a digest that changes whenever the process must be restarted."""
        return hashlib.sha256(json.dumps([self.argv, dict(sorted(self.env.items()))]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Component:
    """A server or service: run by the stack where it has a ``process``, else external and only used.

    ``url`` is for people and has no credentials; ``exports`` are the ``INTERLOCK_*`` settings that lead people to the
    component, ``own`` those of each service that has an identity of its own there, ``admin`` those of its
    administrator. ``finish`` creates inside of it what others need, once it is healthy: after each start, and when it
    is external. ``after`` are the components that must be healthy before it starts. ``listens`` are the ports at which
    others reach its process.
    """

    name: str
    kind: Kind
    url: str
    probe: Probe
    exports: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    admin: Mapping[str, str] = field(default_factory=dict)
    process: Process | None = None
    finish: Callable[[], None] | None = None
    after: tuple[str, ...] = ()
    listens: tuple[int, ...] = ()

    def settings(self, service: str) -> Mapping[str, str]:
        """Return the settings that lead a service to the component, under its own identity where it has one."""
        return {**self.exports, **self.own.get(service, {})}

    def record(self) -> dict[str, Any]:
        """Return what later commands need to know of the component, as JSON data."""
        return {
            "name": self.name,
            "kind": self.kind,
            "url": self.url,
            "probe": asdict(self.probe),
            "exports": dict(self.exports),
            "admin": dict(self.admin),
            "ours": self.process is not None,
            "listens": list(self.listens),
        }
