"""Names that were perhaps meant: the hint for a misspelt column or parameter, in every reader and every protocol."""

import difflib
from collections.abc import Iterable

_COMPARED = 1000
_LONGEST = 200


def near_name(name: str, names: Iterable[str]) -> str | None:
    """Return which of ``names`` was perhaps meant by ``name``: the same but for case and spaces, or spelt alike."""
    among = [each for each in names if len(each) <= _LONGEST][:_COMPARED]
    wanted = _plain(name[:_LONGEST])
    alike = next((each for each in among if _plain(each) == wanted), None)
    if alike is not None:
        return alike
    plain = {_plain(each): each for each in reversed(among)}
    close = difflib.get_close_matches(wanted, plain, n=1, cutoff=0.75)
    return plain[close[0]] if close else None


def no_pipeline(name: str, known: Iterable[str]) -> str:
    """Return in words that no pipeline is called ``name``, with the one of ``known`` that was perhaps meant."""
    near = near_name(name, known)
    return f"no pipeline is called {name!r}; {'apply one first' if near is None else f'did you mean {near!r}?'}"


def _plain(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")
