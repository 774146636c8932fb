"""The event base: a fact's data, and the CloudEvents envelope that carries it."""

import binascii
import json
import re
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, NoReturn, Self
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field, field_validator

from interlock_contracts.json_keys import keys_in, refuse_repeated_keys

NAMESPACE = UUID("6c3f2a52-4f0a-5a35-9d3e-1f6f3a0c7b11")
"""Root of all deterministic ids; changing it would make every repeat look new."""

_PREFIX = "cloudEvents_"
_SHORT = "ce-"
_SPELLINGS = (_PREFIX, "cloudEvents:", _SHORT)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
UNTRACED = f"00-{1:032x}-{1:016x}-00"
"""A ``traceparent`` under which no span is recorded: a trace for each event of a log would hide the rest."""

_OURS = "/interlock/"
"""What the source of our own services begins with."""

JSON = "application/json"
STRUCTURED = "application/cloudevents+json"
MAX_BYTES = 4 << 20
"""Largest body of a message; what is larger belongs in the object store, with a reference in the event."""


class Event(BaseModel):
    """A fact in the past tense, or a request; the docstring of each subclass has when it becomes true.

    The fields are the CloudEvents *data*. Readers ignore unknown fields, so a producer may add optional ones.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]

    @property
    @abstractmethod
    def subject(self) -> str:
        """Return what the event is about, for instance ``model/flights`` or ``run/<id>``."""

    def body(self) -> bytes:
        """Return the data as JSON; optional fields without a value are left out."""
        return self.model_dump_json(exclude_none=True).encode()


class Envelope(BaseModel):
    """CloudEvents 1.0 attributes of one message, with the ``traceparent`` and ``causationid`` extensions.

    ``traceparent`` is the creation context, which stays as it is on every hop; the hop's own context travels in
    the plain ``traceparent`` header beside it. See the AMQP protocol binding of CloudEvents, binary content mode.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: str = Field(default="1.0", pattern=r"^1\.0$")
    id: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")
    source: str = Field(min_length=1, max_length=400, pattern=r"^[^\x00-\x1f]+$")
    type: str = Field(min_length=1)
    subject: str | None = None
    time: datetime | None = None
    causationid: str | None = None
    traceparent: str | None = None

    @field_validator("time")
    @classmethod
    def _in_utc(cls, time: datetime | None) -> datetime | None:
        """Return the time in UTC, which is also what one without a zone is read as."""
        try:
            return time if time is None else time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
        except OverflowError as error:
            raise ValueError(f"{time} is beyond the calendar") from error

    @property
    def service(self) -> str | None:
        """Return the service of ours that the source names, None for any other source."""
        return self.source.removeprefix(_OURS) if self.source.startswith(_OURS) else None

    @property
    def identity(self) -> str:
        """Return the event's unique identity: inbox key, and causation id of what follows from it.

        CloudEvents are identified by source *and* id. The ids of our own services follow from their causes and are
        unique by themselves.
        """
        if self.source.startswith(_OURS):
            return self.id
        return f"{self.source.replace('%', '%25').replace('#', '%23')}#{self.id}"

    @classmethod
    def of(
        cls, event: Event, *, source: str, cause: str, now: datetime, traceparent: str | None = None, n: int = 0
    ) -> Self:
        """Wrap ``event``; its id follows from cause, type, subject and ``n``, so that a repeat is recognised.

        ``n`` distinguishes several events of one type and subject that one cause brings about (a progress counter,
        an attempt); ``now`` must be timezone-aware.
        """
        return cls(
            id=str(event_id(cause, event.type, event.subject, n)),
            source=f"/interlock/{source}",
            type=event.type,
            subject=event.subject,
            time=now,
            causationid=cause,
            traceparent=traceparent,
        )

    def headers(self) -> dict[str, str]:
        """Return the attributes as AMQP headers in binary content mode."""
        return {_PREFIX + name: value for name, value in self.model_dump(mode="json", exclude_none=True).items()}

    @classmethod
    def parse(cls, headers: Mapping[str, Any], body: bytes, content_type: str | None) -> tuple[Self, Any]:
        """Return envelope and decoded data of a message, in binary or structured content mode.

        Raises:
            ValueError: the body is too large or not JSON, a key is there twice in one object, or a required attribute
                is missing or malformed; the text names it.
        """
        check_body(body, content_type)
        data = _json(body)
        if is_structured(content_type):
            if not isinstance(data, dict):
                raise ValueError("a structured CloudEvent is a JSON object")
            return cls.model_validate(data), _data_of(data)
        return cls.of_headers(headers), data

    @classmethod
    def of_headers(cls, headers: Mapping[str, Any]) -> Self:
        """Return the envelope of a message in binary content mode.

        Raises:
            ValueError: a required attribute is missing or malformed; the text names it.
        """
        attributes = {
            name[len(_SHORT) if name.startswith(_SHORT) else len(_PREFIX) :]: value
            for name, value in headers.items()
            if name.startswith(_SPELLINGS)
        }
        return cls.model_validate(attributes)


def _json(body: bytes) -> Any:
    """Return a body's value; a byte order mark is ignored, and any encoding but UTF-8 is refused."""
    try:
        data = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {error}") from error
    refuse_repeated_keys(body, keys_in(data))
    return data


def _refuse_constant(name: str) -> NoReturn:
    """NaN and infinities are no JSON, though Python reads them: no database of ours would take them."""
    raise ValueError(f"{name} is not a JSON number")


def _data_of(event: Mapping[str, Any]) -> Any:
    """Return the data of an event in structured content mode, as JSON or as the bytes of some."""
    if "data_base64" not in event:
        return event.get("data")
    if "data" in event:
        raise ValueError("a structured CloudEvent has either data or data_base64")
    try:
        return _json(binascii.a2b_base64(event["data_base64"], strict_mode=True))
    except (ValueError, TypeError) as error:
        raise ValueError(f"data_base64: {error}") from error


def is_structured(content_type: str | None) -> bool:
    """Return whether a message has its attributes in the body, beside the data."""
    return _media_type(content_type) == STRUCTURED


def _media_type(content_type: str | None) -> str:
    return (content_type or JSON).partition(";")[0].strip().lower()


def check_body(body: bytes, content_type: str | None) -> None:
    """Look at a message's body before it is parsed; no content type counts as JSON.

    Raises:
        ValueError: it is too large, or calls itself something other than JSON.
    """
    if len(body) > MAX_BYTES:
        raise ValueError(
            f"the body has {len(body)} bytes; an event has at most {MAX_BYTES}, and refers to what is larger"
        )
    media_type = _media_type(content_type)
    if media_type != JSON and not media_type.endswith("+json"):
        raise ValueError(f"the content type is {content_type!r}; an event's is 'application/json'")


def trace_id_of(traceparent: object) -> str | None:
    """Return the trace id in a W3C ``traceparent``; None where it is none, or where no span is recorded under it."""
    found = _TRACEPARENT.fullmatch(traceparent) if isinstance(traceparent, str) else None
    return found.group(1) if found and traceparent != UNTRACED and found.group(1).strip("0") else None


def event_id(cause: str, event_type: str, subject: str, n: int = 0) -> UUID:
    """Return the deterministic id of the ``n``-th event of a type about a subject that ``cause`` brings about."""
    return uuid5(NAMESPACE, f"{cause}|{event_type}|{subject}|{n}")


def run_id(cause: str, model: str) -> UUID:
    """Return the id of the training run that the event ``cause`` requests; known before it is consumed."""
    return uuid5(NAMESPACE, f"{cause}|run|{model}")
