"""Dialect of a CSV: encoding, delimiter, quote, and the words that stand for a missing value."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from interlock_tables.locales import Locale
from interlock_tables.typed import compute

from interlock_cli.init import locales

_DELIMITERS = (",", ";", "\t", "|", ":", " ")
_COMMON = _DELIMITERS[:4]
_EVEN = 0.9
_RECORDS = 50
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_NUMBER = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
_OF_OTHER_TYPES = rf"{_NUMBER}|^\s*[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}|^\s*(?i:true|false|yes|no|t|f|y|n)\s*$"
_WITH_UNIT = r"^\s*([+-]?[$€£¥]\s*[+-]?[0-9][0-9.,' ]*|[+-]?[0-9][0-9.,' ]*[%$€£¥])\s*$"
_CODE = r"^[A-Z]{2}$"

_ALWAYS_NULL = {"?", "-", "--", "n/a", "#n/a", "null", "nan"}
"""Words for a missing value among texts, too, in lower case; ``NA`` is one unless these are codes of two letters."""

_NULL_AMONG_NUMBERS = _ALWAYS_NULL | {"na", "none", "nil", ".", "missing", "unknown", "#na", "<na>"}
_FEW = 5


def encodings(head: bytes) -> list[str]:
    """Return the encodings to try, the likeliest first."""
    marked = [name for mark, name in _MARKS if head.startswith(mark)]
    return marked[:1] or ["utf-8", "cp1252", "latin-1"]


def delimiter_and_quote(text: str) -> tuple[str, str]:
    """Return what cuts the first records into as many cells as the header, and which quote encloses a cell."""
    first = text.partition("\n")[0].strip("\r")
    quote = "'" if '"' not in first and first.count("'") >= 2 and first[:1] == first[-1:] == "'" else '"'  # noqa: PLR2004
    best = max(_DELIMITERS, key=lambda sign: _evenness(text, sign, quote))
    return best, quote


def _evenness(text: str, delimiter: str, quote: str) -> tuple[bool, float, bool, int]:
    """Return whether there are columns, the share of records as wide as the header, and how likely that is meant."""
    widths = [len(record) for record in records(text, delimiter, quote)] or [0]
    share = Counter(widths)[widths[0]] / len(widths)
    common = delimiter in _COMMON
    return widths[0] > 1 and (common or share >= _EVEN), min(share, _EVEN), common, widths[0]


def has_columns_below(text: str, quote: str) -> bool:
    """Return whether a later line has several cells, so that what stands above is no part of the table."""
    return any(len(record) > 1 for sign in _COMMON for record in records(text, sign, quote))


def records(text: str, delimiter: str, quote: str) -> Iterator[list[str]]:
    """Yield the first records of the beginning of a file, whose last line may be cut."""
    whole = text[: text.rfind("\n") + 1] or text
    reader = csv.reader(io.StringIO(whole, newline="\n"), delimiter=delimiter, quotechar=quote)
    try:
        for _, record in zip(range(_RECORDS), reader, strict=False):
            if record:
                yield record
    except csv.Error:
        return


@dataclass(frozen=True)
class Texts:
    """What the cells of one CSV column look like, as texts.

    ``nulls`` are its words for a missing value; ``decimals`` says that some numbers are no whole ones, ``code`` that
    digits are no numbers at all; ``locale`` and ``date_format`` are how other texts write numbers and dates, and
    ``hint`` is what the user should know.
    """

    nulls: frozenset[str]
    decimals: bool = False
    code: bool = False
    locale: Locale | None = None
    date_format: str | None = None
    hint: str | None = None


def look(texts: pa.Array[Any], delimiter: str) -> Texts:
    """Return what the cells look like."""
    counted: Any = compute.value_counts(texts.drop_null())
    values, counts = counted.field("values"), counted.field("counts")
    lower = compute.utf8_lower(compute.ascii_trim_whitespace(values))
    typed = compute.match_substring_regex(values, _OF_OTHER_TYPES)
    possible = compute.is_in(lower, value_set=pa.array(sorted(_NULL_AMONG_NUMBERS)))
    possible = compute.and_(possible, compute.invert(typed))
    empty = compute.equal(lower, "")
    others = values.filter(compute.invert(compute.or_(compute.or_(typed, possible), empty)))
    blanks = {text for text in values.filter(empty).to_pylist() if text}
    words = set(values.filter(possible).to_pylist())
    if len(others) or not compute.any(typed).as_py():
        codes = len(others) and compute.all(compute.match_substring_regex(others, _CODE)).as_py()
        always = _ALWAYS_NULL if codes else _ALWAYS_NULL | {"na"}
        nulls = frozenset(word for word in words if word.strip().lower() in always)
        locale = locales.signs(others, delimiter) if len(others) else None
        date_format = locales.date_format(others) if len(others) and locale is None else None
        if locale is not None:
            return Texts(frozenset(words | blanks), locale=locale)
        if date_format is not None:
            hint = locales.other_reading(others, date_format)
            return Texts(frozenset(words | blanks), date_format=date_format, hint=hint)
        return Texts(nulls, hint=_hint(counts, typed, others))
    numbers = values.filter(compute.match_substring_regex(values, _NUMBER))
    return Texts(
        frozenset(words | blanks),
        decimals=bool(compute.any(compute.match_substring_regex(numbers, "[.eE]")).as_py()),
        code=bool(compute.any(compute.match_substring_regex(numbers, r"^\s*[+-]?(0[0-9]|[0-9]{19})")).as_py()),
    )


def _hint(counts: Any, typed: Any, others: Any) -> str | None:
    """Say what keeps a column of texts from being numbers, where little does."""
    if len(others) and compute.all(compute.match_substring_regex(others, _WITH_UNIT)).as_py():
        return f"numbers with a unit, which make a text ({others[0].as_py()!r}); export them without it"
    share = (compute.sum(counts.filter(typed)).as_py() or 0) / max(1, compute.sum(counts).as_py() or 0)
    if 0.9 < share < 1 and len(others) <= _FEW:  # noqa: PLR2004
        shown = ", ".join(repr(text) for text in others.to_pylist())
        return f"nearly all cells are numbers, dates or booleans; name {shown} in null_values if it means missing"
    return None
