"""Health of services, as each answers its readiness probe, and of servers, as the services that use them report."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from interlock_contracts.console import Health, HealthView
from interlock_contracts.deployment import OUTAGES

OK = "ok"
MAX_DETAIL = 300


@dataclass(frozen=True)
class Probe:
    """What a service answered: ``ok``, or what is wrong, for each dependency; ``problem`` where it gave no answer."""

    dependencies: Mapping[str, str]
    problem: str | None = None

    @property
    def broken(self) -> dict[str, str]:
        """Return the dependencies that do not answer it."""
        return {name: answer for name, answer in self.dependencies.items() if answer != OK}


def service_health(probe: Probe | None) -> tuple[Health, str | None]:
    """Return the health of a service that was asked, and what is wrong; None has not been asked."""
    if probe is None:
        return "unknown", "its address is not set for the console"
    if probe.problem is not None:
        return "unreachable", probe.problem
    if probe.broken:
        return "degraded", f"waits for {', '.join(sorted(probe.broken))}"
    return "ready", None


def server_health(name: str, probes: Mapping[str, Probe | None]) -> tuple[Health, str | None]:
    """Return the health of a server by what the services that use it report; those that do not answer do not count."""
    asked = {service: probe for service, probe in probes.items() if probe is not None}
    reports = {service: probe.dependencies[name] for service, probe in asked.items() if name in probe.dependencies}
    broken = {service: answer for service, answer in reports.items() if answer != OK}
    if not reports:
        return "unknown", "no service that uses it answers"
    if not broken:
        return "ready", None
    which = "; ".join(f"{service}: {answer}" for service, answer in sorted(broken.items()))
    return ("degraded" if len(broken) < len(reports) else "unreachable"), which


class HealthHistory:
    """Remembers since when each service and server has been as it is."""

    def __init__(self) -> None:
        self._views: dict[str, HealthView] = {}

    def record(self, name: str, health: Health, detail: str | None, now: datetime) -> None:
        """Record how something is now; the time changes only with its health."""
        before = self._views.get(name)
        since = before.since if before is not None and before.health == health else now
        detail = detail[:MAX_DETAIL] if detail else None
        means = OUTAGES.get(name) if health == "unreachable" else None
        self._views[name] = HealthView(name=name, health=health, since=since, detail=detail, means=means)

    def views(self, names: Iterable[str]) -> list[HealthView]:
        """Return what is known of each, in this order."""
        return [self._views[name] for name in names if name in self._views]
