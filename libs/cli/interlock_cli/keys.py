"""`interlock keys` and `interlock audit`: API keys, and the audit log."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

import typer
from interlock_client import Request
from interlock_contracts.access import SCOPES, AuditEntry, KeyMade, KeyView

from interlock_cli import completion
from interlock_cli.gateway import connect
from interlock_cli.terminal import Json, command_terminal

KeyName = Annotated[str, typer.Argument(help="Name of the key's user, for instance ci.")]

keys = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)


@keys.command()
def create(
    name: KeyName,
    *,
    scope: Annotated[
        list[str],
        typer.Option(help=f"Scope: {', '.join(SCOPES)}; repeatable.", autocompletion=completion.scopes),
    ],
    days: Annotated[float | None, typer.Option(min=0, help="Days until it expires; default: never.")] = None,
    as_json: Json = False,
) -> None:
    """Create an API key and print it, once.

    Example: interlock keys create ci --scope ingest --scope train --days 90
    """
    if unknown := [each for each in scope if each not in SCOPES]:
        raise typer.BadParameter(f"unknown scope {unknown[0]!r}; scopes are {', '.join(SCOPES)}")
    until = datetime.now(UTC) + timedelta(days=days) if days is not None else None
    body = {"name": name, "scopes": scope, "expires_at": until.isoformat() if until else None}
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        made = KeyMade.model_validate(gateway.post("/keys", body))
        terminal.echo(made.key)
        terminal.echo("it is not shown again; use it as INTERLOCK_API_KEY, or as a Bearer token", style="dim")
        terminal.result(made)


@keys.command("list")
def list_keys(*, as_json: Json = False) -> None:
    """List all API keys, revoked ones included, newest first; without their secrets.

    Example: interlock keys list
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        found = gateway.list(KeyView, "/keys")
        columns = ("name", "scopes", "created", "by", "state")
        rows = [(key.name, ", ".join(key.scopes), key.created_at, key.created_by, _state(key)) for key in found]
        terminal.table(columns, rows)
        if not found:
            terminal.echo("no keys except the admin's; next: interlock keys create NAME --scope predict")
        terminal.result(found)


def _state(key: KeyView) -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
    if key.expires_at is None:
        return "active"
    over = key.expires_at <= datetime.now(UTC)
    return f"{'expired' if over else 'active until'} {key.expires_at:%Y-%m-%d %H:%M}"


@keys.command()
def revoke(name: KeyName, *, as_json: Json = False) -> None:
    """Revoke an API key; every service refuses it within 30 seconds.

    Example: interlock keys revoke ci
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        revoked = KeyView.model_validate(gateway.request(Request("DELETE", f"/keys/{quote(name, safe='')}")).json())
        terminal.echo(f"{name} is revoked", style="green")
        terminal.result(revoked)


def audit(
    *,
    by: Annotated[str | None, typer.Option(help="Only actions of this caller, for instance ci or admin.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action, for instance version.rolled_back.")] = None,
    subject: Annotated[
        str | None, typer.Option(help="Only actions on this subject, for instance model/flights-1.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Only what was done to this model: versions, pipeline, runs.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Maximum number of entries.")] = 50,
    as_json: Json = False,
) -> None:
    """Show the audit log, newest first: approvals, promotions, rollbacks, pipelines, keys.

    Example: interlock audit --subject model/flights-1
    """
    with command_terminal(as_json=as_json) as terminal, connect() as gateway:
        found = gateway.list(AuditEntry, "/audit", by=by, action=action, subject=subject, model=model, limit=limit)
        rows = [(each.at, each.by, each.action, each.subject, _details(each.details)) for each in found]
        terminal.table(("time", "caller", "action", "subject", "details"), rows)
        terminal.result(found)


def _details(details: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in details.items())


def _shown(value: Any) -> str:
    if isinstance(value, dict):  # tags: null for one that was removed
        return " ".join(
            f"-{name}" if each is None else f"{name}={each}" if each else name for name, each in value.items()
        )
    return "+".join(value) if isinstance(value, list) else str(value)
