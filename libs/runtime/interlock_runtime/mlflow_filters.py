"""MLflow's search language: filters and orders as conditions on columns.

``metrics.r2 > 0.6 and params.candidate = 'xgboost' and tags.team LIKE 'a%'``: comparisons joined by AND, on attributes,
metrics, parameters and tags. A value that is missing fulfils no comparison, as with MLflow's own server.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Float, UnaryExpression, cast, func

Column = Any
"""A column, or an expression over columns."""

NUMERIC = ("=", "!=", ">", ">=", "<", "<=")
TEXTUAL = ("=", "!=", "LIKE", "ILIKE", "IN", "NOT IN")

LONGEST = 4000
"""Most characters of a filter."""

MOST_ORDERS = 20
"""Most columns that a list is sorted by."""

_PREFIXES = {
    "metric": "metrics",
    "metrics": "metrics",
    "param": "params",
    "params": "params",
    "parameter": "params",
    "parameters": "params",
    "tag": "tags",
    "tags": "tags",
    "attr": "",
    "attribute": "",
    "attributes": "",
    "run": "",
}

_COMPARISON = re.compile(
    r"""\s*(?P<key>(?:[^\s`"'=<>!(),]|`[^`]*`|"[^"]*")+)
    \s*(?P<operator><=|>=|!=|=|<|>|(?:NOT\s+)?IN\b|I?LIKE\b)
    \s*(?P<value>'[^']*'|"[^"]*"|[-+]?[0-9.]+(?:e[-+]?[0-9]+)?(?![\w.])|\([^()]*\))
    \s*(?P<joined>AND\b)?""",
    re.IGNORECASE | re.VERBOSE,
)
_TEXT = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_LIST = re.compile(r"""\(\s*(?:'[^']*'|"[^"]*")(?:\s*,\s*(?:'[^']*'|"[^"]*"))*\s*\)""")


class Comparison(NamedTuple):
    """One comparison: ``group`` is metrics, params, tags, or empty for an attribute."""

    group: str
    key: str
    operator: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Searchable:
    """What can be searched for and sorted by, as columns.

    ``texts`` and ``numbers`` are attributes by name; ``groups`` maps metrics, params and tags, as far as there are any,
    to what makes a column of a name. ``order`` sorts where nothing else does, and breaks ties.
    """

    texts: Mapping[str, Column] = field(default_factory=dict)
    numbers: Mapping[str, Column] = field(default_factory=dict)
    groups: Mapping[str, Callable[[str], Column]] = field(default_factory=dict)
    order: Sequence[Column] = ()

    def conditions(self, text: str | None) -> list[ColumnElement[bool]]:
        """Return the conditions that a filter means, all of which must hold.

        Raises:
            ValueError: it cannot be read, or compares what is not there; the text says what would be right.
        """
        return [self._condition(each) for each in comparisons(text or "")]

    def ordering(self, order_by: Sequence[str]) -> list[UnaryExpression[Any]]:
        """Return how a list is sorted; what is missing comes last.

        Raises:
            ValueError: an entry cannot be read, or names what is not there, or there are too many.
        """
        if len(order_by) > MOST_ORDERS:
            raise ValueError(f"there are {len(order_by)} entries; at most {MOST_ORDERS} are read")
        return [*(self._direction(each) for each in order_by), *self.order]

    def _condition(self, asked: Comparison) -> ColumnElement[bool]:
        column, numeric = self._column(asked.group, asked.key)
        known = NUMERIC if numeric else TEXTUAL
        name = f"{asked.group}.{asked.key}" if asked.group else asked.key
        if asked.operator not in known:
            raise ValueError(f"{name} cannot be compared by {asked.operator}; possible are {', '.join(known)}")
        value = _number(name, asked.value) if numeric else _texts(name, asked)
        compared: Mapping[str, Callable[[], ColumnElement[bool]]] = {
            "=": lambda: column == value,
            "!=": lambda: column != value,
            ">": lambda: column > value,
            ">=": lambda: column >= value,
            "<": lambda: column < value,
            "<=": lambda: column <= value,
            # Without an escape: a pattern that ends with one would be an error of the database's.
            "LIKE": lambda: column.like(value, escape=""),
            "ILIKE": lambda: column.ilike(value, escape=""),
            "IN": lambda: column.in_(value),
            "NOT IN": lambda: column.not_in(value),
        }
        return compared[asked.operator]()

    def _direction(self, entry: str) -> UnaryExpression[Any]:
        name, _, direction = entry.strip().rpartition(" ")
        if direction.upper() not in ("ASC", "DESC"):
            name, direction = entry.strip(), "ASC"
        column, _ = self._column(*_key(name.strip()))
        ordered: UnaryExpression[Any] = column.desc() if direction.upper() == "DESC" else column.asc()
        return ordered.nulls_last()

    def _column(self, group: str, key: str) -> tuple[Column, bool]:
        """Return a column, and whether it holds numbers."""
        if "\0" in key:
            raise ValueError("a name holds a NUL character")
        if group in self.groups:
            return self.groups[group](key), group == "metrics"
        if not group and key in self.numbers:
            return self.numbers[key], True
        if not group and key in self.texts:
            return self.texts[key], False
        name = f"{group}.{key}" if group else key
        raise ValueError(f"{name!r} is nothing that can be searched for; possible are {', '.join(self._known())}")

    def _known(self) -> Iterator[str]:
        yield from sorted([*self.texts, *self.numbers])
        for group in self.groups:
            yield f"{group}.<name>"


def milliseconds_in(column: Column) -> ColumnElement[float]:
    """Return a column's time in milliseconds since the epoch."""
    return cast(func.floor(func.extract("epoch", column) * 1000), Float)


def comparisons(text: str) -> list[Comparison]:
    """Return the comparisons of a filter, which AND joins; none of an empty one.

    Raises:
        ValueError: it is too long, or cannot be read; the text says from where on.
    """
    if len(text) > LONGEST:
        raise ValueError(f"it has {len(text)} characters; at most {LONGEST} are read")
    found, position, more = [], 0, bool(text.strip())
    while more:
        read = _COMPARISON.match(text, position)
        if read is None:
            raise _unreadable(text[position:])
        operator = " ".join(read["operator"].upper().split())
        found.append(Comparison(*_key(read["key"]), operator, read["value"]))
        position, more = read.end(), bool(read["joined"])
    if rest := text[position:].strip():
        raise _unreadable(rest)
    return found


def _unreadable(rest: str) -> ValueError:
    shown = repr(rest.strip()[:60]) if rest.strip() else "its end"
    return ValueError(
        f"it cannot be read at {shown}; write comparisons joined by AND, for instance metrics.r2 > 0.6 AND "
        "params.candidate = 'xgboost'"
    )


def _key(text: str) -> tuple[str, str]:
    """Return the group and the name: all behind the first dot, where what is before it names a group."""
    prefix, dot, rest = text.partition(".")
    group = _PREFIXES.get(prefix.lower()) if dot else None
    return ("", _unquoted(text)) if group is None else (group, _unquoted(rest))


def _unquoted(name: str) -> str:
    quoted = len(name) > 1 and name[0] == name[-1] and name[0] in '`"'
    return name[1:-1] if quoted else name


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} is compared with a number, not with {text[:60]}") from None


def _texts(name: str, asked: Comparison) -> str | list[str]:
    if "\0" in asked.value:
        raise ValueError(f"{name} is compared with a text that holds a NUL character")
    if asked.operator in ("IN", "NOT IN"):
        if _LIST.fullmatch(asked.value) is None:
            raise ValueError(f"{name} {asked.operator} wants texts in parentheses, for instance ('a', 'b')")
        return [one or other for one, other in _TEXT.findall(asked.value)]
    quoted = _TEXT.fullmatch(asked.value)
    if quoted is None:
        raise ValueError(f"{name} is compared with a text in quotes, not with {asked.value[:60]}")
    return quoted[1] if quoted[1] is not None else quoted[2]
