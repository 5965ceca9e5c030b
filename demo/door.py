"""The product's own sign-in and API, as a person's programs use them."""

from __future__ import annotations

import logging
import time
from typing import Any, Protocol

import httpx

logger = logging.getLogger(__name__)

AGAIN_AFTER_S = 60.0


class Answer(Protocol):
    @property
    def status_code(self) -> int: ...

    def json(self) -> Any: ...


class Door(Protocol):
    """Posts JSON as somebody who is signed in."""

    def post(self, path: str, told: dict[str, Any]) -> Answer: ...


class SignedIn:
    """A person's session over HTTP; signs in when it has to, at most once a minute."""

    def __init__(self, client: httpx.Client, *, username: str, password: str) -> None:
        self.client = client
        self.username, self.password = username, password
        self._tried_at = 0.0

    def post(self, path: str, told: dict[str, Any]) -> Answer:
        """Raises ``httpx.HTTPError`` where the product does not answer."""
        answer = self._send(path, told)
        if answer.status_code in {401, 403} and time.monotonic() - self._tried_at > AGAIN_AFTER_S:
            self._sign_in()
            answer = self._send(path, told)
        return answer

    def _send(self, path: str, told: dict[str, Any]) -> httpx.Response:
        return self.client.post(path, json=told, headers={"X-CSRFToken": self._csrf()})

    def _sign_in(self) -> None:
        self._tried_at = time.monotonic()
        self.client.cookies.clear()
        self.client.get("/sign-in/")
        form = {"username": self.username, "password": self.password, "csrfmiddlewaretoken": self._csrf()}
        answer = self.client.post("/sign-in/", data=form)
        if answer.status_code != 302:
            logger.warning("%s could not sign in: %d", self.username, answer.status_code)

    def _csrf(self) -> str:
        return self.client.cookies.get("csrftoken") or ""
