"""Push to browsers: encrypted for the browser alone, and signed as coming from us (VAPID). A subscription that is gone says so."""

from __future__ import annotations

import json
import time
from urllib.parse import urlsplit

import http_ece
from django.conf import settings
from django.utils.translation import gettext as _
from py_vapid import Vapid, VapidException
from pywebpush import WebPusher, WebPushException

from alerts.channels import codes, web
from alerts.channels.addresses import as_url
from alerts.channels.base import Handed, Message, PermanentFailure, TemporaryFailure
from alerts.channels.texts import lines, one_line
from core.outbound import Guard

TTL_S = {"low": 3600, "medium": 3600, "high": 7200, "critical": 14_400}  # how long the service keeps it for a sleeping browser
URGENCY = {"low": "normal", "medium": "normal", "high": "high", "critical": "high"}
SIGNED_FOR_S = 3600
LONGEST_TEXT = 900  # bytes of the whole must stay under 4,096, and Arabic takes two a letter


class PushSender:
    channel = "push"
    provider = "push"
    has_receipts = True  # the worker in the browser tells when it has shown it
    takes_key = True  # one topic is one notification

    def __init__(self, private_key: str, subject: str) -> None:
        self.vapid, self.subject = Vapid.from_string(private_key), subject
        self.guard = Guard(tuple(settings.PUSH_ALLOW))

    def check_address(self, address: str) -> str:
        return as_url(address)

    def send(self, message: Message) -> Handed:
        endpoint = self.check_address(message.to)
        origin = urlsplit(endpoint)
        if origin.scheme != "https" and origin.hostname not in settings.PUSH_ALLOW:
            raise PermanentFailure(_("A push service is reached by https only."), code=codes.OURS, is_address_bad=True)
        claims = {"sub": self.subject, "aud": f"{origin.scheme}://{origin.netloc}", "exp": int(time.time()) + SIGNED_FOR_S}
        headers = {
            **self._signed(claims),
            "TTL": str(TTL_S.get(message.level, 3600)),
            "Urgency": URGENCY.get(message.level, "normal"),
            "Topic": message.key.hex,  # 32 characters of the base64url alphabet, as the standard has it
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
        }
        answer = web.call(endpoint, body=self._sealed(endpoint, message), headers=headers, guard=self.guard)
        return self._judged(answer, message)

    def _signed(self, claims: dict[str, object]) -> dict[str, str]:
        try:
            return dict(self.vapid.sign(claims))
        except VapidException as error:
            raise PermanentFailure(_("Nothing can be signed for this push service: %(why)s") % {"why": str(error)}, code="vapid") from error

    def _sealed(self, endpoint: str, message: Message) -> bytes:
        told = {
            "key": str(message.key),
            "title": one_line(message.subject, 120),
            "text": lines(message.text, LONGEST_TEXT),
            "level": message.level,
            "url": urlsplit(message.url).path or "/alerts/",  # of our own site, whatever name the browser knows it by
            "language": message.language,
            "is_test": message.is_test,
        }
        try:
            pusher = WebPusher({"endpoint": endpoint, "keys": dict(message.keys)})
            return bytes(pusher.encode(json.dumps(told, ensure_ascii=False).encode(), "aes128gcm")["body"])
        except (WebPushException, http_ece.ECEException, LookupError, ValueError, TypeError) as error:
            raise PermanentFailure(_("This browser's keys are not what they should be."), code=codes.OURS, is_address_bad=True) from error

    def _judged(self, answer: web.Answer, message: Message) -> Handed:
        code = f"http {answer.status}"
        if answer.status in (200, 201, 202, 204):
            return Handed(self.provider, provider_id=str(message.key), detail=answer.headers.get("location", "")[:200])
        if answer.status in (404, 410):
            raise PermanentFailure(_("This browser no longer takes push messages."), code=code, is_address_bad=True)
        if answer.status == 429 or answer.status >= 500:
            raise TemporaryFailure(
                _("The push service is busy (HTTP %(status)s).") % {"status": answer.status},
                code=code, retry_after_s=answer.retry_after_s, may_have_been_taken=answer.status >= 500,
            )  # fmt: skip
        raise PermanentFailure(
            _("The push service refused it (HTTP %(status)s): %(why)s") % {"status": answer.status, "why": one_line(answer.text, 200)},
            code=code,
        )
