"""The parts of a running stack, for tests that take some of them away."""

import json
from pathlib import Path
from typing import Any

import httpx
from interlock_localstack import health
from interlock_localstack.state_dir import StateDir
from interlock_localstack.status import stack_status
from interlock_localstack.supervision import Supervisor


class Parts:
    """Looks at the parts of one stack, stops them and starts them as its supervisor does."""

    def __init__(self, root: Path) -> None:
        self._home = StateDir(root)
        self._supervisor = Supervisor(self._home)

    def close(self) -> None:
        """Close the connections that looking has opened."""
        health._http().close()
        health._http.cache_clear()

    def _look(self, name: str) -> dict[str, Any]:
        return next(part for part in stack_status(self._home) if part["name"] == name)

    def pid(self, name: str) -> int:
        pid: int = self._supervisor.info()[name]["pid"]
        return pid

    def healthy(self, name: str) -> bool:
        return bool(self._look(name)["healthy"])

    def stop(self, name: str) -> None:
        self._supervisor.stop_components({name})

    def stop_all(self, names: set[str]) -> None:
        """Stop several parts at once."""
        self._supervisor.stop_components(names)

    def start(self, name: str) -> None:
        self._supervisor.start_component(name)

    def environment(self, name: str) -> dict[str, str]:
        """Return the environment that the stack gives the part."""
        env: dict[str, str] = self._declared(name)["env"]
        return env

    def command(self, name: str) -> list[str]:
        """Return the command that the stack starts the part with."""
        argv: list[str] = self._declared(name)["argv"]
        return argv

    def _declared(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self._home.etc / "parts" / f"{name}.json").read_text())
        return found

    def answers(self, name: str) -> bool:
        """Return whether something answers at the part's address, supervised or not."""
        try:
            # Without reading the system's certificates, which takes longer than the look.
            return httpx.get(f"{self._look(name)['url']}/health/ready", timeout=2, verify=False).is_success
        except httpx.TransportError:
            return False
