"""A push service: takes what is meant for a browser, and opens it as that browser would, with keys of its own."""

from __future__ import annotations

import base64
import json
import os
from typing import Any

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

from alerts.tests.servers.http import HttpServer, Reply, Seen


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class PushService(HttpServer):
    """``keys`` are a browser's; ``opened`` what it would have shown. A request without our signature is refused, as they do."""

    def __init__(self) -> None:
        super().__init__()
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.secret = os.urandom(16)

    @property
    def keys(self) -> dict[str, str]:
        public = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"p256dh": _text(public), "auth": _text(self.secret)}

    @property
    def endpoint(self) -> str:
        return f"{self.url}/send/abc"

    def answer(self, seen: Seen) -> Reply:
        token = seen.headers.get("authorization", "")
        if not token.startswith("vapid t=") or not Vapid02.verify(token):
            return Reply.json(401, {"message": "unsigned"})
        if len(seen.body) > 4096 or "ttl" not in seen.headers:
            return Reply.json(413 if "ttl" in seen.headers else 400, {})
        return Reply(201, b"", headers={"Location": f"{self.url}/m/1"})

    @property
    def opened(self) -> list[dict[str, Any]]:
        opened = [http_ece.decrypt(one.body, private_key=self.private, auth_secret=self.secret, version="aes128gcm") for one in self.seen]
        return [json.loads(words) for words in opened]
