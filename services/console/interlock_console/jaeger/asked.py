"""What Jaeger's clients ask for, read from an address as they write it."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Protocol

from interlock_console.spans.reading import Wanted

MOST_TRACES = 1_500
"""Traces of one search, the most that Jaeger's page offers."""

LOOKBACK_NS = 2 * 24 * 3600 * 10**9
"""How far version 1 looks back where nothing is said."""

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_TRACE_ID = re.compile(r"[0-9a-fA-F]{1,32}")
_ERA_NS = 2**63 - 1


class MalformedError(ValueError):
    """A parameter that cannot be read; its message says which, and what would be right."""


class Params(Protocol):
    """A query string."""

    def get(self, name: str) -> str | None:
        """Return the last value of a name."""

    def getall(self, name: str, default: list[str]) -> list[str]:
        """Return all values of a name."""


def wanted_v3(params: Params) -> Wanted:
    """Return the search that version 3's ``query.*`` means; in camel case, or in snake case as it was before.

    Raises:
        MalformedError: a parameter is missing or malformed.
    """

    def said(*names: str) -> tuple[str, str | None]:
        found = [(name, value) for name in names if (value := params.get(f"query.{name}"))]
        return (f"query.{found[0][0]}", found[0][1]) if found else (f"query.{names[0]}", None)

    since, until = said("startTimeMin", "start_time_min"), said("startTimeMax", "start_time_max")
    shortest, longest = said("durationMin", "duration_min"), said("durationMax", "duration_max")
    if since[1] is None or until[1] is None:
        raise MalformedError("query.startTimeMin and query.startTimeMax are required")
    return Wanted(
        since_ns=moment(*since),
        until_ns=moment(*until),
        service=said("serviceName", "service_name")[1],
        name=said("operationName", "operation_name")[1],
        shortest_ns=duration(*shortest),
        longest_ns=duration(*longest),
        attributes=_attributes("query.attributes", params.get("query.attributes")),
        limit=_limit(*said("searchDepth", "search_depth", "num_traces"), default=20),
    )


def wanted_v1(params: Params, *, now: datetime) -> Wanted:
    """Return the search that version 1's parameters mean; times are microseconds since 1970.

    Raises:
        MalformedError: a parameter is missing or malformed.
    """
    now_ns = int(now.timestamp() * 10**9)
    tags = _attributes("tags", params.get("tags"))
    for tag in params.getall("tag", []):
        key, colon, value = tag.partition(":")
        if not colon:
            raise MalformedError(f"parameter 'tag' is to be key:value, not {tag[:80]!r}")
        tags[key] = value
    return Wanted(
        since_ns=_micros("start", params.get("start"), default=now_ns - LOOKBACK_NS),
        until_ns=_micros("end", params.get("end"), default=now_ns),
        service=service(params),
        name=params.get("operation") or None,
        shortest_ns=duration("minDuration", params.get("minDuration")),
        longest_ns=duration("maxDuration", params.get("maxDuration")),
        attributes=tags,
        limit=_limit("limit", params.get("limit"), default=100),
    )


def service(params: Params) -> str:
    """Return the service that must be named.

    Raises:
        MalformedError: it is not.
    """
    found = params.get("service")
    if not found:
        raise MalformedError("parameter 'service' is required")
    return found


def trace_id(text: str) -> str:
    """Return a trace id with the zeros that Jaeger's clients may leave out at its front.

    Raises:
        MalformedError: it is none.
    """
    if not _TRACE_ID.fullmatch(text) or not text.strip("0"):
        raise MalformedError(f"a trace id is up to 32 hexadecimal digits, not {text[:80]!r}")
    return text.lower().rjust(32, "0")


def trace_ids(texts: Iterable[str]) -> list[str]:
    """Return trace ids in the same way, each once.

    Raises:
        MalformedError: one of them is none.
    """
    found = list(dict.fromkeys(trace_id(each) for each in texts))
    if len(found) > MOST_TRACES:
        raise MalformedError(f"at most {MOST_TRACES} traces are told at once")
    return found


def moment(name: str, text: str | None) -> int:
    """Return a time of RFC 3339 in nanoseconds since 1970; a plus that was not encoded is read as one."""
    fraction = re.search(r"\.(\d{1,9})", text or "")
    try:
        whole = datetime.fromisoformat(re.sub(r"\.\d{1,9}", "", (text or "").replace(" ", "+")))
    except ValueError as error:
        raise MalformedError(f"malformed parameter {name}: a time such as 2026-01-31T12:00:00Z is expected") from error
    seconds = int(whole.replace(tzinfo=whole.tzinfo or UTC).timestamp())
    return _within(seconds * 10**9 + (int(fraction[1].ljust(9, "0")) if fraction else 0))


def duration(name: str, text: str | None) -> int | None:
    """Return a duration as Go writes it, ``1h2m3.5s`` or ``100ms``, in nanoseconds; None where nothing is said."""
    if not text:
        return None
    parts = _DURATION.findall(text)
    if "".join(map("".join, parts)) != text:
        raise MalformedError(f"malformed parameter {name}: a duration such as 1.5s or 100ms is expected")
    return _within(sum(int(float(number) * _UNITS[unit]) for number, unit in parts))


def _micros(name: str, text: str | None, *, default: int) -> int:
    if not text:
        return default
    if not re.fullmatch(r"\d{1,18}", text):
        raise MalformedError(f"parameter {name!r} is to be microseconds since 1970, not {text[:80]!r}")
    return _within(int(text) * 1000)


def _within(nanoseconds: int) -> int:
    return max(0, min(nanoseconds, _ERA_NS))


def _limit(name: str, text: str | None, *, default: int) -> int:
    if not text:
        return default
    if not re.fullmatch(r"\d{1,9}", text) or int(text) == 0:
        raise MalformedError(f"parameter {name} is to be a number of traces, at least 1")
    return min(int(text), MOST_TRACES)


def _attributes(name: str, text: str | None) -> dict[str, str]:
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, Mapping) or not all(isinstance(value, str) for value in found.values()):
        raise MalformedError(
            f'malformed parameter {name}: JSON such as {{"key": "value"}} is expected, all values texts'
        )
    return {key.replace("\0", ""): value.replace("\0", "") for key, value in found.items()}
