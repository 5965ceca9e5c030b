"""What people answer by message or by key: 1 acknowledges, 2 passes it on at once. In both scripts' digits, with the page's code or alone.

A code counts only from an address of the person it was sent to: who reads a code over a shoulder acknowledges nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from alerts.channels.addresses import as_number
from alerts.channels.base import PermanentFailure
from alerts.models import AlertLog, AlertState, Channel, ContactMethod, Page, Receipt
from alerts.services import alerts
from alerts.services.alerts import paging
from alerts.services.alerts.recording import trail, write
from core.errors import DomainError
from core.text import western_digits

SHORTEST = re.compile(r"\s*(?:(?P<verb>[12])(?:[\s.,:;#\-]+(?P<code>[0-9]{3,12}))?|(?P<bare>[0-9]{3,12}))[\s.!]*", re.ASCII)
MARKS = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
ACKNOWLEDGE, PASS_ON = "acknowledge", "pass_on"
OF_NUMBERS = [Channel.SMS, Channel.WHATSAPP, Channel.VOICE, Channel.GATEWAY]
MOST_LISTED = 5


@dataclass(frozen=True)
class Said:
    verb: str
    code: str = ""


def understand(text: str) -> Said | None:
    """``1``, ``١``, ``1 4821``, ``2-4821``, or the code alone, which acknowledges; ``None`` for anything else.

    >>> understand("١ ٤٨٢١")
    Said(verb='acknowledge', code='4821')
    """
    found = SHORTEST.fullmatch(western_digits(MARKS.sub("", text[:200])))
    if found is None:
        return None
    return Said(PASS_ON if found["verb"] == "2" else ACKNOWLEDGE, found["code"] or found["bare"] or "")


@transaction.atomic
def hear(*, number: str, text: str, through: str, provider: str, message_id: str = "", now: datetime | None = None) -> str:
    """What somebody wrote to us; returns what they are answered, in their language, or nothing.

    Nothing is answered to numbers we do not know, to messages we have had already, and to chatter while nothing waits: two machines
    would otherwise write to each other for ever.
    """
    now = now or timezone.now()
    if message_id:
        _kept, is_new = Receipt.objects.get_or_create(
            provider=f"{provider}:in"[:32], provider_id=message_id[:128], status="heard", defaults={"received_at": now, "applied_at": now}
        )
        if not is_new:
            return ""
    try:
        number = as_number(number)
    except PermanentFailure:
        return ""
    methods = list(ContactMethod.objects.filter(address=number, channel__in=OF_NUMBERS).select_related("user", "contact"))
    if not methods:
        return ""
    if through == Channel.WHATSAPP:
        # From now on, for a day, they may be written to freely.
        ContactMethod.objects.filter(address=number, channel=Channel.WHATSAPP).update(last_inbound_at=now)
    with translation.override(_language(methods)):
        return _answer(understand(text), methods, through=through, now=now)


def _language(methods: list[ContactMethod]) -> str:
    one = methods[0]
    return one.user.language if one.user is not None else one.contact.language if one.contact is not None else "ar"


def _answer(said: Said | None, methods: list[ContactMethod], *, through: str, now: datetime) -> str:
    users = {one.user_id for one in methods if one.user_id and one.user is not None and one.user.is_active}
    contacts = {one.contact_id for one in methods if one.contact_id and one.contact is not None and one.contact.is_active}
    theirs = Page.objects.filter(Q(user__in=users) | Q(contact__in=contacts)).select_related("alert", "user", "contact")
    open_pages = theirs.filter(alert__state=AlertState.FIRING, code_expires_at__gt=now).exclude(state=Page.State.CANCELLED)
    waiting = {page.alert_id: page for page in open_pages.order_by("id")}
    if said is None:
        return _("Answer 1 to acknowledge, 2 to pass it on.") if waiting else ""
    if said.code:
        page = theirs.filter(code=said.code).first()
        if page is None:
            return _("There is no alert of this code for you.")
        if page.code_expires_at <= now:
            return _("This code is no longer valid.")
    elif not waiting:
        return _("No alert waits for you.")
    elif len(waiting) > 1:
        shown = ", ".join(f"{said_verb(said)} {page.code}" for page in list(waiting.values())[:MOST_LISTED])
        return _("Several alerts wait for you. Answer with the code: %(codes)s") % {"codes": shown}
    else:
        page = next(iter(waiting.values()))
    return act_on(page, said.verb, through=through)


def said_verb(said: Said) -> str:
    return "2" if said.verb == PASS_ON else "1"


def act_on(page: Page, verb: str, *, through: str) -> str:
    """Acknowledge or pass on, as the person (or contact) of the page; returns the sentence that tells them."""
    try:
        if verb == PASS_ON:
            return pass_on(page, through=through)
        with transaction.atomic():
            alerts.acknowledge(alert=page.alert, by=page.user, contact=page.contact, through=through, page=page)
        return _("Acknowledged: %(title)s") % {"title": _title(page)}
    except DomainError as refused:
        return refused.message


@transaction.atomic
def pass_on(page: Page, *, through: str) -> str:
    """Whoever was paged says that somebody else must take it: the next step runs now."""
    alert = page.alert
    who = page.user or page.contact
    if alert.state != AlertState.FIRING:
        return _("This alert no longer waits.")
    if not paging.hasten(alert=alert, now=timezone.now()):
        return _("There is no further step. Nobody else is told.")
    write(alert, AlertLog.Kind.ESCALATED, by=page.user, through=through, note=_("Passed on by %(name)s") % {"name": who})
    trail("pass_on", alert, by=page.user, after={"through": through, "page": page.pk})
    return _("Passed on: %(title)s") % {"title": _title(page)}


def _title(page: Page) -> str:
    is_arabic = (translation.get_language() or "").startswith("ar")
    return (page.alert.title_ar if is_arabic else page.alert.title_en)[:80]
