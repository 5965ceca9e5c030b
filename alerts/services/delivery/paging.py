"""A page: one person is to be told of one alert. Making it, laying out its rungs, and calling all of an alert's pages back."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import IntegrityError, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import User
from alerts.choices import Channel, Importance, Level
from alerts.models import Alert, Contact, Delivery, DeliveryState, Page, StepRun
from alerts.services import whys
from alerts.services.delivery.kept import Kept
from alerts.services.delivery.states import RECALLABLE, announce
from alerts.services.delivery.words import Words, words_for
from alerts.services.people.rungs import Rung, rungs_for
from core.errors import Invalid

CODE_DIGITS = 8
CODE_VALID = timedelta(hours=24)
# Whatever a rung's own wait: so soon after it is asked whether its message arrived, and if not the next rung is climbed.
CHECK_AFTER_S = 60
LEAST_LAST_WAIT_S = 60
GOING = [Page.State.RUNNING, Page.State.HELD]


def page_person(
    *,
    alert: Alert,
    step_run: StepRun | None = None,
    user: User | None = None,
    contact: Contact | None = None,
    importance: str = Importance.DEFAULT,
    channels: Sequence[str] = (),
    why: whys.Why | str = "",
    now: datetime | None = None,
) -> Page:
    """The page of this person by this step: made with its first rung, or the one there is already. The caller's transaction is joined.

    A person with no rung at all gets a page that is exhausted from the start: the caller sees ``page.state`` and goes on.
    """
    if (user is None) == (contact is None):
        raise Invalid(_("A page is of one person or of one contact."))
    now = now or timezone.now()
    known = _known(alert, step_run, user, contact)
    if known is not None:
        return known
    asked = Asked(alert=alert, step_run=step_run, user=user, contact=contact, importance=importance, channels=channels, why=why)
    try:
        with transaction.atomic():
            return page_people([asked], now=now)[0]
    except IntegrityError:
        # Two steps met at the same row (the auditor and the pager): the other one made it.
        known = _known(alert, step_run, user, contact)
        if known is None:
            raise
        return known


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Whom a step wants to be told; see ``page_person``."""

    alert: Alert
    step_run: StepRun | None = None
    user: User | None = None
    contact: Contact | None = None
    importance: str = Importance.DEFAULT
    channels: Sequence[str] = ()
    why: whys.Why | str = ""


def page_people(asked: Sequence[Asked], *, now: datetime, kept: Kept | None = None) -> list[Page]:
    """New pages with their first rungs, all or none, in a statement for each table however many they are.

    For steps just made: where such a page may be there already, ``page_person`` looks, and this raises ``IntegrityError``.
    """
    kept = kept or Kept()
    pages, deliveries = [], []
    for one, code in zip(asked, _new_codes(len(asked)), strict=True):
        rungs = _rungs_of(one, now, kept)
        page = Page(
            alert=one.alert,
            step_run=one.step_run,
            user=one.user,
            contact=one.contact,
            importance=one.importance,
            rungs=[asdict(rung) for rung in rungs],
            state=Page.State.RUNNING if rungs else Page.State.EXHAUSTED,
            next_at=now if rungs else None,
            ended_at=None if rungs else now,
            code=code,
            code_expires_at=now + CODE_VALID,
            created_at=now,
            why=one.why[: whys.MOST] if isinstance(one.why, str) else "",
            because={} if isinstance(one.why, str) else dict(one.why),
        )
        deliveries += _laid(page, now, kept)
        pages.append(page)
    Page.objects.bulk_create(pages)
    _keep(deliveries)
    return pages


def _rungs_of(one: Asked, now: datetime, kept: Kept) -> list[Rung]:
    ladder = _ladder(one.step_run)
    is_critical = one.alert.level == Level.CRITICAL
    question = (
        "rungs", one.user.pk if one.user else None, one.contact.pk if one.contact else None, one.importance, tuple(one.channels),
        is_critical, json.dumps(ladder, sort_keys=True),
    )  # fmt: skip
    return kept.once(
        question,
        lambda: rungs_for(
            user=one.user,
            contact=one.contact,
            importance=one.importance,
            channels=one.channels,
            policy_ladder=ladder,
            critical=is_critical,
            at=now,
        ),
    )


def lay_rungs(page: Page, *, now: datetime) -> None:
    """Make the next rung's delivery, and those after it that are not to be waited for. The page's row is locked."""
    _keep(_laid(page, now, Kept()))
    page.save(update_fields=["rung_no", "next_at", "state"])


def _laid(page: Page, now: datetime, kept: Kept) -> list[Delivery]:
    """What is to be made for the rungs whose turn it is; the page stands behind them then. Nothing is written yet."""
    made: list[Delivery] = []
    while page.rung_no < len(page.rungs):
        rung: dict[str, Any] = page.rungs[page.rung_no]
        made.append(_made(page, rung, now, kept))
        page.rung_no += 1
        is_last = page.rung_no == len(page.rungs)
        wait_s = max(int(rung.get("wait_s") or 0), LEAST_LAST_WAIT_S if is_last else 0)
        page.next_at = now + timedelta(seconds=min(wait_s, CHECK_AFTER_S))
        if wait_s:
            break
    return made


def _made(page: Page, rung: dict[str, Any], now: datetime, kept: Kept) -> Delivery:
    channel = rung["channel"]
    is_on_screen = channel == Channel.IN_APP
    language = page.user.language if page.user is not None else page.contact.language if page.contact is not None else User.Language.ARABIC
    # The screen shows the alert itself.
    words = Words("", "", 0)
    if not is_on_screen:
        with translation.override(language):
            why = whys.of(page)
        words = words_for(page.alert, channel=channel, language=language, why=why, kept=kept)
    return Delivery(
        key=uuid4(),
        alert=page.alert,
        page=page,
        rung_no=page.rung_no,
        channel=channel,
        method_id=rung.get("method_id"),
        subscription_id=rung.get("subscription_id"),
        address=rung.get("address") or "",
        language=language,
        is_critical=page.alert.level == Level.CRITICAL,
        subject=words.subject,
        body=words.body,
        parts=words.parts,
        # The screen needs no sender: what is there to be shown has been handed over; it is delivered once the person's page showed it.
        state=DeliveryState.SENT if is_on_screen else DeliveryState.PENDING,
        sent_at=now if is_on_screen else None,
        next_at=None if is_on_screen else now,
        created_at=now,
    )


def _keep(deliveries: Sequence[Delivery]) -> None:
    Delivery.objects.bulk_create(deliveries)
    announce(*(delivery for delivery in deliveries if delivery.channel == Channel.IN_APP))


def cancel_pages(*, alert: Alert, because: str) -> int:
    """Call back every page of the alert that is under way and every message no provider has yet, in the caller's transaction.

    The page of whoever acknowledged is "answered", the others are cancelled. Pages first: a rung being climbed meanwhile holds its page's
    row, so that the message it makes is seen here. Returns the number of pages.
    """
    now = timezone.now()
    said = Alert.objects.filter(pk=alert.pk).values("state", "acknowledged_by_id", "acknowledged_by_contact_id").get()
    going = Page.objects.filter(alert=alert, state__in=GOING)
    with transaction.atomic():
        answered = 0
        if said["state"] == "acknowledged":
            for field, pk in (("user_id", said["acknowledged_by_id"]), ("contact_id", said["acknowledged_by_contact_id"])):
                if pk is not None:
                    answered += going.filter(**{field: pk}).update(state=Page.State.ANSWERED, next_at=None, ended_at=now)
        cancelled = going.update(state=Page.State.CANCELLED, next_at=None, ended_at=now)
        called_back = Delivery.objects.filter(RECALLABLE, alert=alert)
        called_back.update(
            state=DeliveryState.CANCELLED, next_at=None, receipt_due_at=None, ended_at=now, error_code="called_back", error=because[:400]
        )
    return answered + cancelled


def _known(alert: Alert, step_run: StepRun | None, user: User | None, contact: Contact | None) -> Page | None:
    pages = Page.objects.filter(alert=alert, step_run=step_run, user=user, contact=contact)
    if step_run is None:  # by hand: again once the page before has ended
        pages = pages.filter(state__in=GOING)
    return pages.first()


def _ladder(step_run: StepRun | None) -> list[dict[str, Any]]:
    snapshot = step_run.run.snapshot if step_run is not None else {}
    ladder = snapshot.get("ladder") if isinstance(snapshot, dict) else None
    return [rung for rung in ladder or [] if isinstance(rung, dict) and rung.get("channel")]


def _new_codes(count: int) -> list[str]:
    """Digits: they are typed on any keyboard, in a reply or on the phone. None begins with 1, which is an answer."""
    codes: set[str] = set()
    while len(codes) < count:
        drawn = {_drawn_code() for _ in range(count - len(codes))}
        codes |= drawn - set(Page.objects.filter(code__in=drawn).values_list("code", flat=True))
    return list(codes)


def _drawn_code() -> str:
    return secrets.choice("023456789") + "".join(secrets.choice("0123456789") for _ in range(CODE_DIGITS - 1))
