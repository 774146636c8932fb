"""Rows on their way to the model: what the answer repeats of them, the typed features, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa
from interlock_contracts.predictions import RowFault
from interlock_modeling.signature import ModelSignature

MAX_REPORTED_FAULTS = 100


@dataclass(frozen=True)
class Fault:
    """Why a row gets no answer; ``column`` is None where the row as a whole is at fault."""

    column: str | None
    message: str


@dataclass
class Rows:
    """Consecutive rows of the file, from row ``first`` (counted from 0); ``faults`` by position among them."""

    first: int
    table: pa.Table
    features: pa.Table
    faults: dict[int, Fault] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.table.num_rows

    def cut(self, start: int, stop: int) -> Rows:
        """Return the rows at positions ``start`` to ``stop``, the last excluded."""
        faults = {at - start: fault for at, fault in self.faults.items() if start <= at < stop}
        size = stop - start
        return Rows(self.first + start, self.table.slice(start, size), self.features.slice(start, size), faults)

    def note_missing(self, signature: ModelSignature) -> None:
        """Note the rows where a feature is null that may not be; what was noted before stays."""
        for feature in signature.features:
            if feature.nullable or not self.features.column(feature.name).null_count:
                continue
            nulls = self.features.column(feature.name).is_null().to_numpy().nonzero()[0]
            text = f"the value is null; expected {feature.expected}"
            for at in nulls.tolist():
                self.faults.setdefault(at, Fault(feature.name, text))

    def first_faults(self) -> list[RowFault]:
        """Return the first faults as texts for people."""
        return [
            RowFault(row=self.first + at, column=fault.column, message=fault.message)
            for at, fault in sorted(self.faults.items())[:MAX_REPORTED_FAULTS]
        ]


def joined(pieces: list[Rows]) -> Rows:
    """Return consecutive pieces as one."""
    first = pieces[0].first
    faults = {piece.first - first + at: fault for piece in pieces for at, fault in piece.faults.items()}
    table = pa.concat_tables([piece.table for piece in pieces])
    return Rows(first, table, pa.concat_tables([piece.features for piece in pieces]), faults)


def in_parts(blocks: Iterable[Rows], size: int) -> Iterator[Rows]:
    """Yield the same rows in parts of ``size``; only the last is smaller. Blocks must begin at a part's edge."""
    waiting: list[Rows] = []
    held = 0
    for block in blocks:
        start = 0
        while held + len(block) - start >= size:
            stop = start + size - held
            yield joined([*waiting, block.cut(start, stop)])
            waiting, held, start = [], 0, stop
        if start < len(block):
            waiting.append(block.cut(start, len(block)))
            held += len(block) - start
    if waiting:
        yield joined(waiting)
