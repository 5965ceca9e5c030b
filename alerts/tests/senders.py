"""A channel whose answers a test writes down beforehand; given to ``send_due`` in the registry's place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from alerts.channels.base import Handed, Message, PermanentFailure


@dataclass
class Scripted:
    """Takes everything, unless ``script`` says otherwise: a failure is raised, anything else is called with the message first."""

    channel: str = "sms"
    provider: str = "scripted"
    has_receipts: bool = True
    takes_key: bool = False
    script: list[Any] = field(default_factory=list)
    taken: list[Message] = field(default_factory=list)
    before: Callable[[Message], object] | None = None

    def send(self, message: Message) -> Handed:
        if self.before is not None:
            self.before(message)
        answer = self.script.pop(0) if self.script else None
        if isinstance(answer, BaseException):
            raise answer
        self.taken.append(message)
        return answer if isinstance(answer, Handed) else Handed(self.provider, f"{self.channel}-{message.key}")

    def check_address(self, address: str) -> str:
        if not address:
            raise PermanentFailure("No address.")
        return address

    def __call__(self, channel: str) -> Scripted:
        """As ``sender_of``: every channel is this one."""
        return self


@dataclass
class Each:
    """As ``sender_of``: each channel by name; what is not named is not set up."""

    senders: dict[str, Scripted]

    def __call__(self, channel: str) -> Scripted | None:
        return self.senders.get(channel)
