"""The log of a job as it may be shown: its end, of a bounded size, without the values of secrets."""

import re
from collections.abc import Iterable, Mapping

LOG_BYTES = 256 * 1024
"""Most of a log that is returned, in bytes of UTF-8: its end."""

LOG_LINES = 10_000
"""Most lines that Ray is asked for, the last ones."""

MASK = "[masked]"

CUT = f"[cut: only the end is kept, at most {LOG_BYTES // 1024} KiB and {LOG_LINES} lines]"
"""First line of a log whose beginning is missing."""

_SLACK = 64 * 1024
"""More is held than returned, so that a value which a cut divides lies in what is dropped."""

_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL", re.IGNORECASE)
_SHORTEST_SECRET, _LONGEST_SECRET = 8, 4096


class LogTail:
    """Keeps the end of a log that comes in pieces; memory stays bounded whatever comes."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._cut = False

    def add(self, piece: bytes) -> None:
        self._kept += piece
        if len(self._kept) > 2 * (LOG_BYTES + _SLACK):
            self._drop()

    def text(self, secrets: Iterable[str]) -> str:
        """Return the end of the log with ``secrets`` masked; its first line says so where something is missing."""
        if len(self._kept) > LOG_BYTES + _SLACK:
            self._drop()
        text = self._kept.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, MASK)
        whole = text.encode()
        end = whole[-LOG_BYTES:]
        cut = self._cut or len(end) < len(whole)
        if cut:  # begin with a whole line
            first = end.find(b"\n")
            end = end[first + 1 if first >= 0 else _LONGEST_SECRET :]
        lines = end.decode(errors="replace").split("\n")
        kept = lines[-(LOG_LINES + 1) :]  # behind the last line's end is one more, which is empty
        return "\n".join(([CUT] if cut or len(kept) < len(lines) else []) + kept)

    def _drop(self) -> None:
        del self._kept[: -(LOG_BYTES + _SLACK)]
        self._cut = True


def secret_values(environment: Mapping[str, object]) -> list[str]:
    """Return the values of the variables whose names say that they are secret; shorter ones would mask plain words."""
    named = (str(value) for name, value in environment.items() if _SECRET.search(name))
    return [value for value in named if len(value) >= _SHORTEST_SECRET]
