"""Publisher identity: the broker vouches for a message's user, and the catalog for what that user may publish."""

from collections.abc import Mapping
from typing import Any

from faststream.rabbit import RabbitBroker
from interlock_contracts.permissions import REPLAYER, may_publish, user_of
from yarl import URL

PUBLISHED_BY = "x-said-by"
"""Header of a copy: the user that published the original."""


class IdentifiedPublisher(RabbitBroker):
    """A connection that knows its user; RabbitMQ refuses a message that claims another."""

    def __init__(self, url: URL, **options: Any) -> None:
        super().__init__(url, **options)
        self.user = url.user


def user_of_connection(broker: RabbitBroker) -> str | None:
    """Return the user that a connection publishes as, None where that is not known."""
    return broker.user if isinstance(broker, IdentifiedPublisher) else None


def published_by(user: str | None, headers: Mapping[str, Any], *services: str) -> str | None:
    """Return the user that published a message which one of ``services`` got from ``user``.

    The header of a copy is trusted from the services that read the queue, for their retries, and from the one that
    replays.
    """
    return str(headers.get(PUBLISHED_BY, user)) if user in {user_of(each) for each in (*services, REPLAYER)} else user


def check(publisher: str | None, event_type: str) -> None:
    """Refuse what the catalog does not let ``publisher`` publish.

    Raises:
        ValueError: with the user and the event type.
    """
    if not may_publish(publisher, event_type):
        known = f"publisher {publisher}" if publisher else "an unknown publisher"
        raise ValueError(f"{known} is not permitted to publish {event_type}")
