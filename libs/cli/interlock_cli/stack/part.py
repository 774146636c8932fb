"""What a local stack is made of."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["server", "service"]
Say = Callable[[str], None]
"""Tells the user, in a line."""
Protocol = Literal["amqp", "postgres", "s3", "ray", "service"]


@dataclass(frozen=True)
class Probe:
    """How to ask a part whether it works: ``url`` with credentials, ``token`` where HTTP asks for one."""

    protocol: Protocol
    url: str
    token: str | None = None


@dataclass(frozen=True)
class Process:
    """A process that we start.

    ``env`` is its whole environment; ``prepare`` makes what it needs on disk, before a start only;
    it has ``stop_seconds`` to end after ``stop_signal`` before it is killed. A part that has ended ``starts`` times
    before it worked is given up by ``interlock up``, though not by the supervisor.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    prepare: Callable[[Say], None] | None = None
    stop_signal: str = "TERM"
    stop_seconds: int = 15
    starts: int = 3

    @property
    def digest(self) -> str:
        """Return a digest that changes whenever the process must be started anew."""
        return hashlib.sha256(json.dumps([self.argv, dict(sorted(self.env.items()))]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Part:
    """A server or service: ours where it has a ``process``, else somebody else's that we only use.

    ``url`` is for people and has no credentials; ``exports`` are the ``INTERLOCK_*`` settings that lead people to the
    part, ``own`` those of each service that has an identity of its own there, ``admin`` those of its administrator.
    ``finish`` makes inside of it what others need, once it answers: each time that it was started, and when it is
    somebody else's. ``after`` are the parts that must work before it starts. ``listens`` are the ports at which others
    reach its process.
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
        """Return the settings that lead a service to the part, under its own identity where it has one."""
        return {**self.exports, **self.own.get(service, {})}

    def record(self) -> dict[str, Any]:
        """Return what later commands need to know of the part, as JSON data."""
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
