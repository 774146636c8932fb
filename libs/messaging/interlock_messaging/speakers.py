"""Who said a message: the broker vouches for its user, and the catalog says what that user may say."""

from collections.abc import Mapping
from typing import Any

from faststream.rabbit import RabbitBroker
from interlock_contracts.rights import REPLAYER, may_say, user_of
from yarl import URL

SAID_BY = "x-said-by"
"""Header of a copy: the user that said the original."""


class Speaker(RabbitBroker):
    """A connection that says which user it has; RabbitMQ refuses a message that claims another."""

    def __init__(self, url: URL, **options: Any) -> None:
        super().__init__(url, **options)
        self.user = url.user


def user_of_connection(broker: RabbitBroker) -> str | None:
    """Return the user that a connection publishes as, None where it does not say."""
    return broker.user if isinstance(broker, Speaker) else None


def said_by(user: str | None, headers: Mapping[str, Any], service: str) -> str | None:
    """Return who said a message that ``service`` got from ``user``.

    What copies say of their originals is believed of the service itself, for its retries, and of the one that replays.
    """
    return str(headers.get(SAID_BY, user)) if user in (user_of(service), user_of(REPLAYER)) else user


def check(speaker: str | None, event_type: str) -> None:
    """Refuse what the catalog does not let ``speaker`` say.

    Raises:
        ValueError: with who said what.
    """
    if not may_say(speaker, event_type):
        raise ValueError(f"{speaker or 'nobody known'} said it, who may not say {event_type}")
