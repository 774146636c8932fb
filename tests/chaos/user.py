"""A user who does not give up: asks again where a service dies under the question, as any client would."""

from functools import partial
from typing import Any

import httpx

from tests.support.stack_user import User
from tests.support.waiting import until

PATIENCE = 60.0
"""Seconds for anything that must come, on a machine that has other things to do as well."""

eventually = partial(until, seconds=PATIENCE)


class PatientUser(User):
    """Takes no connection lost and no 5xx for an answer."""

    async def insist(self, method: str, path: str, *, seconds: float = PATIENCE, **options: Any) -> httpx.Response:
        """Return the first answer that is one."""
        answer: httpx.Response = await until(lambda: self._asked(method, path, **options), seconds=seconds)
        return answer

    async def json(self, method: str, path: str, **options: Any) -> Any:
        answer = await self.insist(method, path, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def run(self, run_id: str) -> dict[str, Any] | None:
        answer = await self._asked("GET", f"/runs/{run_id}")
        found: dict[str, Any] | None = answer.json() if answer is not None and answer.is_success else None
        return found

    async def _asked(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        try:
            answer = await self.http.request(method, path, **options)
        except httpx.TransportError:
            return None
        return None if answer.is_server_error else answer
