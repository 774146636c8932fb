"""A stack of containers by podman-compose, started as `depends_on` says.

podman-compose 1.6 with Podman 4.3 starts everything at once whatever `depends_on` says of health, and without systemd
Podman never runs a health check by itself; so both is done here, by the same compose files.
"""

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CONTAINERS_CONF = Path(__file__).with_name("containers.conf")
POLL_SECONDS = 0.2


def podman(*words: str, check: bool = True) -> str:
    """Run podman; return what it printed."""
    done = subprocess.run(
        ["podman", *words], capture_output=True, text=True, check=False, env=os.environ | {"CONTAINERS_CONF": str(CONTAINERS_CONF)}
    )
    assert done.returncode == 0 or not check, f"podman {' '.join(words)}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@dataclass
class ComposeStack:
    """A project named ``project`` of these ``files``; ``program`` is podman-compose."""

    program: Path
    project: str
    files: Sequence[Path]
    env: Mapping[str, str]
    started: dict[str, float] = field(default_factory=dict)

    def up(self, *only: str, seconds: float = 180) -> None:
        """Start the services, each when what it depends on is as it asks for; wait until all of them are healthy."""
        began, services = time.monotonic(), self._services()
        waiting = {name: services[name] for name in (only or services)}
        under_way: set[str] = set()
        done: set[str] = set()
        while waiting or under_way:
            assert time.monotonic() < began + seconds, self._trouble(under_way or set(waiting))
            for name in sorted(under_way):
                if self._is_ready(name, services[name]):
                    under_way.discard(name)
                    done.add(name)
                    self.started[name] = round(time.monotonic() - began, 1)
            ready = [name for name, each in waiting.items() if set(each.get("depends_on") or ()) - {*waiting} - under_way == set(each.get("depends_on") or ())]
            if ready:
                self.compose("up", "--detach", "--no-deps", *ready)
                under_way |= {*ready}
                for name in ready:
                    del waiting[name]
            else:
                time.sleep(POLL_SECONDS)

    def compose(self, *words: str) -> str:
        """Run podman-compose; return what it printed."""
        files = [word for file in self.files for word in ("--file", str(file))]
        done = subprocess.run(
            [str(self.program), "--project-name", self.project, *files, *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **self.env, "CONTAINERS_CONF": str(CONTAINERS_CONF)},
        )
        assert done.returncode == 0, f"{' '.join(words)}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def container(self, service: str, number: int = 1) -> str:
        return f"{self.project}_{service}_{number}"

    def run_in(self, service: str, *words: str, check: bool = True, number: int = 1) -> str:
        return podman("exec", self.container(service, number), *words, check=check)

    def inspect(self, service: str, number: int = 1) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(podman("container", "inspect", self.container(service, number)))[0]
        return found

    def is_healthy(self, service: str, number: int = 1) -> bool:
        done = subprocess.run(
            ["podman", "healthcheck", "run", self.container(service, number)],
            capture_output=True,
            check=False,
            env=os.environ | {"CONTAINERS_CONF": str(CONTAINERS_CONF)},
        )
        return done.returncode == 0

    def left(self) -> str:
        """Return containers, networks and volumes of the project that are there."""
        mine = f"label=io.podman.compose.project={self.project}"
        return "".join(
            podman(*words, "--filter", mine, "--format", form)
            for words, form in (
                (("ps", "--all"), "{{.Names}}"),
                (("network", "ls"), "{{.Name}}"),
                (("volume", "ls"), "{{.Name}}"),
            )
        )

    def down(self) -> None:
        self.compose("down", "--volumes")

    def _services(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self.compose("config"))["services"]
        return found

    def _is_ready(self, name: str, service: dict[str, Any]) -> bool:
        state = self.inspect(name)["State"]
        ended = state["Status"] == "exited"
        assert not ended or (service.get("restart") == "no" and state["ExitCode"] == 0), self._trouble({name})
        if service.get("restart") == "no":
            return bool(ended)
        return self.is_healthy(name)

    def _trouble(self, names: set[str]) -> str:
        return "\n".join(f"{name}: {podman('logs', '--tail', '30', self.container(name), check=False)}" for name in names)
