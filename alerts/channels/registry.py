"""Which channels this site has, made from its settings only. Where a variable is missing there is no sender, and ``missing`` names it.

A vendor's package is imported when its channel is first made, so that nothing else pays for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings

from alerts.channels.base import Sender
from alerts.choices import Channel

TWILIO = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")


@dataclass(frozen=True)
class Way:
    """One way of making a channel's sender: the settings it needs, those it also reads, and how it is made of their values."""

    needs: tuple[str, ...]
    make: Callable[[dict[str, Any]], Sender]
    reads: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(name for name in self.needs if not getattr(settings, name))


def _email(given: dict[str, Any]) -> Sender:
    from alerts.channels.email import EmailSender

    return EmailSender(given["EMAIL_URL"], given["ALERT_FROM_EMAIL"], given["PUBLIC_URL"])


def _account(given: dict[str, Any]) -> Any:
    from alerts.channels.twilio_api import Account

    return Account(given["TWILIO_ACCOUNT_SID"], given["TWILIO_AUTH_TOKEN"], given["TWILIO_API_URL"], given["PUBLIC_URL"])


def _sms(given: dict[str, Any]) -> Sender:
    from alerts.channels.twilio_sms import TwilioSms

    return TwilioSms(_account(given), given["TWILIO_SMS_FROM"])


def _whatsapp(given: dict[str, Any]) -> Sender:
    from alerts.channels.twilio_whatsapp import TwilioWhatsApp

    return TwilioWhatsApp(_account(given), given["TWILIO_WHATSAPP_FROM"])


def _voice(given: dict[str, Any]) -> Sender:
    from alerts.channels.twilio_voice import TwilioVoice

    return TwilioVoice(_account(given), given["TWILIO_VOICE_FROM"], detects_machines=given["TWILIO_VOICE_AMD"])


def _push(given: dict[str, Any]) -> Sender:
    from alerts.channels.push import PushSender

    return PushSender(given["VAPID_PRIVATE_KEY"], given["VAPID_SUBJECT"])


def _slack(given: dict[str, Any]) -> Sender:
    from alerts.channels.slack import SlackSender

    return SlackSender(given["SLACK_WEBHOOK_URL"])


def _webhook(given: dict[str, Any]) -> Sender:
    from alerts.channels.webhook import WebhookSender

    return WebhookSender(given["ALERT_WEBHOOKS"], tuple(given["ALERT_WEBHOOK_ALLOW"]), given["ALERT_SEND_TIMEOUT_S"])


def _gateway(channel: str) -> Callable[[dict[str, Any]], Sender]:
    def make(given: dict[str, Any]) -> Sender:
        if given["SMS_GATEWAY_KIND"] == "smpp":
            from alerts.channels.gateway_smpp import SmppGateway

            return SmppGateway(
                channel, given["SMS_GATEWAY_URL"], sender=given["SMS_GATEWAY_FROM"], gives_receipts=given["SMS_GATEWAY_RECEIPTS"]
            )
        from alerts.channels.gateway_http import HttpGateway

        return HttpGateway(
            channel, given["SMS_GATEWAY_URL"], token=given["SMS_GATEWAY_TOKEN"], sender=given["SMS_GATEWAY_FROM"],
            gives_receipts=given["SMS_GATEWAY_RECEIPTS"], public_url=given["PUBLIC_URL"],
        )  # fmt: skip

    return make


OF_TWILIO = ("TWILIO_API_URL", "PUBLIC_URL")
GATEWAY = ("SMS_GATEWAY_KIND", "SMS_GATEWAY_URL")
OF_GATEWAY = ("SMS_GATEWAY_TOKEN", "SMS_GATEWAY_FROM", "SMS_GATEWAY_RECEIPTS", "PUBLIC_URL")
# In the order they are tried: the first that is configured is the channel's.
WAYS: dict[str, tuple[Way, ...]] = {
    Channel.EMAIL: (Way(("EMAIL_URL",), _email, ("ALERT_FROM_EMAIL", "PUBLIC_URL")),),
    Channel.SMS: (
        Way((*TWILIO, "TWILIO_SMS_FROM"), _sms, OF_TWILIO),
        Way(GATEWAY, _gateway(Channel.SMS), OF_GATEWAY),  # where there is no internet, everybody's SMS go by it
    ),
    Channel.WHATSAPP: (Way((*TWILIO, "TWILIO_WHATSAPP_FROM"), _whatsapp, OF_TWILIO),),
    Channel.VOICE: (Way((*TWILIO, "TWILIO_VOICE_FROM", "PUBLIC_URL"), _voice, (*OF_TWILIO, "TWILIO_VOICE_AMD")),),
    Channel.PUSH: (Way(("VAPID_PRIVATE_KEY", "VAPID_PUBLIC_KEY"), _push, ("VAPID_SUBJECT", "PUSH_ALLOW")),),
    Channel.SLACK: (Way(("SLACK_WEBHOOK_URL",), _slack),),
    Channel.WEBHOOK: (Way(("ALERT_WEBHOOKS",), _webhook, ("ALERT_WEBHOOK_ALLOW", "ALERT_SEND_TIMEOUT_S")),),
    Channel.GATEWAY: (Way(GATEWAY, _gateway(Channel.GATEWAY), OF_GATEWAY),),
}


@lru_cache(maxsize=64)
def _made(channel: str, index: int, values: tuple[str, ...]) -> Sender:
    """By the settings' values, so that a change of them (a test's, an operator's) makes another."""
    way = WAYS[channel][index]
    return way.make({name: getattr(settings, name) for name in (*way.needs, *way.reads)})


def sender_of(channel: str) -> Sender | None:
    """``None``: not configured here (or, as on the screen, no sending at all)."""
    for index, way in enumerate(WAYS.get(channel, ())):
        if not way.missing:
            return _made(str(channel), index, tuple(repr(getattr(settings, name)) for name in (*way.needs, *way.reads)))
    return None


def configured() -> set[str]:
    """The channels by which something can leave here; the screen is always one."""
    return {Channel.IN_APP, *(channel for channel in WAYS if sender_of(channel) is not None)}


def lacking(channel: str) -> list[tuple[str, ...]]:
    """For each way of having this channel, in their order, the variables that it still waits for."""
    return [way.missing for way in WAYS.get(channel, ())]


def missing(channel: str) -> tuple[str, ...]:
    """The variables that stand between us and this channel, by the way that lacks the fewest; none when it is configured."""
    return min(lacking(channel), key=len, default=())
