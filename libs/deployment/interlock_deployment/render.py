"""Files of a deployment that follow from the table of the services: written, or compared with what is there.

Run as ``python -m interlock_deployment.render [--check]`` in the top folder of a checkout (``make contracts``).
"""

import sys
from collections.abc import Callable
from pathlib import Path

from interlock_deployment import chart, compose, machines

FILES: dict[str, Callable[[], str]] = {
    "compose/compose.yaml": compose.compose,
    "compose/machines/group_vars/all/deployment.yml": machines.variables,
    f"{chart.FOLDER}/table.yaml": chart.table,
    f"{chart.FOLDER}/values.yaml": chart.values,
    f"{chart.FOLDER}/values.schema.json": chart.schema,
}
"""Path in the checkout -> its text."""


def main(arguments: list[str]) -> int:
    """Write every file; with ``--check`` only name those that differ, and return 1 then."""
    if arguments != ["--check"]:
        for path, text in FILES.items():
            Path(path).write_text(text())
        return 0
    stale = [path for path, text in FILES.items() if not Path(path).exists() or Path(path).read_text() != text()]
    for path in stale:
        sys.stderr.write(f"{path} is not what contracts/interlock_contracts/deployment.py says: run `make contracts`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
