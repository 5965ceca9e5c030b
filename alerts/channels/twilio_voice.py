"""A call that says the alert and listens for one digit. What is said is asked of our own door when the person lifts the phone, so that an
alert acknowledged while it rang is not read out as if it still waited."""

from __future__ import annotations

import re

from django.utils import translation
from django.utils.translation import gettext as _
from twilio.twiml.voice_response import Gather, VoiceResponse

from alerts.channels.addresses import as_number
from alerts.channels.base import Handed, Message, PermanentFailure
from alerts.channels.texts import one_line
from alerts.channels.twilio_api import PROVIDER, Account

VOICE_PATH = "/hooks/twilio/voice"
RING_S = 40
LONGEST_CALL_S = 120  # a machine that records for ever ends too; ``receipts.LONGEST_CALL`` counts on it
EVENTS = ["initiated", "ringing", "answered", "completed"]
VOICES = {"ar": {"voice": "Polly.Zeina", "language": "arb"}, "en": {"voice": "Polly.Joanna", "language": "en-US"}}
LONGEST_SPOKEN = 600
UNSPEAKABLE = re.compile(r"https?://\S+|[\U0001F000-\U0001FAFF\u2600-\u27BF\uFE0F]")


class TwilioVoice:
    channel = "voice"
    provider = PROVIDER
    takes_key = False

    def __init__(self, account: Account, sender: str, *, detects_machines: bool = True) -> None:
        self.account, self.sender, self.detects_machines = account, as_number(sender), detects_machines
        self.has_receipts = True

    def check_address(self, address: str) -> str:
        return as_number(address)

    def send(self, message: Message) -> Handed:
        to = self.check_address(message.to)
        if not self.account.public_url:
            raise PermanentFailure(_("A call needs PUBLIC_URL: Twilio asks us there what to say."), code="no_public_url")
        # Asked beside the talking, so that whoever lifts the phone hears us at once: what answered is told to the status door.
        machines: dict[str, str] = {
            "machine_detection": "Enable", "async_amd": "true", "async_amd_status_callback_method": "POST",
            "async_amd_status_callback": self.account.status_callback(message) or "",
        } if self.detects_machines else {}  # fmt: skip
        taken = self.account.call(
            lambda: self.account.client.calls.create(
                to=to,
                from_=self.sender,
                url=f"{self.account.public_url}{VOICE_PATH}/{message.key}",
                method="POST",
                status_callback=self.account.status_callback(message),
                status_callback_event=EVENTS,
                timeout=RING_S,
                time_limit=LONGEST_CALL_S,
                **machines,
            )
        )
        return Handed(self.provider, provider_id=str(taken.sid or ""), detail=str(taken.status or ""))


def spoken(*texts: str) -> str:
    """Without what nobody can say aloud: links, pictures."""
    return one_line(UNSPEAKABLE.sub(" ", ". ".join(text for text in texts if text)), LONGEST_SPOKEN)


def asking(*, language: str, text: str, gather_path: str, is_again: bool = False) -> str:
    """TwiML: the alert, and one digit asked for; silence has it said once more, then good-bye."""
    response, words = VoiceResponse(), VOICES.get(language, VOICES["en"])
    with translation.override(language):
        keys = _("To acknowledge, press 1. To pass it on, press 2. To hear it again, press 3.")
        gather = Gather(num_digits=1, timeout=8, action=gather_path, method="POST", action_on_empty_result=not is_again)
        gather.say(text, **words)
        gather.say(keys, **words)
        response.append(gather)
        response.say(_("No key was pressed. Good-bye."), **words)
    return str(response)


def saying(*, language: str, text: str) -> str:
    response = VoiceResponse()
    response.say(spoken(text), **VOICES.get(language, VOICES["en"]))
    response.hangup()
    return str(response)


def again(url: str) -> str:
    response = VoiceResponse()
    response.redirect(url, method="POST")
    return str(response)
