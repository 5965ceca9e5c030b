"""Writing a message's words: what is wrong with a template is said when it is saved, never discovered when it is sent."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import User
from alerts.analytics import sms, wording
from alerts.choices import Channel
from alerts.models import Alert, MessageTemplate
from alerts.permissions import Actor, require
from alerts.services.delivery.words import (
    COUNTED_IN_PARTS,
    KNOWN,
    MOST_PARTS,
    MOST_VALUE,
    SAMPLE_SECRETS,
    SECRETS,
    Words,
    rendered,
    values_of,
)
from core import audit
from core.errors import Conflict, Invalid

MOST_BODY = {Channel.SMS: 600, Channel.GATEWAY: 600, Channel.WHATSAPP: 1000, Channel.PUSH: 300, Channel.VOICE: 800}
MOST_BODY_ELSE = 4000
PROVIDER_TEMPLATE = re.compile(r"HX[0-9a-f]{32}|[a-z0-9_]{1,64}")
# About as much as an alert says on a bad day: what the number of parts is judged by.
LONG_DAY = {
    "title": "Burglary: 12 incidents in South Abdullah Al-Mubarak within 24 hours",
    "level": "Critical",
    "place": "South Abdullah Al-Mubarak, Farwaniya",
    "text": "x" * 120,
    "reason": "Hot spot H12345 grew together with another: 123 incidents in 28 days, usually 45 (2.8 times).",
    "time": "21/11 23:59",
}


@dataclass(frozen=True)
class Preview:
    """The words on a real alert, with a stand-in for code and link; ``length`` where parts are counted."""

    words: Words
    text: str
    length: sms.SmsLength


def check(*, event: str, channel: str, language: str, subject: str, body: str, provider_template: str = "") -> dict[str, str]:
    """What is wrong, by field; nothing when it may be saved."""
    wrong: dict[str, str] = {}
    if event not in MessageTemplate.Event.values:
        wrong["event"] = _("Choose one of the list.")
    if (channel and channel not in Channel.values) or channel == Channel.IN_APP:
        wrong["channel"] = _("The screen needs no template.") if channel == Channel.IN_APP else _("Choose one of the list.")
    if language not in User.Language.values:
        wrong["language"] = _("Choose one of the list.")
    if not body.strip():
        wrong["body"] = _("A message has words.")
    for field, text in (("subject", subject), ("body", body)):
        problem = _wrong_names(text, allowed=KNOWN - SECRETS if field == "subject" else KNOWN)
        if problem:
            wrong[field] = problem
    if len(subject) > 200 or "\n" in subject:
        wrong["subject"] = _("One line of 200 characters at most.")
    if not {"body", "subject", "channel"} & set(wrong):
        problem = _wrong_body(event, channel, subject, body)
        if problem:
            wrong["body"] = problem
    if provider_template:
        if channel != Channel.WHATSAPP:
            wrong["provider_template"] = _("Only WhatsApp has approved templates.")
        elif not PROVIDER_TEMPLATE.fullmatch(provider_template):
            wrong["provider_template"] = _("The provider's name of it: HX and 32 digits or letters a to f.")
    return wrong


def _wrong_names(text: str, *, allowed: frozenset[str]) -> str:
    try:
        unknown = wording.unknown_in(text, allowed)
    except wording.Malformed as error:
        return _("A brace that encloses no name: “%(part)s”.") % {"part": error.excerpt.strip()}
    if not unknown:
        return ""
    if unknown[0] in SECRETS:
        return _("%(name)s belongs into the text, not into the subject.") % {"name": unknown[0]}
    near = difflib.get_close_matches(unknown[0], sorted(allowed), n=1)
    if near:
        return _("There is no %(name)s. Is %(near)s meant?") % {"name": unknown[0], "near": near[0]}
    return _("There is no %(name)s. Known are: %(known)s.") % {"name": unknown[0], "known": ", ".join(sorted(allowed))}


def _wrong_body(event: str, channel: str, subject: str, body: str) -> str:
    names = wording.names_in(body)
    most = MOST_BODY.get(Channel(channel), MOST_BODY_ELSE) if channel else MOST_BODY_ELSE
    if len(body) > most:
        return _("At most %(limit)d characters.") % {"limit": most}
    if event != MessageTemplate.Event.TEST and not {"title", "text"} & {*names, *wording.names_in(subject)}:
        return _("Say what it is about: title or text is missing.")
    if channel == Channel.VOICE and {"link", "acknowledge_link", "code"} & set(names):
        return _("A link or a code cannot be spoken; the call itself asks for a key.")
    if channel in COUNTED_IN_PARTS:
        parts = sms.measure(wording.fill(body, {**dict.fromkeys(KNOWN, "12345678"), **LONG_DAY, **SAMPLE_SECRETS})).parts
        if parts > MOST_PARTS:
            return _("On a long day this is %(parts)d SMS parts; %(most)d is the most.") % {"parts": parts, "most": MOST_PARTS}
    return ""


@transaction.atomic
def save_template(*, by: Actor | None, template: MessageTemplate | None = None, **given: str) -> MessageTemplate:
    """Write a new one, or change one. Raises ``Invalid`` by field, naming an unknown variable; ``Conflict`` where there is such a one."""
    require(by, "manage_alerts")
    row = MessageTemplate.objects.select_for_update().get(pk=template.pk) if template is not None else MessageTemplate()
    fields = ("event", "channel", "language", "subject", "body", "provider_template")
    before = {name: getattr(row, name) for name in fields} if template is not None else {}
    for name in fields:
        if name in given:
            setattr(row, name, str(given[name]).replace("\r\n", "\n").strip())
    wrong = check(**{name: getattr(row, name) for name in fields})
    if wrong:
        raise Invalid(next(iter(wrong.values())), fields=wrong)
    row.is_seeded = False
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise Conflict(_("There is such a template already.")) from error
    after = {name: getattr(row, name) for name in fields}
    audit.record("messagetemplate.change" if before else "messagetemplate.add", obj=row, by=by, before=before or None, after=after)
    return row


@transaction.atomic
def remove_template(*, by: Actor | None, template: MessageTemplate) -> None:
    """The wider one, or the product's own words, take its place."""
    require(by, "manage_alerts")
    audit.record("messagetemplate.remove", obj=template, by=by, before={"subject": template.subject, "body": template.body})
    template.delete()


def preview(*, subject: str, body: str, channel: str, language: str, alert: Alert | None) -> Preview:
    """How it reads on this alert. The caller has seen to it that the viewer may see the alert."""
    with translation.override(language):
        values: Mapping[str, str] = (
            values_of(alert, most=MOST_VALUE.get(Channel(channel), 400) if channel else 400) if alert is not None else LONG_DAY
        )
        values = {**values, "why": _("On call"), "by": _("a colleague")}
    words = rendered(subject, body, values, channel=channel)
    text = wording.fill(words.body, {"code": "48213907", "acknowledge_link": SAMPLE_SECRETS["acknowledge_link"]})
    return Preview(words, text, sms.measure(text))
