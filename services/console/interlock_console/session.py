"""Sessions of the pages: a cookie with the user's own API key, CSRF protection, and single-use sign-in tickets.

The console has no rights of its own. The cookie is authorized exactly like the same key in the header
``Authorization``, here and at the gateway.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from interlock_contracts.access import SCOPES
from interlock_contracts.console import EnterRequest, SessionRequest, SessionView, TicketRequest, TicketView
from interlock_messaging import Bus
from interlock_runtime.access import Access, Caller
from interlock_runtime.http import ANY, PUBLIC, SCOPE
from interlock_runtime.problems import problem
from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.enums import ScopeType
from litestar.params import JSONBody
from litestar.types import ASGIApp, Receive, Scope, Send
from sqlalchemy import delete as delete_rows

from interlock_console.domain import is_same_origin
from interlock_console.settings import ConsoleSettings
from interlock_console.store import TicketRow

COOKIE = "interlock_session"
TICKET_LIFE = timedelta(minutes=10)
_BEARER = b"Bearer "
_NONCE_BYTES = 12


def cookie_to_bearer(app: ASGIApp) -> ASGIApp:
    """ASGI middleware: use the session cookie as the header ``Authorization``, where none is sent.

    CSRF protection: for requests that change something, only if the console's own pages sent them.
    """

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            headers = dict(scope["headers"])
            key = _cookie(headers.get(b"cookie", b""))
            if key and b"authorization" not in headers and is_same_origin(scope["method"], headers):
                scope["headers"] = [*scope["headers"], (b"authorization", _BEARER + key)]
        await app(scope, receive, send)

    return middleware


def _cookie(header: bytes) -> bytes | None:
    pairs = (pair.strip().partition(b"=") for pair in header.split(b";"))
    return next((value for name, _, value in pairs if name == COOKIE.encode()), None)


@post("/session", status_code=200, opt={PUBLIC: True})
async def open_session(
    data: JSONBody[SessionRequest],
    request: Request[Any, Any, Any],
    access: NamedDependency[Access],
    settings: NamedDependency[ConsoleSettings],
) -> Response[SessionView]:
    """Open a session with an API key; 401 for an unknown one."""
    return await _start_session(request, access, settings, data.key)


@post("/session/enter", status_code=200, opt={PUBLIC: True})
async def enter(
    data: JSONBody[EnterRequest],
    request: Request[Any, Any, Any],
    bus: NamedDependency[Bus],
    access: NamedDependency[Access],
    settings: NamedDependency[ConsoleSettings],
) -> Response[SessionView]:
    """Open a session with a single-use ticket; 401 for one that is unknown, used or expired."""
    async with bus.transaction() as session:
        taken = delete_rows(TicketRow).where(TicketRow.hash == _hash(data.ticket)).returning(TicketRow)
        row = (await session.scalars(taken)).one_or_none()
    if row is None or row.expires_at < datetime.now(UTC):
        raise problem(401, "No such ticket", "a ticket opens one session, within ten minutes; ask for another")
    return await _start_session(request, access, settings, _unseal(data.ticket, row.sealed))


@get("/session", opt={SCOPE: ANY})
async def read_session(request: Request[Caller, Any, Any]) -> SessionView:
    """Return the name and scopes of the session's user."""
    return _view(request.user)


@delete("/session", status_code=204, opt={PUBLIC: True})
async def close_session(request: Request[Any, Any, Any]) -> Response[None]:
    """Close the session: clear the cookie."""
    _check_csrf(request)
    gone = Cookie(key=COOKIE, value="", max_age=0, path="/", httponly=True, samesite="strict")
    return Response(None, status_code=204, cookies=[gone])


@post("/session/tickets", status_code=201, opt={SCOPE: ANY})
async def make_ticket(
    request: Request[Caller, Any, Any],
    bus: NamedDependency[Bus],
    settings: NamedDependency[ConsoleSettings],
    data: JSONBody[TicketRequest | None] = None,
) -> TicketView:
    """Make a single-use ticket: a URL that opens a session in the caller's name."""
    if request.user.service is not None:
        raise problem(403, "Forbidden", "a service key opens no session")
    ticket, expires_at = secrets.token_urlsafe(32), datetime.now(UTC) + TICKET_LIFE
    key = request.headers["authorization"].removeprefix(_BEARER.decode())
    async with bus.transaction() as session:
        await session.execute(delete_rows(TicketRow).where(TicketRow.expires_at < datetime.now(UTC)))
        session.add(TicketRow(hash=_hash(ticket), sealed=_seal(ticket, key), expires_at=expires_at))
    to = (data or TicketRequest()).to
    address = f"{settings.console_url.rstrip('/')}/enter?ticket={ticket}&to={to}"
    return TicketView(address=address, expires_at=expires_at)


async def _start_session(
    request: Request[Any, Any, Any], access: Access, settings: ConsoleSettings, key: str
) -> Response[SessionView]:
    _check_csrf(request)
    caller = await access.admit_or_refresh(_BEARER + key.encode())
    if caller is None or caller.service is not None:
        raise problem(401, "Unknown key", "there is no such API key; create one with `interlock keys create`")
    secure = request.url.scheme == "https" or settings.console_url.startswith("https:")
    cookie = Cookie(key=COOKIE, value=key, path="/", httponly=True, samesite="strict", secure=secure)
    return Response(_view(caller), cookies=[cookie], headers={"Cache-Control": "no-store"})


def _check_csrf(request: Request[Any, Any, Any]) -> None:
    """CSRF check: refuse requests of other sites, which could sign somebody in under another name (login CSRF)."""
    if not is_same_origin("POST", dict(request.scope["headers"]), unmarked=True):
        raise problem(403, "Forbidden", "only the console's own pages open and close sessions")


def _view(caller: Caller) -> SessionView:
    return SessionView(name=caller.name, scopes=_ordered(caller.scopes))


def _ordered(scopes: Iterable[Any]) -> list[Any]:
    given = set(scopes)
    return [each for each in SCOPES if each in given]


def _hash(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()


def _cipher(ticket: str) -> AESGCM:
    """Return the cipher of a ticket's row; its key is derived from the ticket, which the database does not hold."""
    return AESGCM(hmac.digest(ticket.encode(), b"interlock console: what a ticket seals", "sha256"))


def _seal(ticket: str, key: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + _cipher(ticket).encrypt(nonce, key.encode(), None)


def _unseal(ticket: str, sealed: bytes) -> str:
    try:
        return _cipher(ticket).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None).decode()
    except InvalidTag:
        raise problem(401, "No such ticket", "the ticket's row was changed; ask for another") from None


ROUTES = [open_session, enter, read_session, close_session, make_ticket]
