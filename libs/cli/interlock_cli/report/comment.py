"""The one comment of a pull or merge request, over the REST API of GitHub or GitLab: made once, then edited."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal
from urllib.parse import quote

import httpx

from interlock_cli.terminal import CommandError

Forge = Literal["github", "gitlab"]

PAGE = 100
"""Comments on a page, the most that both give."""

TIMEOUT = httpx.Timeout(30, connect=5)


@dataclass(frozen=True)
class PullRequest:
    """A pull or merge request as its API has it: ``comments`` are listed and made there, ``/<id>`` is edited."""

    forge: Forge
    api: str
    comments: str
    edited: str
    headers: Mapping[str, str] = field(repr=False)


def marker(model: str) -> str:
    """Return the line, not shown, by which a model's comment is found again."""
    return f"<!-- interlock report: {model} -->"


def pull_request(forge: Forge, variables: Mapping[str, str]) -> PullRequest | None:
    """Return the request that a CI job is for, by the job's variables; None where it is for a branch or tag.

    Raises:
        CommandError: a variable is missing; the text says which, and where it comes from.
    """
    found = _github(variables) if forge == "github" else _gitlab(variables)
    if found is not None and not found.api.startswith(("https://", "http://")):
        raise CommandError(f"{found.api!r} is no address of an API")
    return found


def _github(variables: Mapping[str, str]) -> PullRequest | None:
    ref = _required(variables, "GITHUB_REF", "GitHub Actions sets it; elsewhere refs/pull/NUMBER/head")
    kind, _, rest = ref.removeprefix("refs/").partition("/")
    number = rest.partition("/")[0]
    if kind != "pull" or not number.isdigit():
        return None
    repository = _required(variables, "GITHUB_REPOSITORY", "GitHub Actions sets it; elsewhere OWNER/NAME")
    token = _required(variables, "GITHUB_TOKEN", "in a workflow ${{ github.token }}, with pull-requests: write")
    issues = f"/repos/{quote(repository)}/issues"
    return PullRequest(
        "github",
        variables.get("GITHUB_API_URL") or "https://api.github.com",
        f"{issues}/{number}/comments",
        f"{issues}/comments",
        {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )


def _gitlab(variables: Mapping[str, str]) -> PullRequest | None:
    project = _required(variables, "CI_PROJECT_ID", "GitLab CI sets it")
    if not (number := variables.get("CI_MERGE_REQUEST_IID")):
        return None
    token = _required(
        variables, "GITLAB_TOKEN", "a project access token with the scope api; CI_JOB_TOKEN may not comment"
    )
    notes = f"/projects/{quote(project, safe='')}/merge_requests/{quote(number, safe='')}/notes"
    api = _required(variables, "CI_API_V4_URL", "GitLab CI sets it")
    return PullRequest("gitlab", api, notes, notes, {"PRIVATE-TOKEN": token})


def _required(variables: Mapping[str, str], name: str, source: str) -> str:
    if not (value := variables.get(name)):
        raise CommandError(f"{name} is not set", hint=source)
    return value


def comment_once(request: PullRequest, mark: str, body: str) -> str | None:
    """Edit our comment that begins with ``mark``, else make one; return its address, where the forge tells it.

    A comment of somebody else that begins so is left alone: its author could write over the report.

    Raises:
        CommandError: the forge refuses, or does not answer.
    """
    with httpx.Client(base_url=request.api, headers=request.headers, timeout=TIMEOUT) as http:
        me = _sender(http, request.forge)
        ours = next((each for each in _comments(http, request) if _is_ours(each, me) and _starts(each, mark)), None)
        if ours is None:
            made = _answer(http, "POST", request.comments, json={"body": body})
        else:
            method = "PATCH" if request.forge == "github" else "PUT"
            made = _answer(http, method, f"{request.edited}/{ours['id']}", json={"body": body})
        address: str | None = made.get("html_url")
        return address or f"comment {made['id']}"


def _sender(http: httpx.Client, forge: Forge) -> int | None:
    """Return whose token it is; None for an app of GitHub, as a workflow's token is: those may not ask."""
    found = _send(http, "GET", "/user")
    if forge == "github" and found.status_code == httpx.codes.FORBIDDEN:
        return None
    identifier: int = _checked(found)["id"]
    return identifier


def _is_ours(comment: Mapping[str, Any], me: int | None) -> bool:
    author = comment.get("user") or comment.get("author") or {}
    return author.get("type") == "Bot" if me is None else author.get("id") == me


def _starts(comment: Mapping[str, Any], mark: str) -> bool:
    return str(comment.get("body") or "").startswith(mark)


def _comments(http: httpx.Client, request: PullRequest) -> Iterator[dict[str, Any]]:
    """Yield the comments, page by page; pages are counted, so that no address in an answer is followed."""
    order = {} if request.forge == "github" else {"sort": "asc", "order_by": "created_at"}
    for page in count(1):
        found = _send(http, "GET", request.comments, params={"per_page": PAGE, "page": page, **order})
        yield from _checked(found)
        if "next" not in found.links:
            return


def _answer(http: httpx.Client, method: str, path: str, **options: Any) -> Any:
    return _checked(_send(http, method, path, **options))


def _send(http: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
    try:
        return http.request(method, path, **options)
    except httpx.HTTPError as error:
        failure = CommandError(f"nothing answers at {http.base_url} ({error})")
        failure.code = 3
        raise failure from error


def _checked(response: httpx.Response) -> Any:
    """Return an answer's data.

    Raises:
        CommandError: it is a refusal, or no JSON.
    """
    try:
        found = response.json()
    except ValueError:
        found = response.text[:200]
    asked = f"{response.request.method} {response.request.url.copy_with(query=None)}"
    if not response.is_success:
        why = (found.get("message") or found.get("error") or found) if isinstance(found, dict) else found
        hint = (
            "the token may not read or write comments of this repository"
            if response.status_code in (401, 403, 404)
            else None
        )
        failure = CommandError(f"{asked} is refused, {response.status_code}: {why}", hint=hint)
        failure.code = 3 if response.status_code in (429, 502, 503, 504) else 1
        raise failure
    if isinstance(found, str):
        raise CommandError(f"the answer to {asked} is no JSON: {found!r}")
    return found
