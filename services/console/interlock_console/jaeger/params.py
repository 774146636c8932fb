"""Query parameters of Jaeger's API, parsed from a query string into a trace search."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Protocol

from interlock_console.spans.queries import TraceQuery

MAX_TRACES = 1_500
"""Traces of one search, the limit of Jaeger's UI."""

LOOKBACK_NS = 2 * 24 * 3600 * 10**9
"""Default lookback of version 1."""

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_TRACE_ID = re.compile(r"[0-9a-fA-F]{1,32}")
_MAX_NS = 2**63 - 1


class MalformedError(ValueError):
    """A malformed parameter; the message names it and what is valid."""


class QueryString(Protocol):
    def get(self, name: str) -> str | None:
        """Return the last value of ``name``."""

    def getall(self, name: str, default: list[str]) -> list[str]: ...


def parse_search_v3(params: QueryString) -> TraceQuery:
    """Parse version 3's ``query.*`` parameters, in camel case, or in snake case as before.

    Raises:
        MalformedError: a parameter is missing or malformed.
    """

    def value_of(*names: str) -> tuple[str, str | None]:
        found = [(name, value) for name in names if (value := params.get(f"query.{name}"))]
        return (f"query.{found[0][0]}", found[0][1]) if found else (f"query.{names[0]}", None)

    since, until = value_of("startTimeMin", "start_time_min"), value_of("startTimeMax", "start_time_max")
    shortest, longest = value_of("durationMin", "duration_min"), value_of("durationMax", "duration_max")
    if since[1] is None or until[1] is None:
        raise MalformedError("query.startTimeMin and query.startTimeMax are required")
    return TraceQuery(
        since_ns=parse_time(*since),
        until_ns=parse_time(*until),
        service=value_of("serviceName", "service_name")[1],
        name=value_of("operationName", "operation_name")[1],
        shortest_ns=parse_duration(*shortest),
        longest_ns=parse_duration(*longest),
        attributes=_attributes("query.attributes", params.get("query.attributes")),
        limit=_limit(*value_of("searchDepth", "search_depth", "num_traces"), default=20),
    )


def parse_search_v1(params: QueryString, *, now: datetime) -> TraceQuery:
    """Parse version 1's parameters; times are microseconds since 1970.

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
    return TraceQuery(
        since_ns=_micros("start", params.get("start"), default=now_ns - LOOKBACK_NS),
        until_ns=_micros("end", params.get("end"), default=now_ns),
        service=parse_service(params),
        name=params.get("operation") or None,
        shortest_ns=parse_duration("minDuration", params.get("minDuration")),
        longest_ns=parse_duration("maxDuration", params.get("maxDuration")),
        attributes=tags,
        limit=_limit("limit", params.get("limit"), default=100),
    )


def parse_service(params: QueryString) -> str:
    """Return the required parameter ``service``.

    Raises:
        MalformedError: it is missing.
    """
    found = params.get("service")
    if not found:
        raise MalformedError("parameter 'service' is required")
    return found


def parse_trace_id(text: str) -> str:
    """Return a trace id, padded with the leading zeros that Jaeger's clients may omit.

    Raises:
        MalformedError: it is no trace id.
    """
    if not _TRACE_ID.fullmatch(text) or not text.strip("0"):
        raise MalformedError(f"a trace id is up to 32 hexadecimal digits, not {text[:80]!r}")
    return text.lower().rjust(32, "0")


def parse_trace_ids(texts: Iterable[str]) -> list[str]:
    """Return distinct trace ids, each as by :func:`parse_trace_id`.

    Raises:
        MalformedError: one of them is no trace id, or there are too many.
    """
    found = list(dict.fromkeys(parse_trace_id(each) for each in texts))
    if len(found) > MAX_TRACES:
        raise MalformedError(f"at most {MAX_TRACES} traces are returned at once")
    return found


def parse_time(name: str, text: str | None) -> int:
    """Return a time of RFC 3339 in nanoseconds since 1970; a space is read as an unencoded plus."""
    fraction = re.search(r"\.(\d{1,9})", text or "")
    try:
        whole = datetime.fromisoformat(re.sub(r"\.\d{1,9}", "", (text or "").replace(" ", "+")))
    except ValueError as error:
        raise MalformedError(f"malformed parameter {name}: a time such as 2026-01-31T12:00:00Z is expected") from error
    seconds = int(whole.replace(tzinfo=whole.tzinfo or UTC).timestamp())
    return _within(seconds * 10**9 + (int(fraction[1].ljust(9, "0")) if fraction else 0))


def parse_duration(name: str, text: str | None) -> int | None:
    """Return a duration as Go writes it, ``1h2m3.5s`` or ``100ms``, in nanoseconds; None for an empty one."""
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
    return max(0, min(nanoseconds, _MAX_NS))


def _limit(name: str, text: str | None, *, default: int) -> int:
    if not text:
        return default
    if not re.fullmatch(r"\d{1,9}", text) or int(text) == 0:
        raise MalformedError(f"parameter {name} is to be a number of traces, at least 1")
    return min(int(text), MAX_TRACES)


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
