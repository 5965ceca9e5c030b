"""SMS through Twilio, in any script: what is not in the GSM alphabet goes as UCS-2, in as many parts as it takes."""

from __future__ import annotations

from alerts.channels.addresses import as_number
from alerts.channels.base import Handed, Message
from alerts.channels.texts import cut_before, lines
from alerts.channels.twilio_api import PROVIDER, Account

LONGEST = 1600  # characters; Twilio refuses more (21617)


class TwilioSms:
    channel = "sms"
    provider = PROVIDER
    takes_key = False

    def __init__(self, account: Account, sender: str) -> None:
        self.account, self.sender = account, sender
        self.has_receipts = bool(account.public_url)

    def check_address(self, address: str) -> str:
        return as_number(address)

    def send(self, message: Message) -> Handed:
        to = self.check_address(message.to)
        origin = {"messaging_service_sid": self.sender} if self.sender.startswith("MG") else {"from_": self.sender}
        body = cut_before(lines(message.text, 20_000), message.acknowledge_url or message.url or message.code, LONGEST)
        taken = self.account.call(
            lambda: self.account.client.messages.create(to=to, body=body, status_callback=self.account.status_callback(message), **origin)
        )
        return Handed(self.provider, provider_id=str(taken.sid or ""), detail=str(taken.status or ""))
