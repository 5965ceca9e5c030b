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
    name: str = ""

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


OF_TWILIO = ("TWILIO_API_URL", "PUBLIC_URL")
# In the order they are tried: the first that is configured is the channel's.
WAYS: dict[str, tuple[Way, ...]] = {
    Channel.EMAIL: (Way(("EMAIL_URL",), _email, ("ALERT_FROM_EMAIL", "PUBLIC_URL")),),
    Channel.SMS: (Way((*TWILIO, "TWILIO_SMS_FROM"), _sms, OF_TWILIO, "twilio"),),
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


def missing(channel: str) -> tuple[str, ...]:
    """The variables that stand between us and this channel, by the way that lacks the fewest; none when it is configured."""
    lacking = [way.missing for way in WAYS.get(channel, ())]
    return min(lacking, key=len) if lacking else ()
