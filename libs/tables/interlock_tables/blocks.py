"""A text file as blocks of valid UTF-8, in flat memory; says where it is not what it was declared to be."""

import codecs
from collections.abc import Iterator
from pathlib import Path

from interlock_tables.findings import UnreadableError

BLOCK_BYTES = 1 << 20

_KINDS = (
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer, not the file it points to; run `git lfs pull`"),
    (b"\x1f\x8b", "compressed with gzip; unpack it first"),
    (b"PK\x03\x04", "a zip archive (an Excel workbook is one); unpack or export it first"),
    (b"BZh", "compressed with bzip2; unpack it first"),
    (b"\xfd7zXZ\x00", "compressed with xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it first"),
    (b"PAR1", "a Parquet file; declare data.format: parquet"),
    (b"%PDF-", "a PDF document"),
    (b"<!DOCTYPE", "a web page, perhaps an error page that was saved as the file"),
    (b"<!doctype", "a web page, perhaps an error page that was saved as the file"),
    (b"<html", "a web page, perhaps an error page that was saved as the file"),
)
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def utf8_blocks(path: Path, encoding: str) -> Iterator[bytes]:
    """Yield the file's text as UTF-8, without byte order mark, in blocks cut anywhere.

    Raises:
        UnreadableError: the file is empty, is of another kind, holds NUL bytes, or is not in the encoding; with the
            line and, for the encoding, the byte.
    """
    try:
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        plain = codecs.lookup(encoding).name == "utf-8"
    except LookupError as error:
        raise UnreadableError("encoding", f"{encoding!r} cannot be read piece by piece: {error}") from error
    line = 1
    offset = 0
    with path.open("rb") as file:
        head = file.read(BLOCK_BYTES)
        refuse_other_kinds(head, encoding)
        block = head.removeprefix(codecs.BOM_UTF8) if plain else head
        offset += len(head) - len(block)
        first = True
        while block or first:
            text = _decoded(decoder, block, plain=plain, encoding=encoding, line=line, offset=offset)
            if first and not plain:
                text = text.removeprefix(codecs.BOM_UTF8)
            first = False
            _refuse_nul(text, line)
            line += text.count(b"\n")
            offset += len(block)
            if text:
                yield text
            block = file.read(BLOCK_BYTES)
        rest = _decoded(decoder, b"", plain=plain, encoding=encoding, line=line, offset=offset, final=True)
        if rest and not plain:
            yield rest


def refuse_other_kinds(head: bytes, encoding: str = "utf-8") -> None:
    """Raise when a file's first bytes say that it is empty or not a text table at all."""
    if not head:
        raise UnreadableError("empty_file", "the file is empty")
    for magic, what in _KINDS:
        if head.startswith(magic):
            raise UnreadableError("file_kind", f"the file is {what}", line=1)
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    if marked is not None and not encoding.lower().replace("_", "-").startswith(marked):
        why = f"the file begins with the byte order mark of {marked}, but {encoding} is declared (data.csv.encoding)"
        raise UnreadableError("encoding", why, line=1)


def _decoded(
    decoder: codecs.IncrementalDecoder,
    block: bytes,
    *,
    plain: bool,
    encoding: str,
    line: int,
    offset: int,
    final: bool = False,
) -> bytes:
    """Return the block in UTF-8; a plain one is only checked and comes back as it is."""
    pending = decoder.getstate()[0]
    if plain and not pending and block.isascii():
        return block
    try:
        text = decoder.decode(block, final)
        return block if plain else text.encode()
    except UnicodeDecodeError as error:
        at = error.start
        where = line + error.object[:at].count(b"\n") - (pending.count(b"\n") if plain else 0)
        byte = offset - len(pending) + at
        shown = error.object[at : at + 4].hex(" ")
        why = f"not {encoding}: byte {byte} (hexadecimal {shown}) fits no character; declare data.csv.encoding"
        raise UnreadableError("encoding", why, line=where) from error
    except UnicodeError as error:
        raise UnreadableError("encoding", f"not {encoding}: {error}", line=line) from error


def _refuse_nul(text: bytes, line: int) -> None:
    at = text.find(b"\0")
    if at >= 0:
        where = line + text.count(b"\n", 0, at)
        why = "the file holds NUL bytes: it is damaged, binary, or in another encoding than declared"
        raise UnreadableError("nul_bytes", why, line=where)
