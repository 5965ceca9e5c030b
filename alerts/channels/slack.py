"""Slack by an incoming webhook. Its address is a secret of the settings; ``to`` only says for people which channel it leads to."""

from __future__ import annotations

import json
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from alerts.channels import web
from alerts.channels.base import Handed, Message, PermanentFailure, TemporaryFailure
from alerts.channels.texts import lines, one_line

LONGEST_TEXT = 2900  # of a section; Slack takes 3,000
HEALS = frozenset({"rate_limited", "service_unavailable"})
MARK = {"low": "🔵", "medium": "🟡", "high": "🟠", "critical": "🔴"}


def escaped(text: str) -> str:
    """Slack's three characters. A mention or a link cannot be made without the angle brackets."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class SlackSender:
    channel = "slack"
    provider = "slack"
    has_receipts = False
    takes_key = False

    def __init__(self, url: str) -> None:
        self.url = url

    def check_address(self, address: str) -> str:
        return one_line(address, 80)

    def send(self, message: Message) -> Handed:
        answer = web.call(self.url, body=json.dumps(blocks(message)).encode(), headers={"Content-Type": "application/json"})
        said = one_line(answer.text, 200)
        if answer.status == 200 and said == "ok":
            return Handed(self.provider)
        code = f"http {answer.status}"
        if answer.status == 429 or answer.status >= 500 or said in HEALS or answer.status < 400:
            raise TemporaryFailure(
                _("Slack did not take it: %(why)s") % {"why": said or code}, code=code, retry_after_s=answer.retry_after_s,
                may_have_been_taken=answer.status < 400 or answer.status >= 500,
            )  # fmt: skip
        raise PermanentFailure(_("Slack refused it: %(why)s") % {"why": said or code}, code=code)


def blocks(message: Message) -> dict[str, Any]:
    subject = one_line(message.subject, 140)
    section = {"type": "section", "text": {"type": "mrkdwn", "text": cut_escaped(lines(message.text, LONGEST_TEXT))}}
    shown: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": f"{MARK.get(message.level, '')} {subject}"[:150], "emoji": True}},
        section,
    ]
    if message.url:
        with translation.override(message.language):
            label = _("Open the alert")
        button = {"type": "button", "text": {"type": "plain_text", "text": label}, "url": message.url}
        shown.append({"type": "actions", "elements": [button]})
    return {"text": escaped(subject), "blocks": shown}


def cut_escaped(text: str) -> str:
    """Escaping makes it longer, and cutting afterwards could leave half an entity: shorten until it fits."""
    while len(escaped(text)) > LONGEST_TEXT:
        text = text[: len(text) * 9 // 10].rstrip() + "…"
    return escaped(text) or "–"
