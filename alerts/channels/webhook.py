"""A POST to another system, signed after Standard Webhooks. Its address and its secret have a name, and stand in ``ALERT_WEBHOOKS``.

Only 2xx is success; a redirect is not followed, since it would carry the words to somebody we never agreed with; a name that leads into
a private network is refused unless ``ALERT_WEBHOOK_ALLOW`` has it, and the connection goes to the very address that was checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _
from standardwebhooks import Webhook

from alerts.channels import codes, web
from alerts.channels.addresses import as_url
from alerts.channels.base import Handed, Message, PermanentFailure, TemporaryFailure
from alerts.channels.texts import lines, one_line
from core.outbound import Guard

TIMEOUT_S = 15.0
HEALS = frozenset({408, 409, 425, 429})


class WebhookSender:
    channel = "webhook"
    provider = "webhook"
    has_receipts = False
    takes_key = True  # ``webhook-id`` is the delivery's key on every attempt

    def __init__(self, known: Mapping[str, Mapping[str, str]], allowed: tuple[str, ...], timeout_s: float) -> None:
        self.known, self.guard, self.timeout_s = known, Guard(allowed), min(TIMEOUT_S, timeout_s)

    def check_address(self, address: str) -> str:
        name = address.strip()
        if name not in self.known:
            raise PermanentFailure(_("No webhook of this name is set up (ALERT_WEBHOOKS)."), code=codes.OURS, is_address_bad=True)
        return name

    def send(self, message: Message) -> Handed:
        name = self.check_address(message.to or message.secret_name)
        url, secret = as_url(self.known[name].get("url", "")), self.known[name].get("secret", "")
        body = json.dumps(content(message), ensure_ascii=False, separators=(",", ":"))
        identity, now = f"msg_{message.key.hex}", datetime.now(UTC)
        try:
            signature = Webhook(secret).sign(identity, now, body)
        except Exception as error:
            raise PermanentFailure(_("The secret of this webhook cannot be used."), code="secret") from error
        headers = {
            "Content-Type": "application/json",
            "webhook-id": identity,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }
        answer = web.call(url, body=body.encode(), headers=headers, timeout_s=self.timeout_s, guard=self.guard)
        return self._judged(answer, identity)

    def _judged(self, answer: web.Answer, identity: str) -> Handed:
        code = f"http {answer.status}"
        if 200 <= answer.status < 300:
            return Handed(self.provider, provider_id=identity, is_delivered=True)
        if answer.status in HEALS or answer.status >= 500:
            raise TemporaryFailure(
                _("The webhook answered HTTP %(status)s.") % {"status": answer.status}, code=code, retry_after_s=answer.retry_after_s
            )
        if 300 <= answer.status < 400:
            raise PermanentFailure(_("The webhook answered with a redirect, which is not followed."), code=code)
        raise PermanentFailure(
            _("The webhook refused it (HTTP %(status)s): %(why)s") % {"status": answer.status, "why": one_line(answer.text, 200)}, code=code
        )


def content(message: Message) -> dict[str, Any]:
    return {
        "type": "alert.test" if message.is_test else "alert.paged",
        "timestamp": datetime.now(UTC).isoformat(),
        "data": {
            "delivery": str(message.key),
            "level": message.level,
            "is_critical": message.is_critical,
            "subject": one_line(message.subject, 200),
            "text": lines(message.text, 10_000),
            "language": message.language,
            "url": message.url,
            "alert": dict(message.facts),
        },
    }
