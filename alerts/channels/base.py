"""What every channel is to the rest: it takes a message and says what became of it, or why not.

Senders do no I/O with our database and know no alert: they are given words and an address. They are made from the settings, which a
site's environment fills, so that tests choose a local server in a vendor's place and nothing is patched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True)
class Message:
    """What is to be said, to whom. ``key`` is the delivery's: the provider's idempotency key wherever it takes one."""

    key: UUID
    to: str
    language: str
    subject: str
    text: str
    html: str = ""
    level: str = "medium"
    url: str = ""  # the alert's page
    acknowledge_url: str = ""  # signed, of this person alone
    code: str = ""  # what a reply names
    is_critical: bool = False
    is_test: bool = False
    provider_template: str = ""  # WhatsApp, outside the 24-hour window
    may_be_free_text: bool = True  # WhatsApp: inside the window
    facts: Mapping[str, object] = field(default_factory=dict)  # for webhooks: plain values
    callback_url: str = ""  # where the provider tells what became of it
    secret_name: str = ""  # webhook: whose secret signs it
    keys: Mapping[str, str] = field(default_factory=dict)  # push: p256dh, auth


@dataclass(frozen=True)
class Handed:
    """The provider took it. ``is_delivered``: it has reached the person's device for certain; no receipt will follow."""

    provider: str
    provider_id: str = ""
    is_delivered: bool = False
    detail: str = ""


class Failure(Exception):
    """It was not taken. ``code`` is the provider's, for people to look up."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.message, self.code = message[:400], code[:32]


class TemporaryFailure(Failure):
    """It may heal: a timeout, a 5xx, a limit. ``retry_after_s`` as the provider asked, if it did."""

    def __init__(self, message: str, *, code: str = "", retry_after_s: float | None = None, may_have_been_taken: bool = False) -> None:
        super().__init__(message, code=code)
        self.retry_after_s, self.may_have_been_taken = retry_after_s, may_have_been_taken


class PermanentFailure(Failure):
    """It will not heal. ``is_address_bad``: nothing will ever arrive there (no such number, a subscription that is gone)."""

    def __init__(self, message: str, *, code: str = "", is_address_bad: bool = False) -> None:
        super().__init__(message, code=code)
        self.is_address_bad = is_address_bad


class Sender(Protocol):
    """A channel. ``has_receipts``: a receipt may be waited for; without one "sent" is as good as it gets. ``takes_key``: the same message
    handed over twice is one message at the other end, so that after a crash it may be sent again."""

    channel: str
    provider: str
    has_receipts: bool
    takes_key: bool

    def send(self, message: Message) -> Handed:
        """Raise ``TemporaryFailure`` or ``PermanentFailure``. Never blocks longer than ``ALERT_SEND_TIMEOUT_S``."""
        ...

    def check_address(self, address: str) -> str:
        """The address as it is kept. Raise ``PermanentFailure`` with a sentence for the user where it cannot be one."""
        ...
