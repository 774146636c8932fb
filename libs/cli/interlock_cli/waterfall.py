"""Waterfall of a trace in the terminal: nesting, start and duration of spans."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle

from interlock_contracts import telemetry
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from interlock_cli.spans import Span, Trace

REPEATS_SHOWN = 2
"""Equal siblings shown separately; more of them are merged into one line."""

WIDEST_NAME = 56
EIGHTHS = " ▏▎▍▌▋▊▉█"
COLOURS = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_green", "bright_magenta")
"""One for each service; red is reserved for errors."""

NOTES = (
    ("candidate", telemetry.CANDIDATE),
    ("trial", telemetry.TRIAL),
    ("score", telemetry.SCORE),
    ("version", telemetry.VERSION),
    ("result", telemetry.RESULT),
    ("worker", telemetry.WORKER),
)


MIN_WAIT_SHOWN = 0.1
"""Least waiting time in a queue that is shown, in seconds."""


@dataclass(frozen=True)
class _Line:
    """One row: a span, or several equal ones merged; ``waiting_since_ns`` is the end of its parent."""

    span: Span
    depth: int
    times: int
    waiting_since_ns: int
    end_ns: int


def waterfall(trace: Trace) -> Table:
    """Return the trace as a table: names indented by their parents, bars against time, offset and duration."""
    lines = list(_lines(trace))
    colours = dict(zip(dict.fromkeys(span.short_service for span in trace.spans), cycle(COLOURS), strict=False))
    begin, whole = trace.begin_ns, max(trace.end_ns - trace.begin_ns, 1)

    def share(at_ns: int) -> float:
        return (at_ns - begin) / whole

    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    table.add_column("service", no_wrap=True, overflow="ellipsis", min_width=8)
    table.add_column("span", no_wrap=True, overflow="ellipsis", max_width=WIDEST_NAME, ratio=1, min_width=16)
    table.add_column(_Scale(whole), ratio=1, min_width=16)
    table.add_column("start", justify="right", no_wrap=True)
    table.add_column("duration", justify="right", no_wrap=True)
    for line in lines:
        colour = "red" if line.span.failed else colours[line.span.short_service]
        table.add_row(
            Text(line.span.short_service, style=colour),
            _name(line),
            _Bar(
                share(line.waiting_since_ns),
                share(line.span.start_ns),
                share(line.end_ns),
                colour,
                broken=line.times > 1,
            ),
            f"+{duration(line.span.start_ns - begin)}",
            duration(line.end_ns - line.span.start_ns),
        )
    return table


def duration(nanoseconds: float) -> str:
    """Return a duration as text: ``0.4 ms``, ``312 ms``, ``18.3 s``, ``12 min 5 s``."""
    ms = nanoseconds / 1e6
    if ms < 10:  # noqa: PLR2004 - digits that tell something
        return f"{ms:.1f} ms"
    if ms < 1_000:  # noqa: PLR2004
        return f"{ms:.0f} ms"
    seconds = ms / 1e3
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"  # noqa: PLR2004


def elapsed(start: datetime | None, end: datetime | None) -> str | None:
    """Return the time between two moments as :func:`duration` writes it; None where one of them has not come."""
    return duration((end - start).total_seconds() * 1e9) if start and end else None


def _lines(trace: Trace) -> Iterator[_Line]:
    def below(spans: list[Span], depth: int, parent_end_ns: int | None) -> Iterator[_Line]:
        leaves = {span.span_id: _leaf(trace, span) for span in spans}
        repeats = Counter(leaf for leaf in leaves.values() if leaf)
        merged: set[str] = set()
        for span in spans:
            leaf = leaves[span.span_id]
            waiting_since = span.start_ns if parent_end_ns is None else min(parent_end_ns, span.start_ns)
            if leaf is None or repeats[leaf] <= REPEATS_SHOWN:
                yield _Line(span, depth, 1, waiting_since, span.end_ns)
                yield from below(trace.children(span), depth + 1, span.end_ns)
            elif leaf not in merged:
                merged.add(leaf)
                end = max(each.end_ns for each in spans if leaves[each.span_id] == leaf)
                yield _Line(span, depth, repeats[leaf], waiting_since, end)

    yield from below(trace.roots, 0, None)


def _leaf(trace: Trace, span: Span) -> str | None:
    """Return the merge key of a leaf span without an error; None for other spans."""
    return None if span.failed or trace.children(span) else f"{span.service} {span.name}"


def _short(span: Span) -> str:
    """Return the name without what the row shows anyway: the exchange, and the queue's service."""
    return span.name.replace(" interlock.events:", " ").replace(f" {span.short_service}.", " ")


def _name(line: _Line) -> Text:
    span = line.span
    name = Text(" " * line.depth)
    name.append(_short(span), style="bold" if line.depth == 0 else "")
    if line.depth == 0 and span.parent_id is not None:
        name.append(" (parent missing)", style="yellow")
    if line.times > 1:
        name.append(f" ({line.times} times)", style="dim")
    if span.failed:
        name.append(f" error: {span.status_message or 'no message'}", style="bold red")
    notes = _notes(span)
    if notes:
        name.append(f" {' '.join(notes)}", style="dim")
    if links := sum(link.trace_id != span.trace_id for link in span.links):
        name.append(f" ↗ {links}", style="dim")
    return name


def _notes(span: Span) -> list[str]:
    values = {short: span.attributes[name] for short, name in NOTES if name in span.attributes}
    notes = [f"{short}={f'{value:.4g}' if isinstance(value, float) else value}" for short, value in values.items()]
    if (attempt := span.attributes.get(telemetry.ATTEMPT, 1)) > 1:
        notes.append(f"attempt={attempt}")
    if (waited := span.attributes.get(telemetry.WAITED, 0)) >= MIN_WAIT_SHOWN:
        notes.append(f"waited={waited:.1f}s")
    return notes


@dataclass(frozen=True)
class _Bar:
    """A bar from one share of the width to another, preceded by dots for its waiting time.

    The shortest span still has a visible mark; merged spans are a ``broken`` bar.
    """

    waiting_since: float
    start: float
    end: float
    colour: str
    broken: bool

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        first = min(int(self.start * width), width - 1)
        eighths = max(1, round(min(self.end, 1) * width * 8) - first * 8)
        full, rest = divmod(eighths, 8)
        bar = (("░" if self.broken else "█") * full + (EIGHTHS[rest] if rest else ""))[: width - first]
        waited = first - min(int(self.waiting_since * width), first)
        yield Segment(" " * (first - waited))
        yield Segment("·" * waited, Style(dim=True))
        yield Segment(bar, Style.parse(self.colour))
        yield Segment(" " * (width - first - len(bar)))

    def __rich_measure__(self, _: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(8, options.max_width)


@dataclass(frozen=True)
class _Scale:
    """The heading of the bars: a time axis with start, middle and end."""

    whole_ns: int

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        width, end = options.max_width, duration(self.whole_ns)
        middle = duration(self.whole_ns / 2)
        text = "0"
        if width >= 2 * len(middle) + len(end) + 4:
            text = text.ljust(width // 2) + middle
        yield Segment(text.ljust(width - len(end))[: width - len(end)] + end, Style(dim=True))

    def __rich_measure__(self, _: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(8, options.max_width)
