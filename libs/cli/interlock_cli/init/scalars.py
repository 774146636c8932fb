"""Texts as YAML writes them, so that every one is read back as it was; and as a comment may show them."""

import re

import yaml

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.+/-]*( [A-Za-z0-9_.+/-]+)*")
_LONGEST_KEY = 1000
_SHOWN = 60


def scalar(text: str) -> str:
    """Return the text as a YAML scalar on one line: plain where that is safe, else in double quotes."""
    if _PLAIN.fullmatch(text) and len(text) <= _SHOWN and yaml.safe_load(text) == text:
        return text
    return '"' + "".join(_escaped(sign) for sign in text) + '"'


def listed(texts: list[str]) -> str:
    """Return the texts as a YAML list on one line."""
    return f"[{', '.join(map(scalar, texts))}]"


def entry(key: str, value: str, *, width: int = 0) -> str:
    """Return a key with its value, padded to ``width``; a key too long for YAML's short form takes the long one."""
    name = scalar(key)
    return f"{name}:".ljust(width) + f" {value}" if len(name) <= _LONGEST_KEY else f"? {name}\n    : {value}"


def comment(text: str) -> str:
    """Return the text fit for a comment: one line of printable signs."""
    return "".join(sign if sign.isprintable() else _escaped(sign) for sign in text)


def shortened(text: str) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _escaped(sign: str) -> str:
    if sign in '"\\':
        return f"\\{sign}"
    if sign.isprintable():
        return sign
    code = ord(sign)
    if code < 0x100:  # noqa: PLR2004
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004
