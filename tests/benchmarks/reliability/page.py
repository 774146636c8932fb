"""The page docs/results/reliability.md, made from a results file; nothing in it is written by hand."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.reliability.trends import BARS
from tests.benchmarks.serving.store import Results

_PROMISED = 10_000
_COUNTS = ("acknowledged", "unacknowledged", "lost", "duplicated", "unexpected", "recovered")


@dataclass(frozen=True)
class Bar:
    """``met`` is None where the run did not measure it."""

    what: str
    asked: str
    measured: str
    met: bool | None


def write(results: Results) -> Path:
    """Write the page beside the results file; return its path."""
    page = results.path.with_suffix(".md")
    page.write_text("\n\n".join(_parts(results.data)) + "\n")
    return page


def bars(data: dict[str, Any]) -> list[Bar]:
    """Return every bar of the reliability work, in the order of its table."""
    return [*_chaos_bars(data.get("chaos", {})), *_control_bars(data.get("controls", {})), *_rest(data)]


def _chaos_bars(seen: dict[str, Any]) -> Iterator[Bar]:
    if "total" not in seen:
        yield Bar("chaos", "0 lost, 0 duplicated, 0 unexpected", _why(seen), None)
        return
    total, letters = seen["total"], sum(seen["dead_letters"].values())
    told = f"{total['lost']} lost, {total['duplicated']} duplicated, {total['unexpected']} unexpected"
    yield Bar(
        f"{_faults(seen)} faults in {seen['seconds']:.0f} s", "0 lost, 0 duplicated, 0 unexpected", told, seen["sound"]
    )
    number = total["acknowledged"]
    yield Bar("requests acknowledged meanwhile", f"≥ {_PROMISED:,}", f"{number:,}", number >= _PROMISED)
    yield Bar("healthy messages given up as dead letters", "0", str(letters), letters == 0)
    yield Bar("everything done after the last fault", "yes", seen["left"] or "yes", not seen["left"])


def _control_bars(seen: dict[str, Any]) -> Iterator[Bar]:
    for name, count, asked in (("inbox", "duplicated", "effects twice"), ("outbox", "lost", "a loss")):
        what = f"the same harness over a registry without its {name}"
        if name not in seen:
            yield Bar(what, f"sees {asked}", _why(seen), None)
            continue
        number = seen[name]["total"][count]
        yield Bar(what, f"sees {asked}", f"{number} {count}", number > 0)


def _rest(data: dict[str, Any]) -> Iterator[Bar]:
    served, soaked = data.get("serving", {}), data.get("soak", {})
    if "share" not in served:
        yield Bar("predictions under outages", "≥ 99.9 % answered", _why(served), None)
    else:
        share, gap, back = served["share"], served["longest_gap_ms"], served["backwards"]
        what = f"predictions while servers are stopped, through {served['promotions']} promotions"
        yield Bar(what, "≥ 99.9 % answered", f"{share:.3%} of {served['requests']:,}", share >= 0.999)
        yield Bar("longest time without any answer", "≤ 1 s", f"{gap:.0f} ms", gap <= 1000)
        yield Bar("answers older after newer", "0", str(back), back == 0)
        never = served["never_promoted"]
        yield Bar("versions answered and never promoted", "0", str(len(never)), not never)
    if "trends" not in soaked:
        yield Bar("soak", "no slope over its bar", _why(soaked), None)
    else:
        steep = [f"{each['part']}: {each['measure']}" for each in soaked["trends"] if not each["flat"]]
        yield Bar(f"soak of {soaked['seconds']:.0f} s", "no slope over its bar", ", ".join(steep) or "none", not steep)


def _why(seen: dict[str, Any]) -> str:
    return f"failed: {seen['error']}" if "error" in seen else "not measured"


def _parts(data: dict[str, Any]) -> Iterable[str]:
    yield "# Reliability, measured"
    yield "<!-- Made by `make bench-reliability`; changes by hand are lost. -->"
    yield (
        "Real service processes, broker, database and object store of a stack of its own, killed, stopped, paused and "
        "cut off. [How to repeat it](README.md); what is promised, and where that ends: [promises](../promises.md)."
    )
    yield "## Bars"
    words = {True: "met", False: "**not met**", None: ""}
    rows = [(bar.what, bar.asked, bar.measured, words[bar.met]) for bar in bars(data)]
    yield _table(("what", "asked", "measured", ""), rows)
    yield from _chaos(data.get("chaos", {}))
    yield from _controls(data.get("controls", {}))
    yield from _serving(data.get("serving", {}))
    yield from _soak(data.get("soak", {}))
    yield from _versions(data)


_METHOD = """*Acknowledged*: the broker confirmed it, or the door answered 2xx. *Lost*: acknowledged and without its
effect. *Duplicated*: an effect beyond the first. *Unexpected*: an effect that nobody asked for, or a wrong answer.
*Recovered*: never acknowledged, for instance because the gateway was killed before it could answer, and yet done, as it
may be. Effects are counted from outside: by a durable queue that hears every event, and by what the services say of
themselves when all is over. Users predict asynchronously, roll back by event and over REST, ask for trainings that
cannot be, tell truths, bring files and promote new versions; some of what is said is said again later, in another
order."""


def _chaos(seen: dict[str, Any]) -> Iterable[str]:
    if "total" not in seen:
        return
    yield "## Chaos"
    yield _how(seen)
    yield _METHOD
    rows = [(kind, *(f"{counts[name]:,}" for name in _COUNTS)) for kind, counts in seen["kinds"].items()]
    rows.append(("**all**", *(f"**{seen['total'][name]:,}**" for name in _COUNTS)))
    yield _table(("", *_COUNTS), rows)
    yield (
        f"Seed {seen['seed']}; {seen['repeats']:,} messages came again and had no further effect; everything was done "
        f"{seen['drain_seconds']:.0f} s after the last request."
    )
    yield _table(("fault", "times"), [(name, str(count)) for name, count in sorted(seen["faults"].items())])


def _controls(seen: dict[str, Any]) -> Iterable[str]:
    if "inbox" not in seen:
        return
    yield "## What the harness must see"
    yield _how(seen)
    yield (
        "The registry with its inbox switched off by a trigger, each request said three times; and the registry "
        "publishing after its commit, without an outbox, killed once in between. A harness that finds nothing here "
        "proves nothing above."
    )
    rows = [
        (f"without {name}", *(str(seen[name]["total"][count]) for count in _COUNTS)) for name in ("inbox", "outbox")
    ]
    yield _table(("", *_COUNTS), rows)


def _serving(seen: dict[str, Any]) -> Iterable[str]:
    if "share" not in seen:
        return
    yield "## Serving under outages"
    yield _how(seen)
    yield (
        f"{seen['requests']:,} predictions in {seen['seconds']:.0f} s over kept and new connections, two gateway "
        f"workers; {seen['versions_answered']} versions answered. An outage lasts until the part works again."
    )
    rows = [
        (
            each["parts"],
            f"{each['end'] - each['begin']:.1f}",
            f"{each['requests']:,}",
            str(each["failed"]),
            f"{each['longest_gap_ms']:.0f}",
        )
        for each in seen["outages"]
    ]
    yield _table(("without", "seconds", "requests", "failed", "longest gap, ms"), rows)


def _soak(seen: dict[str, Any]) -> Iterable[str]:
    if "trends" not in seen:
        return
    yield "## Soak"
    yield _how(seen)
    yield (
        f"{seen['acknowledged']:,} requests with an effect and {seen['predictions']:,} predictions in "
        f"{seen['seconds']:.0f} s, {seen['samples']} samples; slopes by Theil and Sen after the first third, of a "
        "service's whole process tree. A slope counts as growth when it is over its bar and its 95 % interval is "
        "above 0."
    )
    rows = [
        (
            each["part"],
            each["measure"],
            f"{each['begin']:,.1f}",
            f"{each['end']:,.1f}",
            f"{each['slope']:+.3f} {BARS[each['measure']][0]}",
            f"{each['bar']:g}",
            "flat" if each["flat"] else "**grows**",
        )
        for each in seen["trends"]
    ]
    yield _table(("part", "measure", "begin", "end", "slope", "bar", ""), rows)


def _how(seen: dict[str, Any]) -> str:
    about = "{processor}, {cores} cores, {memory}, {system}, Python {python}".format(**seen["machine"])
    return f"Measured {seen['date']} at commit `{seen['commit']}` on {about}. Command: `{seen['command']}`."


def _versions(data: dict[str, Any]) -> Iterable[str]:
    versions = next((seen["versions"] for seen in data.values() if "versions" in seen), None)
    if versions:
        yield "## What was installed"
        yield ", ".join(f"{name} {version}" for name, version in versions.items()) + "."


def _faults(seen: dict[str, Any]) -> int:
    return sum(count for name, count in seen["faults"].items() if not name.endswith("in vain"))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in lines)
