"""Parquet files of one schema become one file without reading a page: bodies are copied, offsets in footers moved.

A footer is a Thrift struct in the compact protocol; which fields hold offsets is from ``parquet.thrift`` of the format.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

MAGIC = b"PAR1"
COPY_BYTES = 1 << 20

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_NUM_ROWS, _ROW_GROUPS = 3, 4
_COLUMNS, _GROUP_OFFSET, _ORDINAL = 1, 5, 7
_CHUNK_OFFSET, _CHUNK_METADATA = 2, 3
_PAGE_OFFSETS = (9, 10, 11, 14)
_LONG_LIST = 15

Struct = dict[int, list[Any]]
"""By field number its Thrift type and its value."""


def join(parts: Iterable[Path], path: Path) -> None:
    """Write the rows of all parts to ``path``, in their order; they must have the same schema and no page index."""
    whole: Struct | None = None
    with path.open("wb") as out:
        out.write(MAGIC)
        for part in parts:
            footer, body_bytes = _footer(part)
            _shift(footer, out.tell() - len(MAGIC))
            with part.open("rb") as file:
                file.seek(len(MAGIC))
                _copy(file, out, body_bytes)
            if whole is None:
                whole = footer
            else:
                whole[_NUM_ROWS][1] += footer[_NUM_ROWS][1]
                whole[_ROW_GROUPS][1][1].extend(footer[_ROW_GROUPS][1][1])
        if whole is None:
            raise ValueError("no part, no file")
        for group in whole[_ROW_GROUPS][1][1]:
            group.pop(_ORDINAL, None)  # optional, and too small for many groups
        encoded = _Writer().struct(whole)
        out.write(encoded + len(encoded).to_bytes(4, "little") + MAGIC)


def _footer(part: Path) -> tuple[Struct, int]:
    """Return a file's footer, and how many bytes stand between the magic number and it."""
    size = part.stat().st_size
    with part.open("rb") as file:
        file.seek(size - 8)
        length = int.from_bytes(file.read(4), "little")
        file.seek(size - 8 - length)
        return _Reader(file.read(length)).struct(), size - 8 - length - len(MAGIC)


def _shift(footer: Struct, by: int) -> None:
    for group in footer[_ROW_GROUPS][1][1]:
        _move(group, (_GROUP_OFFSET,), by)
        for chunk in group[_COLUMNS][1][1]:
            _move(chunk, (_CHUNK_OFFSET,), by)
            _move(chunk[_CHUNK_METADATA][1], _PAGE_OFFSETS, by)


def _move(struct: Struct, fields: tuple[int, ...], by: int) -> None:
    for field in fields:
        if field in struct and struct[field][1]:  # 0 says that the writer left it open
            struct[field][1] += by


def _copy(source: BinaryIO, target: BinaryIO, left: int) -> None:
    while left:
        block = source.read(min(COPY_BYTES, left))
        if not block:
            raise EOFError("the part is shorter than its footer says")
        target.write(block)
        left -= len(block)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self) -> Struct:
        fields: Struct = {}
        number = 0
        while header := self._byte():
            kind, step = header & 15, header >> 4
            number = number + step if step else self._zigzag()
            fields[number] = [kind, self._value(kind)]
        return fields

    def _value(self, kind: int) -> Any:
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind == _BINARY:
            return self._take(self._varint())
        if kind == _STRUCT:
            return self.struct()
        if kind in (_LIST, _SET):
            header = self._byte()
            item, size = header & 15, header >> 4
            size = self._varint() if size == _LONG_LIST else size
            return [item, [self._byte() if item in (_TRUE, _FALSE) else self._value(item) for _ in range(size)]]
        if kind in (_BYTE, _DOUBLE):
            return self._take(1 if kind == _BYTE else 8)
        if kind == _MAP:
            raise ValueError("a Parquet footer has no maps")
        return self._zigzag()

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004
                return value
            shift += 7

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


class _Writer:
    def struct(self, fields: Struct) -> bytes:
        out = bytearray()
        last = 0
        for number, (kind, value) in sorted(fields.items()):
            shown = (_TRUE if value else _FALSE) if kind in (_TRUE, _FALSE) else kind
            step = number - last
            out += bytes([step << 4 | shown]) if 0 < step <= _LONG_LIST else bytes([shown]) + _zigzag(number)
            if kind not in (_TRUE, _FALSE):
                out += self._value(kind, value)
            last = number
        return bytes(out) + b"\0"

    def _value(self, kind: int, value: Any) -> bytes:
        if kind == _BINARY:
            return _varint(len(value)) + bytes(value)
        if kind == _STRUCT:
            return self.struct(value)
        if kind in (_LIST, _SET):
            item, items = value
            size = len(items)
            head = bytes([size << 4 | item]) if size < _LONG_LIST else bytes([0xF0 | item]) + _varint(size)
            flags = item in (_TRUE, _FALSE)
            return head + (bytes(items) if flags else b"".join(self._value(item, each) for each in items))
        return bytes(value) if kind in (_BYTE, _DOUBLE) else _zigzag(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:  # noqa: PLR2004
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _zigzag(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else (-value << 1) - 1)
