"""WhatsApp through Twilio. Outside the 24 hours after a person wrote to us only an approved template may be sent: its variables are
``{{1}}`` the subject, ``{{2}}`` the text, ``{{3}}`` the link that acknowledges, ``{{4}}`` the reply code."""

from __future__ import annotations

import json

from django.utils.translation import gettext as _

from alerts.channels.addresses import as_number
from alerts.channels.base import Handed, Message, PermanentFailure
from alerts.channels.texts import cut_before, lines, one_line
from alerts.channels.twilio_api import PROVIDER, Account

LONGEST = 1600
LONGEST_VARIABLE = 500


class TwilioWhatsApp:
    channel = "whatsapp"
    provider = PROVIDER
    takes_key = False

    def __init__(self, account: Account, sender: str) -> None:
        self.account, self.sender = account, as_number(sender.removeprefix("whatsapp:"))
        self.has_receipts = bool(account.public_url)

    def check_address(self, address: str) -> str:
        return as_number(address.strip().removeprefix("whatsapp:"))

    def send(self, message: Message) -> Handed:
        to = self.check_address(message.to)
        words = self._words(message)
        taken = self.account.call(
            lambda: self.account.client.messages.create(
                to=f"whatsapp:{to}",
                from_=f"whatsapp:{self.sender}",
                status_callback=self.account.status_callback(message),
                **words,
            )
        )
        return Handed(self.provider, provider_id=str(taken.sid or ""), detail=str(taken.status or ""))

    def _words(self, message: Message) -> dict[str, str]:
        link = message.acknowledge_url or message.url
        if message.may_be_free_text:
            return {"body": cut_before(lines(message.text, 20_000), link or message.code, LONGEST)}
        if not message.provider_template:
            raise PermanentFailure(
                _("This person has not written to us for 24 hours, and the message has no approved template."), code="no_template"
            )
        # Variables take no line breaks; an empty one is refused.
        told = (message.subject, message.text, link, message.code)
        variables = {str(number): one_line(text, LONGEST_VARIABLE) or "–" for number, text in enumerate(told, 1)}
        return {"content_sid": message.provider_template, "content_variables": json.dumps(variables, ensure_ascii=False)}
