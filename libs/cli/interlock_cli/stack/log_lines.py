"""Log lines as people read them: services write JSON into their logs, other parts write words."""

import json
from typing import Any


def readable(line: str) -> str:
    """Return a line in words: time, level, what was said, run and trace; what is no JSON of ours stays as it is."""
    try:
        told: Any = json.loads(line) if line.startswith("{") else None
    except ValueError:
        told = None
    if not isinstance(told, dict) or "message" not in told:
        return line
    at = str(told.get("time", ""))[11:23]
    words = f"{at} {told.get('level', ''):<7} {told.get('service', '')}: {told['message']}"
    about = [f"{name.removesuffix('_id')} {told[name]}" for name in ("run_id", "trace_id") if told.get(name)]
    where = f" [{', '.join(about)}]" if about else ""
    error = f"\n{told['error']}" if told.get("error") else ""
    return words + where + error
