"""CSV texts as spreadsheets write them: a first line that names the delimiter, and what is left around the table."""

import csv
from io import StringIO

_NAMING = "sep="
_NONE = '"\r\0'
"""What delimits no cells."""


def named_delimiter(text: str) -> tuple[str | None, str]:
    """Return the delimiter that a first line such as ``sep=;`` names, by which Excel knows it, and the text below."""
    line, _, below = text.partition("\n")
    line = line.removesuffix("\r")
    if line.startswith(_NAMING) and len(line) == len(_NAMING) + 1 and not line[-1].isalnum() and line[-1] not in _NONE:
        return line[-1], below
    return None, text


def table_lines(text: str, delimiter: str, quote: str = '"') -> list[list[str]]:
    """Return the cells of the header and of every row; ``text`` begins with the header.

    Left out is what ingest leaves out: blank lines, lines of delimiters alone at the end, and columns at the right
    without a label or a cell.

    Raises:
        csv.Error: it is no CSV.
    """
    filled = len(text.rstrip(f"\r\n{delimiter}"))
    end = text.find("\n", filled)  # the last row may end in empty cells
    kept = StringIO(text if end < 0 else text[:end], newline="")
    lines = [line for line in csv.reader(kept, delimiter=delimiter, quotechar=quote, strict=True) if line]
    if not lines:
        return []
    width = 1 + max((place for place, label in enumerate(lines[0]) if label.strip()), default=-1)
    return lines if any("".join(line[width:]).strip() for line in lines) else [line[:width] for line in lines]
