"""Tables that are made from a seed, for tests that a checkout must be able to run on its own."""

import csv
import random
from pathlib import Path

ROWS = 1_000
_COLUMNS = (
    "gender",
    "race_ethnicity",
    "parental_level_of_education",
    "lunch",
    "test_preparation_course",
    "math_score",
    "reading_score",
    "writing_score",
)
_EDUCATION = ("some high school", "high school", "some college", "associate's degree", "bachelor's degree")


def write_students(path: Path, *, seed: int = 42) -> None:
    """Write a table as docs/examples/students.yaml declares it, all cells quoted, as spreadsheets export them.

    The target is linear in the features plus noise of 5.5 points, so r2 is about 0.86 and a linear model is best.
    """
    chance = random.Random(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(_COLUMNS)
        writer.writerows(_student(chance) for _ in range(ROWS))


def _student(chance: random.Random) -> list[object]:
    gender, lunch = chance.choice(("female", "male")), chance.choice(("standard", "standard", "free/reduced"))
    course, group = chance.choice(("none", "none", "completed")), chance.choice("ABCDE")
    ability = chance.gauss(66, 13)
    reading, writing = (ability + chance.gauss(0, 4) for _ in range(2))
    math = 0.5 * reading + 0.5 * writing + chance.gauss(0, 5.5)
    math += (5 if gender == "male" else -5) + (2 if lunch == "standard" else -4)
    scores = (min(100, max(0, round(score))) for score in (math, reading, writing))
    return [gender, f"group {group}", chance.choice(_EDUCATION), lunch, course, *scores]
