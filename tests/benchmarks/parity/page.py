"""The page of what was compared."""

from collections import Counter
from typing import Any

from interlock_trainer.export import TOLERANCE

from tests.benchmarks.parity.cases import ROWS

_HEAD = """# Served equals trained

Random pipelines, fitted by scikit-learn, exported, and served by one gateway; each is asked up to {rows} rows with wild
cells in every way in. Cells: numbers from 5e-324 to 1.7e308, integers up to 2^62, moments from 1901 to 2199 in any
zone, texts in other scripts and such as `NaN`, `null`, `'`, `;`, and missing ones; three pipelines in ten have wild
cells in their training rows as well. A difference is relative to the prediction or to the predictions' spread on the
training rows, whichever is larger; of probabilities it is absolute, of MLflow's labels it is by how much less probable
another one is. At most {tolerance:g} is allowed.

Made by `make bench-parity` from [parity.json](parity.json), which has every pipeline; CI asks a few of them
(`tests/unit/gateway/protocols/test_parity.py`).
"""


def written(found: list[dict[str, Any]]) -> str:
    """Return the page on all pipelines that were asked."""
    served = [each for each in found if "ways" in each]
    refused = [each for each in found if "refused" in each]
    rows = sum(each["rows"] for each in served)
    silent = sum(each["unanswerable"] for each in served)
    lines = [_HEAD.format(rows=ROWS, tolerance=TOLERANCE), *_by_way(served), ""]
    lines.append(
        f"{len(found)} pipelines, {len(served)} served, {rows:,} rows in each way; scikit-learn itself has no finite "
        f"answer to {silent:,} more rows, which were not asked. {len(refused)} pipelines gave no model, in words."
    )
    lines += ["", "| kind | served | without a model | greatest difference |", "|---|---|---|---|"]
    for kind in dict.fromkeys(each["candidate"] for each in found):
        mine = [each for each in served if each["candidate"] == kind]
        greatest = max((max(each["ways"].values(), default=0.0) for each in mine), default=0.0)
        without = sum(each["candidate"] == kind for each in refused)
        lines.append(f"| {kind} | {len(mine)} | {without} | {greatest:.2g} |")
    if refusing := [each for each in found if "not_answered" in each]:
        lines += ["", "Not answered, in words, though scikit-learn has a finite answer to each row by itself:", ""]
        lines += [f"- {each['candidate']} {each['number']}: {each['not_answered']}" for each in refusing]
    reasons = Counter(f"{each['candidate']}: {each['refused']}" for each in refused)
    lines += ["", *(f"- {count} times {reason}" for reason, count in reasons.most_common())] if refused else []
    return "\n".join(lines) + "\n"


def _by_way(served: list[dict[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for each in served for name in each["ways"])
    lines = ["| way in | pipelines | greatest difference | beyond what is allowed |", "|---|---|---|---|"]
    for name in names:
        differences = [each["ways"][name] for each in served if name in each["ways"]]
        beyond = sum(not each <= TOLERANCE for each in differences)
        lines.append(f"| {name} | {len(differences)} | {max(differences):.2g} | {beyond} |")
    return lines
