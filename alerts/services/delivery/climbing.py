"""Climbing: what a page does when its time has come. Its message arrived: it waits. It did not: the next rung, at once."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Least
from django.utils.translation import gettext as _

from alerts.models import AlertLog, AlertState, Channel, Delivery, DeliveryState, EscalationRun, Level, Page, StepRun
from alerts.services.delivery.paging import GOING, lay_rungs
from alerts.services.delivery.states import REACHED, RECALLABLE, has_reached
from alerts.services.escalation.heart import database_clock
from alerts.services.people.rungs import SILENT, quiet_until

log = logging.getLogger(__name__)

# What a provider says of a call that somebody, or a machine, has lifted.
ON_THE_LINE = frozenset({"answered", "in-progress"})

# A page never sleeps longer, however long its rung's wait: one that is due later was written by a clock that has been put back since.
LONGEST_SLEEP = timedelta(minutes=2)
CLOCK_JUMP = timedelta(minutes=1)
_OVER = frozenset({DeliveryState.FAILED, DeliveryState.CANCELLED})
BY_HAND = 100  # deliveries that a person asked for are numbered from here on, and are no rung
AGAIN_AFTER = timedelta(seconds=30)  # a page that could not be worked does not keep the others from climbing


def climb_due(*, limit: int = 200, owner: str = "", now: datetime | None = None) -> int:
    """Work each page that is due, a transaction each. Whoever is already at a page is left to it. Returns how many were worked."""
    now = now or database_clock()
    due = Page.objects.filter(state__in=GOING).filter(_due(now))
    worked = 0
    for pk in list(due.order_by("next_at").values_list("pk", flat=True)[:limit]):
        try:
            with transaction.atomic():
                page = _claimed(pk, now)
                ended = _climb(page, now) if page is not None else None
            worked += page is not None
            if ended is not None:
                hurry_step(ended, now=now)
        except Exception:
            log.exception("page %s could not be worked%s", pk, f" by {owner}" if owner else "")
            Page.objects.filter(pk=pk, state__in=GOING).update(next_at=now + AGAIN_AFTER)
    return worked


def _due(now: datetime) -> Q:
    return Q(next_at__lte=now) | Q(next_at__gt=now + LONGEST_SLEEP + CLOCK_JUMP)


def _claimed(pk: int, now: datetime) -> Page | None:
    rows = Page.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    return rows.select_related("alert", "user", "contact").filter(_due(now), pk=pk, state__in=GOING).first()


def _climb(page: Page, now: datetime) -> StepRun | None:
    """Returns the step when the page has tried everything and nothing is known to have arrived."""
    if page.alert.state != AlertState.FIRING:
        _end(page, Page.State.CANCELLED, now)
        return None
    if _is_gone(page):
        _end(page, Page.State.EXHAUSTED, now)
        _write(page, _("%(who)s has been switched off and is no longer paged."))
        return page.step_run
    made = list(page.deliveries.filter(rung_no__lt=BY_HAND).order_by("rung_no"))
    current = present(made)
    if any(has_reached(one) for one in current):
        began = current[-1].created_at
        until = began + timedelta(seconds=int(page.rungs[page.rung_no - 1].get("wait_s") or 0))
        if now < until and began <= now + CLOCK_JUMP:
            Page.objects.filter(pk=page.pk).update(next_at=min(until, now + LONGEST_SLEEP))
            return None
    talking_until = _talking_until(current, now)
    if talking_until is not None:
        Page.objects.filter(pk=page.pk).update(next_at=min(talking_until, now + LONGEST_SLEEP))
        return None
    if page.rung_no < len(page.rungs):
        quiet_end = held_until(page, now)
        if quiet_end is not None:
            Page.objects.filter(pk=page.pk).update(state=Page.State.HELD, next_at=min(quiet_end, now + LONGEST_SLEEP))
            return None
        page.state = Page.State.RUNNING
        lay_rungs(page, now=now)
        return None
    _end(page, Page.State.EXHAUSTED, now)
    if any(has_reached(one) for one in made):
        return None
    _write(page, _("Nothing is known to have reached %(who)s: every channel was tried."))
    return page.step_run


def _talking_until(current: list[Delivery], now: datetime) -> datetime | None:
    """Until when the person's phone is off the hook: whoever listens to us is not told beside it. Its end makes the page due."""
    for one in current:
        if one.channel != Channel.VOICE or one.state != DeliveryState.SENT or one.receipt_due_at is None or one.receipt_due_at <= now:
            continue
        if one.receipts.filter(status__in=ON_THE_LINE).exists():
            return one.receipt_due_at
    return None


def held_until(page: Page, now: datetime) -> datetime | None:
    """When this person's quiet hours end, if the next rung would ring in them. Asked again each time: a level may rise meanwhile."""
    if page.user is None or page.rungs[page.rung_no].get("channel") in SILENT:
        return None
    return quiet_until(user=page.user, critical=page.alert.level == Level.CRITICAL, at=now)


def present(made: list[Delivery]) -> list[Delivery]:
    """Those of the newest rung, and of the rungs laid together with it."""
    return [one for one in made if one.created_at == made[-1].created_at]


def _write(page: Page, note: str) -> None:
    who = {"who": str(page.user or page.contact)}
    AlertLog.objects.create(alert=page.alert, kind=AlertLog.Kind.DELIVERY, note=(note % who)[:400], facts={"page": page.pk})


def _is_gone(page: Page) -> bool:
    return not (page.user.is_active if page.user is not None else page.contact is not None and page.contact.is_active)


def _end(page: Page, state: str, now: datetime) -> None:
    """Messages still between two attempts end with a page that is over; one that has tried everything lets them have their last tries."""
    Page.objects.filter(pk=page.pk).update(state=state, next_at=None, ended_at=now)
    if state == Page.State.CANCELLED or _is_gone(page):
        waiting = Delivery.objects.filter(RECALLABLE, page=page)
        waiting.update(state=DeliveryState.CANCELLED, next_at=None, receipt_due_at=None, ended_at=now, error_code="called_back")


def climb_at_once(pages: Iterable[int | None], *, now: datetime) -> None:
    """What a page's present rung sent has failed for good: no waiting for its time. The page's row is locked by the caller, or free."""
    for pk in {pk for pk in pages if pk is not None}:
        current = present(list(Delivery.objects.filter(page_id=pk, rung_no__lt=BY_HAND).order_by("rung_no")))
        if all(one.state in _OVER or (one.channel == Channel.IN_APP and one.state not in REACHED) for one in current):
            Page.objects.filter(pk=pk, state__in=GOING).update(next_at=Least(F("next_at"), now))


def hurry_step(step_run: StepRun, *, now: datetime) -> bool:
    """Every person of this step was tried by every channel and nothing arrived: the next step is due now, not when its time has come.

    Only while the step is the last that ran. The escalation's row is its queue, so putting its time forward is all there is to do.
    """
    pages = Page.objects.filter(step_run=step_run)
    if pages.exclude(state=Page.State.EXHAUSTED).exists():
        return False
    arrived = Q(state__in=REACHED) | (Q(state=DeliveryState.SENT, receipt_due_at=None) & ~Q(channel=Channel.IN_APP))
    if Delivery.objects.filter(arrived, page__in=pages).exists():
        return False
    newest = StepRun.objects.filter(run=step_run.run_id).order_by("-id").values_list("pk", flat=True).first()
    if newest != step_run.pk:
        return False
    runs = EscalationRun.objects.filter(pk=step_run.run_id, state=EscalationRun.State.RUNNING, next_at__gt=now)
    return bool(runs.update(next_at=now))
