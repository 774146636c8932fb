"""All servers in turn, several times over, each round in another order; what is done is kept after each turn."""

import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.serving.cells import Plan, turn
from tests.benchmarks.serving.reference import Reference
from tests.benchmarks.serving.store import Results
from tests.benchmarks.serving.targets import Target


@dataclass(frozen=True)
class Rounds:
    """One interleaved run over ``targets``; ``folder`` is for what the load generator reads."""

    plan: Plan
    targets: list[Target]
    reference: Reference
    folder: Path

    async def run(self, results: Results) -> None:
        """Measure what ``results`` does not hold yet; a server that fails is written down, and the rest goes on."""
        results.data["plan"] = asdict(self.plan)
        results.data["titles"] = {each.name: [each.title, each.engine] for each in self.targets}
        for number in range(self.plan.rounds):
            for target in self._order(number):
                if not results.has(target.name, number):
                    await self._turn(target, number, results)

    def _order(self, number: int) -> list[Target]:
        """Return the targets, begun elsewhere and turned round in every second round."""
        start = number * len(self.targets) // self.plan.rounds
        order = self.targets[start:] + self.targets[:start]
        return order[::-1] if number % 2 else order

    async def _turn(self, target: Target, number: int, results: Results) -> None:
        try:
            cells = await turn(target, self.plan, self.reference, self.folder)
        except Exception as error:  # noqa: BLE001 - whatever a peer does must not end the run
            traceback.print_exc()
            results.failed(target.name, number, f"{type(error).__name__}: {error}"[:500])
        else:
            results.add([{"round": number, **cell} for cell in cells])
            for cell in cells:
                print(_line(number, cell), flush=True)


def _line(number: int, cell: dict[str, Any]) -> str:
    return (
        f"round {number + 1}  {cell['target']:<20} {cell['model']:<8} {cell['connections']:>3} connections "
        f"{cell['per_second']:>9.1f}/s  p50 {cell['p50_ms']:>8.2f} ms  p99 {cell['p99_ms']:>8.2f} ms  "
        f"{cell['cpu_us']:>8.0f} us CPU  {cell['errors']} errors"
    )
