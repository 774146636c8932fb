"""Shell completion: the `interlock completion` command, and suggestions of models, runs, components and events.

The user waits at the prompt, so requests have a short timeout, and any error yields no suggestions.
"""

from typing import Annotated, Any, Literal

import httpx
import typer
from interlock_client import InterlockError, Request
from interlock_contracts.access import SCOPES
from interlock_contracts.catalog import BY_TYPE
from typer.completion import get_completion_script  # type: ignore[attr-defined] # `--show-completion` guesses the shell

from interlock_cli.gateway import connect
from interlock_cli.terminal import CommandError

PROGRAM = "interlock"

TIMEOUT = httpx.Timeout(2, connect=0.5)
"""Timeout of a request for suggestions, in seconds."""

NEWEST = 30
"""Number of runs suggested."""

Suggestions = list[tuple[str, str]]
"""Possible values, each with a short description."""


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="The shell to complete in.")],
) -> None:
    """Print the script for shell completion of commands, options, models and runs.

    bash: add `eval "$(interlock completion bash)"` to ~/.bashrc; fish: `interlock completion fish >
    ~/.config/fish/completions/interlock.fish`; zsh: `eval "$(interlock completion zsh)"` in ~/.zshrc, after compinit.

    Example: interlock completion bash
    """
    print(get_completion_script(prog_name=PROGRAM, complete_var=f"_{PROGRAM.upper()}_COMPLETE", shell=shell))


def models(incomplete: str) -> Suggestions:
    """Offer models, each with what serves."""
    return [
        (name, f"version {serving['ref']['version']} serves" if serving else "nothing serves")
        for each in _fetch("/models")
        if (name := each["name"]).startswith(incomplete)
        for serving in [each.get("serving")]
    ]


def versions(incomplete: str) -> Suggestions:
    """Suggest models; after a slash, the versions of the model as NAME/VERSION."""
    name, slash, _ = incomplete.partition("/")
    if not slash:
        return models(incomplete)
    found = [(f"{name}/{each['version']}", str(each["stage"])) for each in _fetch(f"/models/{name}/versions")]
    return [(version, stage) for version, stage in found if version.startswith(incomplete)]


def runs(incomplete: str) -> Suggestions:
    """Suggest the newest runs, each with its model and state."""
    found = [(each["run_id"], f"{each['model']}, {each['state']}") for each in _fetch("/runs", limit=NEWEST)]
    return [(run, about) for run, about in found if run.startswith(incomplete)]


def pipelines(incomplete: str) -> Suggestions:
    """Suggest pipelines, each with its target."""
    found = [(each["name"], f"predicts {each['spec']['target']}") for each in _fetch("/pipelines")]
    return [(name, about) for name, about in found if name.startswith(incomplete)]


def event_types(incomplete: str) -> Suggestions:
    """Suggest event types, each with its description."""
    return [
        (name, (route.event.__doc__ or "").splitlines()[0])
        for name, route in BY_TYPE.items()
        if name.startswith(incomplete)
    ]


def scopes(incomplete: str) -> list[str]:
    """Suggest scopes of API keys."""
    return [scope for scope in SCOPES if scope.startswith(incomplete)]


def components(incomplete: str) -> list[str]:
    """Suggest components of the local stack."""
    from interlock_localstack.plan import NAMES  # noqa: PLC0415 - the local stack is an extra

    return [name for name in NAMES if name.startswith(incomplete)]


def _fetch(path: str, **params: Any) -> list[dict[str, Any]]:
    try:
        with connect(retries=0) as gateway:
            answer: list[dict[str, Any]] = gateway.request(Request("GET", path, params, timeout=TIMEOUT)).json()
    except (CommandError, InterlockError, OSError, ValueError):
        return []
    return answer
