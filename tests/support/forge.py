"""A forge as far as comments of pull and merge requests go: the REST routes of GitHub and of GitLab, over real HTTP."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.json_server import Answer, json_server

TOKEN = "forge-token"
BOT, PERSON = 41, 7

GITHUB_LIST = re.compile(r"/repos/acme/models/issues/(\d+)/comments")
GITHUB_ONE = re.compile(r"/repos/acme/models/issues/comments/(\d+)")
GITLAB_LIST = re.compile(r"/api/v4/projects/12/merge_requests/(\d+)/notes")
GITLAB_ONE = re.compile(r"/api/v4/projects/12/merge_requests/\d+/notes/(\d+)")


@dataclass
class Forge:
    """Requests by number, each with its comments; ``asked`` are the requests that it got.

    ``app`` is whether GitHub's token is that of an app, as in a workflow, which may not ask whose it is.
    """

    url: str = ""
    app: bool = True
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def write(self, request: str, body: str, *, by: int = PERSON) -> int:
        """Comment on a request; return the comment's id."""
        number = len(self.comments) + 1
        self.comments[number] = {"request": request, "id": number, "body": body, "by": by}
        return number

    def bodies(self, request: str) -> list[str]:
        return [each["body"] for each in self.comments.values() if each["request"] == request]

    def variables(self, forge: str, number: str) -> dict[str, str]:
        """Return what a CI job for a request has in its environment."""
        if forge == "github":
            job = {"GITHUB_API_URL": self.url, "GITHUB_REPOSITORY": "acme/models", "GITHUB_TOKEN": TOKEN}
            return job | {"GITHUB_REF": f"refs/pull/{number}/merge"}
        job = {"CI_API_V4_URL": f"{self.url}/api/v4", "CI_PROJECT_ID": "12", "GITLAB_TOKEN": TOKEN}
        return job | {"CI_MERGE_REQUEST_IID": number}

    def answer(self, method: str, target: str, headers: Any, body: Any) -> tuple[int, Any, dict[str, str]]:
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        self.asked.append(f"{method} {path}")
        github = not path.startswith("/api/v4")
        given = headers.get("authorization") if github else headers.get("private-token")
        if given != (f"Bearer {TOKEN}" if github else TOKEN):
            return 401, {"message": "Bad credentials" if github else "401 Unauthorized"}, {}
        if path in ("/user", "/api/v4/user"):
            refused = github and self.app
            return (
                (403, {"message": "Resource not accessible by integration"}, {}) if refused else (200, {"id": BOT}, {})
            )
        if found := (GITHUB_LIST if github else GITLAB_LIST).fullmatch(path):
            if method == "POST":
                return 201, self._shown(self.write(found[1], body["body"], by=BOT), github=github), {}
            return self._page(found[1], int(query["page"][0]), int(query["per_page"][0]), path, github=github)
        one = (GITHUB_ONE if github else GITLAB_ONE).fullmatch(path)
        if one and int(one[1]) in self.comments and method == ("PATCH" if github else "PUT"):
            self.comments[int(one[1])]["body"] = body["body"]
            return 200, self._shown(int(one[1]), github=github), {}
        return 404, {"message": "Not Found" if github else "404 Not found"}, {}

    def _page(self, request: str, page: int, size: int, path: str, *, github: bool) -> tuple[int, Any, dict[str, str]]:
        numbers = [each["id"] for each in self.comments.values() if each["request"] == request]
        shown = numbers[(page - 1) * size : page * size]
        more = {"Link": f'<{self.url}{path}?page={page + 1}>; rel="next"'} if len(numbers) > page * size else {}
        return 200, [self._shown(each, github=github) for each in shown], more

    def _shown(self, number: int, *, github: bool) -> dict[str, Any]:
        comment = self.comments[number]
        by = comment["by"]
        about = {"id": number, "body": comment["body"]}
        if not github:
            return about | {"author": {"id": by}, "system": False}
        address = f"{self.url}/acme/models/pull/{comment['request']}#issuecomment-{number}"
        return about | {"user": {"id": by, "type": "Bot" if by == BOT and self.app else "User"}, "html_url": address}


@contextmanager
def running_forge() -> Iterator[Forge]:
    """Yield a forge that listens."""
    forge = Forge()

    def answer(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        return forge.answer(method, target, headers, json.loads(body or b"null"))

    with json_server(answer) as forge.url:
        yield forge
