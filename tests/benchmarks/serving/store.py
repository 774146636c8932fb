"""The results file: everything a run has measured so far, in JSON, written anew after each step."""

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.serving.environments import CHECKOUT

_MEASURES = ("per_second", "p50_ms", "p99_ms", "cpu_us")


@dataclass(frozen=True)
class Cell:
    """Medians over the rounds of one server, model and number of connections; ``errors`` are summed."""

    target: str
    model: str
    connections: int
    rounds: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    errors: int


@dataclass
class Results:
    """``data`` is the file's content."""

    path: Path
    data: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Read a results file."""
        return cls(path, json.loads(path.read_text()))

    def save(self) -> None:
        """Write the file; who reads it meanwhile sees the old or the new one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.data, indent=1) + "\n")
        part.replace(self.path)

    def has(self, target: str, number: int) -> bool:
        """Return whether a target's turn in a round has been measured."""
        return any(cell["target"] == target and cell["round"] == number for cell in self.data.get("cells", []))

    def add(self, cells: list[dict[str, Any]]) -> None:
        """Keep the cells of one turn; an earlier failure of it is made good."""
        self._forget_failure(cells[0]["target"], cells[0]["round"])
        self.data.setdefault("cells", []).extend(cells)
        self.save()

    def keep(self, section: str, numbers: dict[str, Any]) -> None:
        """Keep a section's numbers; an earlier failure of it is made good."""
        self._forget_failure(section, 0)
        self.data[section] = numbers
        self.save()

    def failed(self, target: str, number: int, reason: str) -> None:
        """Keep why a target could not be measured."""
        self._forget_failure(target, number)
        plain = reason.replace(str(CHECKOUT), "…").replace(str(Path.home()), "~")
        self.data.setdefault("failures", []).append({"target": target, "round": number, "reason": plain})
        self.save()

    def _forget_failure(self, target: str, number: int) -> None:
        others = [each for each in self.data.get("failures", []) if (each["target"], each["round"]) != (target, number)]
        self.data["failures"] = others

    def medians(self) -> list[Cell]:
        """Return one cell for each server, model and number of connections, in the order measured first."""
        return list(self._medians())

    def _medians(self) -> Iterator[Cell]:
        groups: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
        for cell in self.data.get("cells", []):
            groups.setdefault((cell["target"], cell["model"], cell["connections"]), []).append(cell)
        for (target, model, connections), same in groups.items():
            middle = {name: statistics.median(cell[name] for cell in same) for name in _MEASURES}
            errors = sum(cell["errors"] for cell in same)
            yield Cell(target, model, connections, len(same), **middle, errors=errors)
