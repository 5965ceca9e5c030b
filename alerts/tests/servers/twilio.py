"""A server that speaks Twilio's API for messages and calls, and calls us back as they do, signed with our token."""

from __future__ import annotations

import base64
import re
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from twilio.request_validator import RequestValidator

from alerts.tests.servers.http import HttpServer, Reply, Seen

PATH = re.compile(r"/2010-04-01/Accounts/(?P<account>[^/]+)/(?P<what>Messages|Calls)\.json")


@dataclass
class Taken:
    """A message or a call that was accepted. ``form`` is all we were asked."""

    sid: str
    kind: str  # Messages or Calls
    form: dict[str, str]

    @property
    def to(self) -> str:
        return self.form.get("To", "")

    @property
    def body(self) -> str:
        return self.form.get("Body", "")

    @property
    def callback(self) -> str:
        return self.form.get("StatusCallback", "")


@dataclass
class CalledBack:
    status: str
    answer: int
    text: str = field(default="", repr=False)


class TwilioServer(HttpServer):
    """Accepts by default. ``script(TwilioServer.error(400, 21211))``, ``Reply.hang()``, ``Reply.dropped()`` for what goes wrong.

    ``receipts = ("sent", "delivered")`` calls back by itself after each acceptance, in that order (late with ``receipt_after_s``);
    ``call_back(taken, "delivered")`` does it when the test says so. ``reach`` is where the product's doors really are, when the public
    address it was told (the one that is signed) is another.
    """

    def __init__(self, *, account: str = "AC" + "0" * 32, token: str = "token-of-tests", reach: str = "") -> None:
        super().__init__()
        self.account, self.token, self.reach = account, token, reach
        self.taken: list[Taken] = []
        self.called_back: list[CalledBack] = []
        self.receipts: tuple[str, ...] = ()
        self.receipt_after_s = 0.0
        self._timers: list[threading.Timer] = []

    @staticmethod
    def error(status: int, code: int = 0, message: str = "Refused") -> Reply:
        said = {"code": code, "message": message, "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status}
        return Reply.json(status, {key: value for key, value in said.items() if value != 0})

    @property
    def messages(self) -> list[Taken]:
        return [taken for taken in self.taken if taken.kind == "Messages"]

    @property
    def calls(self) -> list[Taken]:
        return [taken for taken in self.taken if taken.kind == "Calls"]

    def accept(self, seen: Seen) -> Taken:
        """Take it, whatever is then answered: ``script(Reply.dropped())`` before it makes an answer that was lost on the way."""
        match = PATH.fullmatch(urlsplit(seen.path).path)
        assert match is not None, seen.path
        kind = match["what"]
        taken = Taken(("SM" if kind == "Messages" else "CA") + uuid.uuid4().hex, kind, seen.form)
        with self._lock:
            self.taken.append(taken)
        return taken

    def answer(self, seen: Seen) -> Reply:
        expected = "Basic " + base64.b64encode(f"{self.account}:{self.token}".encode()).decode()
        if seen.headers.get("authorization") != expected:
            return self.error(401, 20003, "Authenticate")
        if PATH.fullmatch(urlsplit(seen.path).path) is None:
            return self.error(404, 20404, "The requested resource was not found")
        taken = self.accept(seen)
        said: dict[str, Any] = {
            "sid": taken.sid, "account_sid": self.account, "status": "queued", "to": taken.to, "from": taken.form.get("From"),
            "body": taken.body, "num_segments": "1", "num_media": "0", "direction": "outbound-api", "api_version": "2010-04-01",
            "date_created": None, "date_updated": None, "date_sent": None, "error_code": None, "error_message": None, "price": None,
            "price_unit": "USD", "uri": "", "messaging_service_sid": None, "subresource_uris": {},
        }  # fmt: skip
        return Reply.json(201, said)

    def after(self, seen: Seen, reply: Reply) -> None:
        if reply.status == 201 and self.receipts:
            taken = self.taken[-1]
            for status in self.receipts:
                self.call_back_later(taken, status, after_s=self.receipt_after_s)

    # --- calling us ---------------------------------------------------------------------------------------------------
    def signature(self, url: str, form: dict[str, str]) -> str:
        return str(RequestValidator(self.token).compute_signature(url, form))

    def machine_form(self, taken: Taken, answered_by: str) -> dict[str, str]:
        """What ``AsyncAmdStatusCallback`` is told: no status, only what lifted the phone."""
        return {"CallSid": taken.sid, "AccountSid": self.account, "AnsweredBy": answered_by, "MachineDetectionDuration": "3400"}

    def status_form(self, taken: Taken, status: str, code: str = "") -> dict[str, str]:
        if taken.kind == "Calls":
            return {"CallSid": taken.sid, "CallStatus": status, "AccountSid": self.account, "To": taken.to}
        form = {"MessageSid": taken.sid, "SmsSid": taken.sid, "MessageStatus": status, "AccountSid": self.account, "To": taken.to}
        return form | ({"ErrorCode": code} if code else {})

    def post(self, url: str, form: dict[str, str], *, forged: bool = False) -> httpx.Response:
        """As Twilio does: signed over the address it was given, sent to where that address leads."""
        signature = self.signature(url, form) if not forged else base64.b64encode(b"0" * 20).decode()
        parts = urlsplit(url)
        target = f"{self.reach}{parts.path}{'?' + parts.query if parts.query else ''}" if self.reach else url
        headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
        return httpx.post(target, content=urlencode(form).encode(), headers=headers, timeout=15)

    def call_back(self, taken: Taken, status: str, *, code: str = "", forged: bool = False) -> CalledBack:
        answer = self.post(taken.callback, self.status_form(taken, status, code), forged=forged)
        said = CalledBack(status, answer.status_code, answer.text)
        with self._lock:
            self.called_back.append(said)
        return said

    def call_back_later(self, taken: Taken, status: str, *, after_s: float) -> None:
        timer = threading.Timer(after_s, self.call_back, args=(taken, status))
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def write_to(self, url: str, *, sender: str, to: str, text: str, forged: bool = False) -> httpx.Response:
        """Somebody's SMS or WhatsApp (``whatsapp:+965…``) to our number."""
        form = {"MessageSid": "SM" + uuid.uuid4().hex, "AccountSid": self.account, "From": sender, "To": to, "Body": text, "NumMedia": "0"}
        return self.post(url, form, forged=forged)

    def __exit__(self, *raised: object) -> None:
        for timer in self._timers:
            timer.cancel()
        super().__exit__(*raised)
