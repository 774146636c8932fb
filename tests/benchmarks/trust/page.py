"""The page of the results, from their numbers."""

from typing import Any

from tests.benchmarks.trust.chains import Gate

CONTROLS: tuple[Gate, ...] = ("without the ledger", "percentile bootstrap")

INTRODUCTION = """# Trust in a promotion

Written by `make trust` from [trust.json](trust.json). Each life is a model that is retrained again and again, and no
retrain is better: any promotion is an error. Who retrains is adaptive: what gained on the held-out rows is tried again,
a little changed. The bound and the ledger are those of the gate and the registry; bar: at most 5 % of lives with an
error, but for the noise of the count.

Rows: Gaussian; lognormal and Pareto targets (of a tail like that of stars of repositories), on which a candidate gains
a little on most rows and loses hugely on a few; residuals like those of repositories' stars, made for this, a lognormal
body with a Pareto tail; a label of 6.6 %; groups of five rows that have most of their target in common, declared by a
key; a spread that changes with time.
"""

POWER = """
## Power

How often a true gain is seen, on so many times the rows on which Student's test of one look at the same error sees it
with a chance of 0.80. Gains are Gaussian; for bets their declared range is 20 standard deviations wide. No bound that
holds for every distribution within that range can see it more often on 200 rows than 0.85, 0.74 and 0.50 of the time
with 1.25 times the rows, for errors of 5 %, 0.5 % and 0.05 %: a row at the range's lower end that makes the mean 0 is
so rare that it is mostly not among them (decision 0160).
"""


def page(found: dict[str, Any]) -> str:
    """Return the page in Markdown."""
    lines = [INTRODUCTION, "## Lives with an error", ""]
    lines += ["| rows held out | retrains | data | gate | lives | with an error |", "|---|---|---|---|---|---|"]
    for each in found["lives"]:
        rows = f"{each['rows']:,}"
        if each["more"]:
            rows += f" to {each['rows'] + each['more'] * (each['retrains'] - 1):,}"
        share = each["deceived"] / each["lives"]
        gate = each["gate"] if each["gate"] == "ours" else f"control: {each['gate']}"
        lines.append(f"| {rows} | {each['retrains']:,} | {each['case']} | {gate} | {each['lives']} | {share:.1%} |")
    tests = {(each["bound"], each["rows"], each["level"]) for each in found["power"]}
    more = sorted({each["more"] for each in found["power"]})
    lines += [POWER, "| bound | rows | error | " + " | ".join(f"{each:g} times" for each in more) + " |"]
    lines.append("|---|---|---|" + "---|" * len(more))
    for bound, count, level in sorted(tests, key=lambda test: (test[0], test[1], -test[2])):
        seen = {each["more"]: each["seen"] for each in found["power"] if _test(each) == (bound, count, level)}
        name = "rows' influence and one row more" if bound == "influence" else "betting"
        lines.append(
            f"| {name} | {count:,} | {100 * level:g} % | " + " | ".join(f"{seen[each]:.2f}" for each in more) + " |"
        )
    return "\n".join(lines) + "\n"


def _test(each: dict[str, Any]) -> tuple[str, int, float]:
    return each["bound"], each["rows"], each["level"]
