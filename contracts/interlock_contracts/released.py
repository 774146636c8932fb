"""Released contracts: the check that fails when a schema breaks what a release has promised.

``contracts/released/<version>/`` holds the schemas of one release; its files are never changed. Run as
``python -m interlock_contracts.released`` it lists what is broken and in which order it could be rolled out; with
``--record VERSION`` it writes down the schemas of a new release, unless they break those before.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from interlock_contracts.catalog import BY_TYPE, OUTSIDE
from interlock_contracts.compatibility import Change, changes
from interlock_contracts.render import ROOT, schemas

RELEASED = ROOT / "contracts" / "released"

_OTHERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pipeline": (("people",), ("registry", "ingest", "train_dispatch", "evaluation_gate", "trainer")),
    "training-manifest": (("trainer",), ("registry", "evaluation_gate", "gateway", "prediction")),
    "problem": (("every service",), ("clients",)),
    "rest": (("clients, of requests; services, of answers",), ("services, of requests; clients, of answers",)),
}
"""Who writes, and who reads, what is no event."""

_DECLARED = {"pipeline": "", "rest": "PipelineView.spec"}
"""What people declare, and where they get it back: it may be wider than in the last release. People declare
what is new only once a release has it; a service of the one before, amid a roll-out, dead-letters it."""


def releases() -> list[Path]:
    """Return the folder of each release, oldest first."""
    return sorted((each for each in RELEASED.iterdir() if each.is_dir()), key=lambda each: _version(each.name))


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split("."))


def broken(current: dict[str, dict[str, Any]], folders: Iterable[Path]) -> list[str]:
    """Return one text for each schema that breaks a promise of a release: what, and how to roll it out instead.

    Nothing may break a release, however old: its messages may still lie somewhere. What widens counts against the
    last one only: once a release that reads it is out, it may be written.
    """
    ordered = list(folders)
    texts = []
    for folder in ordered:
        for path in sorted(folder.glob("*.json")):
            name, old = path.stem, json.loads(path.read_text())
            if name not in current:
                found = [Change("", "is gone, and its messages may still lie in queues and dead letters", "breaks")]
            else:
                found = [each for each in changes(old, current[name]) if not _is_declared_wider(name, each)]
            if worst := [each for each in found if each.kind == "breaks"]:
                texts.append(_report(name, folder.name, worst, _replace(name)))
            elif found and folder == ordered[-1]:
                texts.append(_report(name, folder.name, found, _widen(name)))
    return texts


def _is_declared_wider(name: str, change: Change) -> bool:
    return change.kind == "widens" and name in _DECLARED and change.where.startswith(_DECLARED[name])


def _report(name: str, release: str, found: Iterable[Change], steps: Iterable[str]) -> str:
    kind = "breaks" if any(each.kind == "breaks" for each in found) else "is wider than"
    lines = [f"{name} {kind} release {release}:", *(f"  - {each}" for each in found), "Roll it out in this order:"]
    return "\n".join([*lines, *(f"  {number}. {step}" for number, step in enumerate(steps, 1))])


def _hands(name: str) -> tuple[str, str]:
    if name not in BY_TYPE:
        writers, readers = _OTHERS.get(name, (("whoever writes it",), ("whoever reads it",)))
        return ", ".join(writers), ", ".join(readers)
    route = BY_TYPE[name]
    writers = tuple("people outside" if each == OUTSIDE else each for each in route.producers)
    return ", ".join(writers), ", ".join((*route.consumers, *route.per_worker)) or "whoever consumes it"


def _replace(name: str) -> list[str]:
    writers, readers = _hands(name)
    following = _following(name)
    return [
        f"leave {name} as it was, and make {following} beside it",
        f"readers ({readers}): understand both {name} and {following}",
        f"writers ({writers}): write both, in one transaction",
        f"readers: stop reading {name}, once every replica of every reader has step 2",
        f"writers: stop writing {name}, once no queue, dead letter or outbox holds one",
    ]


def _following(name: str) -> str:
    stem, dot, number = name.rpartition(".v")
    return f"{stem}.v{int(number) + 1}" if dot and number.isdigit() else f"{name}.v2"


def _widen(name: str) -> list[str]:
    writers, readers = _hands(name)
    return [
        f"readers ({readers}): understand the wider {name}, while no writer writes it yet",
        "make a release of that: python -m interlock_contracts.released --record VERSION",
        f"writers ({writers}): write it in a release after that one, once every reader has it",
    ]


def record(version: str) -> Path:
    """Write down what release ``version`` promises; return its folder.

    Raises:
        ValueError: it breaks an earlier release, is no later than one, or is not three numbers with dots.
    """
    known = releases()
    if len(_version(version)) != 3:  # noqa: PLR2004
        raise ValueError(f"{version} is no version; write it as 1.2.3")
    if known and _version(version) <= _version(known[-1].name):
        raise ValueError(f"release {version} is not after {known[-1].name}")
    current = schemas()
    # Only what breaks: recording what is wider separates readers that understand it from those that do not.
    if texts := broken(current, [*known, RELEASED / version]):
        raise ValueError("\n\n".join(texts))
    folder = RELEASED / version
    folder.mkdir(parents=True)
    for name, schema in current.items():
        (folder / f"{name}.json").write_text(json.dumps(schema, indent=1, sort_keys=True) + "\n")
    return folder


def main() -> int:
    """List what is broken and return 1, or with ``--record VERSION`` write down a release."""
    if sys.argv[1:2] == ["--record"]:
        try:
            sys.stdout.write(f"recorded: {record(sys.argv[2])}\n")
        except (ValueError, IndexError) as error:
            sys.stderr.write(f"{error}\n")
            return 1
        return 0
    texts = broken(schemas(), releases())
    sys.stdout.write("".join(f"{text}\n\n" for text in texts))
    return 1 if texts else 0


if __name__ == "__main__":
    sys.exit(main())
