"""An SMTP server that keeps what it was sent, and refuses, puts off or hangs when told to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.controller import Controller

from deploy.local.layout import free_port


@dataclass(frozen=True)
class Mail:
    sender: str
    to: tuple[str, ...]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        read = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(read, EmailMessage)
        return read

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    def part(self, kind: str = "plain") -> str:
        body = self.message.get_body((kind,))
        return str(body.get_content()) if body is not None else ""


class SmtpServer:
    """``refuse("550 no such user")`` answers RCPT so (once), ``refuse_words("451 later")`` answers DATA, ``hang()`` says nothing."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self._recipients: list[str] = []
        self._words: list[str] = []
        self._hang = False
        self._over = False

    def refuse(self, answer: str, *, times: int = 1) -> Self:
        self._recipients += [answer] * times
        return self

    def refuse_words(self, answer: str, *, times: int = 1) -> Self:
        self._words += [answer] * times
        return self

    def hang(self) -> Self:
        """After the words were taken: the worst moment, since nobody then knows."""
        self._hang = True
        return self

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, rcpt_options: list[str]) -> str:
        if self._recipients:
            return self._recipients.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self._words:
            return self._words.pop(0)
        self.mails.append(Mail(envelope.mail_from, tuple(envelope.rcpt_tos), envelope.content))
        while self._hang and not self._over:
            await asyncio.sleep(0.05)
        return "250 Message accepted"

    def __enter__(self) -> Self:
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port(), ready_timeout=20)
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._controller.stop()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self._controller.port}"
