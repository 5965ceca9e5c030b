"""An SMS gateway or modem beside us that takes JSON over HTTP, for sites without internet: ``{"id", "to", "text", "from"}`` by POST.

``id`` is the delivery's key: a gateway that keeps it sends a message handed over twice once. It answers 2xx, with its own ``id`` if it has
one; receipts and replies come to ``/hooks/gateway/``.
"""

from __future__ import annotations

import json

from django.utils.translation import gettext as _

from alerts.channels import codes, web
from alerts.channels.addresses import as_number
from alerts.channels.base import Handed, Message, PermanentFailure, TemporaryFailure
from alerts.channels.texts import cut_before, lines, one_line

PROVIDER = "gateway"
LONGEST = 1000
RECEIPT_PATH, INBOUND_PATH = "/hooks/gateway/receipt", "/hooks/gateway/inbound"


class HttpGateway:
    provider = PROVIDER
    takes_key = True

    def __init__(self, channel: str, url: str, *, token: str, sender: str, gives_receipts: bool, public_url: str) -> None:
        self.channel, self.url, self.token, self.sender = channel, url, token, sender
        self.has_receipts, self.public_url = gives_receipts, public_url

    def check_address(self, address: str) -> str:
        return as_number(address)

    def send(self, message: Message) -> Handed:
        told = {
            "id": str(message.key),
            "to": self.check_address(message.to),
            "from": self.sender,
            "text": cut_before(lines(message.text, 20_000), message.acknowledge_url or message.url or message.code, LONGEST),
        }
        if self.public_url and self.has_receipts:
            told["receipt_url"] = f"{self.public_url}{RECEIPT_PATH}"
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(message.key)}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return self._judged(web.call(self.url, body=json.dumps(told).encode(), headers=headers), message)

    def _judged(self, answer: web.Answer, message: Message) -> Handed:
        code, said = f"http {answer.status}", one_line(answer.text, 200)
        if answer.status in (400, 422):
            raise PermanentFailure(_("The gateway refused the message: %(why)s") % {"why": said}, code=code)
        if answer.status in (401, 403):
            raise PermanentFailure(_("The gateway does not take our token."), code=code)
        if not 200 <= answer.status < 300:
            heals = answer.status >= 500 or answer.status in (408, 429)
            if not heals:
                raise PermanentFailure(_("The gateway answered HTTP %(status)s.") % {"status": answer.status}, code=code)
            raise TemporaryFailure(
                _("The gateway answered HTTP %(status)s.") % {"status": answer.status}, code=code,
                retry_after_s=answer.retry_after_s, may_have_been_taken=answer.status >= 500,
            )  # fmt: skip
        try:
            told = json.loads(answer.body or b"{}")
            theirs = told.get("id") if isinstance(told, dict) else None
        except ValueError as error:
            raise TemporaryFailure(
                _("What answered is no SMS gateway (HTTP %(status)s).") % {"status": answer.status}, code=code, may_have_been_taken=True
            ) from error
        if isinstance(told, dict) and told.get("error"):
            raise PermanentFailure(
                _("The gateway refused the message: %(why)s") % {"why": one_line(str(told["error"]), 200)},
                code=codes.OURS if told.get("is_address_bad") else code,
                is_address_bad=bool(told.get("is_address_bad")),
            )
        return Handed(self.provider, provider_id=str(theirs or message.key)[:128])
