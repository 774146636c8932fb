"""The ordinary request, read without detours: from the bytes to typed rows, and from those to the encoder's numbers.

Both steps are made once for each model: a decoder that knows every column's name, type and declared range, and a
function that writes the matrix. They give the numbers of :meth:`Encoder.encode_rows` bit for bit, or they refuse.
Whatever deserves a warning or an explanation is refused too, for :meth:`Model.predict_rows` to give it.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Self

import msgspec
import numpy as np
from interlock_contracts.json_keys import KEY_END, may_repeat_keys

from interlock_modeling.encoder import CategoryColumn, Encoder, NumericColumn, Scaled
from interlock_modeling.signature import Feature, ModelSignature

FALLBACK_ERRORS = (msgspec.MsgspecError, ValueError, LookupError, OverflowError, RecursionError)
"""What reading a request that is not ordinary raises."""

Cells = Any
"""A writable flat view of float64, row after row: ``matrix.data.cast("B").cast("d")``; zeros to begin with."""

_KINDS = {"number": "number", "integer": "number", "boolean": "boolean", "category": "category", "datetime": "datetime"}
_TYPES: dict[str, Any] = {"number": float, "boolean": bool, "category": str, "datetime": str}
_INT64 = 2.0**63
_SPACE = ord(" ")

_LONG = 4096
"""From this size on, in bytes, NumPy counts faster than ``bytes.count``."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_parsed = datetime.fromisoformat
_NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - texts without offset are UTC
_SHAPE = slice(4, 20, 3)
_SHAPES = frozenset(
    ("--", *(f"--{between}{rest}" for between in "T " for rest in (":", "::", "::Z", "::.", "::+", "::-")))
)
"""What stands at every third place of an ordinary datetime; Python's parser takes more than the table of spellings."""

_DAY_MICROS = 86_400_000_000


class FastRowDecoder:
    """Reads the ordinary requests for one model.

    ``fill(rows, cells, start)`` writes the matrix rows of ``rows`` from the flat index ``start`` on, ``width`` numbers
    each; what it has written when it raises is to be made zero again.
    """

    def __init__(self, signature: ModelSignature, encoder: Encoder) -> None:
        pairs = list(zip(signature.features, encoder.columns, strict=True))
        if any(feature.name != column.name or _KINDS[feature.type] != column.kind for feature, column in pairs):
            raise ValueError("signature and encoder do not agree")
        names = {f"f{position}": feature.name for position, feature in enumerate(signature.features)}
        fields = [_field(field, feature) for field, feature in zip(names, signature.features, strict=True)]
        for position, name in enumerate(signature.ignored):
            names[f"i{position}"] = name
            fields.append((f"i{position}", Any, msgspec.UNSET))
        row = msgspec.defstruct(
            "Row", fields, rename=names, forbid_unknown_fields=True, kw_only=True, frozen=True, gc=False
        )
        request = msgspec.defstruct("Request", [("rows", list[row])], forbid_unknown_fields=True, gc=False)  # type: ignore[valid-type]
        self._decode = msgspec.json.Decoder(request).decode
        self._features = len(signature.features)
        self._ignored = [f"i{position}" for position in range(len(signature.ignored))]
        self.fill = _compiled(encoder)
        self.width = len(encoder.names)

    @classmethod
    def of(cls, signature: ModelSignature, encoder: Encoder) -> Self | None:
        """Return a reader, or ``None`` for a model that has none: a column with a name that JSON must escape, say."""
        try:
            return cls(signature, encoder)
        except (TypeError, ValueError):
            return None

    def rows(self, body: bytes) -> Sequence[Any]:
        """Return the rows of ``{"rows": [{column: value, ...}, ...]}`` for ``fill``, or raise ``FALLBACK_ERRORS``."""
        request: Any = self._decode(body)
        rows: Sequence[Any] = request.rows
        keys = 1 + len(rows) * self._features
        if self._ignored:
            keys += self._keys_aside(rows)
        if may_repeat_keys(body, keys) if len(body) < _LONG else _keys_in_long(body) != keys:
            raise ValueError("a column may be there twice, and the last of two is what was read")
        return rows

    def _keys_aside(self, rows: Sequence[Any]) -> int:
        """Return how many keys ignored columns take, those of objects in their cells included."""
        cells = [getattr(row, name) for row in rows for name in self._ignored]
        given = [cell for cell in cells if cell is not msgspec.UNSET]
        return len(given) + msgspec.json.encode(given).count(KEY_END) if given else 0


def _keys_in_long(body: bytes) -> int:
    """Return what ``body.count(KEY_END)`` gives, or -1 where the body is spaced."""
    codes = np.frombuffer(body, dtype=np.uint8)
    quote, colon = KEY_END
    before = codes[:-1][codes[1:] == colon]
    return -1 if (before <= _SPACE).any() else int(np.count_nonzero(before == quote))


def _field(name: str, feature: Feature) -> tuple[Any, ...]:
    limits: dict[str, Any] = {}
    if feature.min is not None:
        limits["ge"] = feature.min
    if feature.max is not None:
        limits["le"] = feature.max
    if feature.type == "integer":
        # Decoded as a float, so bounds that hold for the exact number too; the few between are refused as unusual.
        inside = {"ge": -_INT64 + 1024, "le": _INT64 - 1024}
        limits = {"ge": max(inside["ge"], limits.get("ge", -_INT64)), "le": min(inside["le"], limits.get("le", _INT64))}
        limits["multiple_of"] = 1.0
    elif limits and feature.type != "number":
        raise ValueError("only numbers have a range")
    plain = _TYPES[_KINDS[feature.type]]
    typed = Annotated[plain, msgspec.Meta(**limits)] if limits else plain
    return (name, typed | None) if feature.nullable else (name, typed)  # one that is missing deserves a word


def _compiled(encoder: Encoder) -> Callable[[Sequence[Any], Cells, int], None]:
    """Return ``fill``. Its text holds positions only; names and numbers of the model are values beside it."""
    values: dict[str, Any] = {"datetime_numbers": datetime_numbers}
    lines: list[str] = []
    offset = 0
    for position, column in enumerate(encoder.columns):
        if isinstance(column, CategoryColumn):
            values[f"k{position}"] = {value: offset + code for value, code in column.lookup.items()}
            lines.append(f"cells[start + k{position}[row.f{position}]] = 1.0")
        else:
            lines += _numeric(position, offset, column, values)
        offset += len(column.names)
    body = "\n".join(f"        {line}" for line in lines)
    text = f"def fill(rows, cells, start):\n    for row in rows:\n{body}\n        start += {offset}\n"
    exec(compile(text, "<fast decoder>", "exec"), values)  # noqa: S102 - no text of the model's is in it
    fill: Callable[[Sequence[Any], Cells, int], None] = values["fill"]
    return fill


def _numeric(position: int, offset: int, column: NumericColumn, values: dict[str, Any]) -> list[str]:
    parts = [f"v{each}" for each in range(len(column.numbers))] if column.kind == "datetime" else ["v"]
    missing = []
    for each, part in enumerate(column.numbers):
        values[f"c{position}_{each}"], values[f"s{position}_{each}"] = part.center, part.scale
        values[f"m{position}_{each}"] = _missing(part)
        missing.append(f"cells[start + {offset + each}] = m{position}_{each}")
    present = [
        f"cells[start + {offset + each}] = ({part} - c{position}_{each}) / s{position}_{each}"
        for each, part in enumerate(parts)
    ]
    if column.kind == "datetime":
        present.insert(0, f"{', '.join(parts)} = datetime_numbers(v)")
    return [
        f"v = row.f{position}",
        "if v is None:",
        *(f"    {line}" for line in missing),
        "else:",
        *(f"    {line}" for line in present),
    ]


def _missing(part: Scaled) -> float:
    return (part.fill - part.center) / part.scale


def datetime_numbers(text: str) -> tuple[float, int, int, float]:
    """Return what :func:`interlock_modeling.cells.datetime_numbers` gives for one ISO 8601 text.

    Raises:
        ValueError, OverflowError: no ordinary datetime, or none whose month in UTC can be told.
    """
    if text[_SHAPE] not in _SHAPES:
        raise ValueError(text)
    utc = _parsed(text)
    zone = utc.tzinfo
    if zone is None:
        since = utc - _NAIVE_EPOCH
    else:
        if zone is not UTC:
            utc = utc.astimezone(UTC)
        since = utc - _EPOCH
    day = since.days
    in_day = since.seconds * 1_000_000 + since.microseconds
    return 1.0 * (day * _DAY_MICROS + in_day) / _DAY_MICROS, utc.month, (day + 3) % 7, in_day / 3.6e9
