"""Log formatting: the JSON lines of services as text; other components write text already."""

import json
from typing import Any


def readable(line: str) -> str:
    """Return a log line as text: time, level, message, run and trace; other lines than JSON are unchanged."""
    try:
        entry: Any = json.loads(line) if line.startswith("{") else None
    except ValueError:
        entry = None
    if not isinstance(entry, dict) or "message" not in entry:
        return line
    at = str(entry.get("time", ""))[11:23]
    text = f"{at} {entry.get('level', ''):<7} {entry.get('service', '')}: {entry['message']}"
    ids = [f"{name.removesuffix('_id')} {entry[name]}" for name in ("run_id", "trace_id") if entry.get(name)]
    where = f" [{', '.join(ids)}]" if ids else ""
    error = f"\n{entry['error']}" if entry.get("error") else ""
    return text + where + error
