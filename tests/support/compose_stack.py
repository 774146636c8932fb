"""A stack of containers by podman-compose, started as `depends_on` says.

podman-compose 1.6 with Podman 4.3 starts everything at once whatever `depends_on` says of health, and without systemd
Podman never runs a health check by itself; so both are done here, from the same compose files.
"""

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.podman import podman, run

POLL_SECONDS = 0.2


@dataclass
class ComposeStack:
    """A project named ``project`` of these ``files``, with ``env`` as its .env; ``program`` is podman-compose."""

    program: Path
    project: str
    files: Sequence[Path]
    env: Mapping[str, str]
    healthy_after: dict[str, float] = field(default_factory=dict)
    """Seconds after the start, by service."""

    def up(self, *, seconds: float = 240) -> None:
        """Start the services, each when what it depends on is as it asks for; wait until all of them are healthy."""
        began = time.monotonic()
        services: dict[str, Any] = yaml.safe_load(self.compose("config"))["services"]
        waiting, under_way = set(services), set[str]()
        while waiting or under_way:
            assert time.monotonic() < began + seconds, self._logs(under_way)
            for name in [each for each in under_way if self._is_ready(each, services[each])]:
                under_way.discard(name)
                self.healthy_after[name] = round(time.monotonic() - began, 1)
            free = [
                each for each in waiting if self.healthy_after.keys() >= set(services[each].get("depends_on") or ())
            ]
            if free:
                self.compose("up", "--detach", "--no-deps", *sorted(free))
                under_way.update(free)
                waiting.difference_update(free)
            else:
                time.sleep(POLL_SECONDS)

    def scale(self, service: str, number: int) -> None:
        self.compose("up", "--detach", "--no-deps", "--no-recreate", "--scale", f"{service}={number}", service)

    def down(self) -> None:
        """Remove everything; podman-compose itself knows of as many containers as the files say, so others go first."""
        mine = f"label=io.podman.compose.project={self.project}"
        names = podman("ps", "--all", "--filter", mine, "--format", "{{.Names}}").splitlines()
        if scaled := [name for name in names if not name.endswith("_1")]:
            podman("rm", "--force", "--ignore", "--time", "5", *scaled)
        self.compose("down", "--volumes", "--timeout", "20")

    def left(self) -> list[str]:
        """Return the names of containers, networks and volumes of the project that are there."""
        mine = f"label=io.podman.compose.project={self.project}"
        kinds = {("ps", "--all"): "{{.Names}}", ("network", "ls"): "{{.Name}}", ("volume", "ls"): "{{.Name}}"}
        return [
            name
            for words, form in kinds.items()
            for name in podman(*words, "--filter", mine, "--format", form).splitlines()
        ]

    def compose(self, *words: str) -> str:
        """Run podman-compose; return what it printed."""
        files = [word for file in self.files for word in ("--file", str(file))]
        done = run([str(self.program), "--project-name", self.project, *files, *words], self.env)
        assert done.returncode == 0, f"{' '.join(words)}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def container(self, service: str, number: int = 1) -> str:
        return f"{self.project}_{service}_{number}"

    def inspect(self, service: str, number: int = 1) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(podman("container", "inspect", self.container(service, number)))[0]
        return found

    def execute(self, service: str, *words: str, number: int = 1) -> subprocess.CompletedProcess[str]:
        """Run a program in a container; return how it ended."""
        return run(["podman", "exec", self.container(service, number), *words])

    def is_healthy(self, service: str, number: int = 1) -> bool:
        return run(["podman", "healthcheck", "run", self.container(service, number)]).returncode == 0

    def _is_ready(self, name: str, service: dict[str, Any]) -> bool:
        state = self.inspect(name)["State"]
        ended, once = state["Status"] == "exited", service.get("restart") == "no"
        assert not ended or (once and state["ExitCode"] == 0), self._logs({name})
        return ended if once else self.is_healthy(name)

    def _logs(self, services: set[str]) -> str:
        logs = (run(["podman", "logs", "--tail", "30", self.container(each)]) for each in sorted(services))
        return "\n".join(f"{each.args[-1]}:\n{each.stdout}{each.stderr}" for each in logs)
