"""Swaps: one asks to be relieved for a span they are on call in, another takes it or declines. Taken, it is an override."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from alerts.models import OnCallOverride, OnCallSchedule, ShiftSwap
from alerts.permissions import Actor, may, require
from alerts.services.oncall.overriding import MOST_DAYS, _reason, write_override
from alerts.services.oncall.reading import spans, with_people
from alerts.services.oncall.rights import candidates, check_people, check_span, seen_by, user_id_of
from alerts.services.oncall.schedules import announce
from alerts.services.oncall.telling import tell_answer, tell_asked, tell_withdrawn
from core import audit
from core.errors import Conflict, Invalid, NotAllowed, NotFound

State = ShiftSwap.State


@transaction.atomic
def ask_swap(
    *, schedule: OnCallSchedule, by: User, starts_at: datetime, ends_at: datetime, asked_of: User | None = None, reason: str = ""
) -> ShiftSwap:
    """Ask to be relieved of a span in which oneself is on call, by one person or by anybody on the schedule."""
    _sees(by, schedule)
    locked = OnCallSchedule.objects.select_for_update().get(pk=schedule.pk)
    starts_at = check_span(starts_at, ends_at, most_days=MOST_DAYS)
    if asked_of is not None:
        if asked_of.pk == by.pk:
            message = _("Ask somebody else than yourself.")
            raise Invalid(message, fields={"asked_of": message})
        check_people(locked, [asked_of.pk], field="asked_of")
    if not _is_theirs(locked, by.pk, starts_at, ends_at):
        message = _("You are not on call for all of this span.")
        raise Invalid(message, fields={"starts_at": message})
    mine = ShiftSwap.objects.filter(schedule=locked, asked_by=by, state=State.OPEN, starts_at__lt=ends_at, ends_at__gt=starts_at)
    if mine.exists():
        raise Conflict(_("You have asked for this already."))
    swap = ShiftSwap.objects.create(
        schedule=locked, asked_by=by, asked_of=asked_of, starts_at=starts_at, ends_at=ends_at, reason=_reason(reason)
    )
    audit.record("shiftswap.ask", obj=swap, by=by, after=_plain(swap), reason=swap.reason)
    announce(locked, "swap")
    tell_asked(swap, now=timezone.now())
    return swap


@transaction.atomic
def take_swap(*, swap: ShiftSwap, by: User) -> OnCallOverride:
    """Take it over oneself: only who was asked, or anybody of the schedule where nobody in particular was."""
    schedule = OnCallSchedule.objects.select_for_update().get(pk=swap.schedule_id)
    _sees(by, schedule)
    if by.pk == swap.asked_by_id:
        raise Invalid(_("You cannot relieve yourself."))
    if not may_take(by, swap):
        raise NotAllowed(_("Somebody else was asked."))
    now = timezone.now()
    if swap.ends_at <= now:
        raise Conflict(_("That span is over."))
    starts_at = max(swap.starts_at, now)
    if not _is_theirs(schedule, swap.asked_by_id, starts_at, swap.ends_at):
        raise Conflict(_("The calendar has changed: %(who)s is no longer on call for all of it.") % {"who": swap.asked_by})
    _end(swap, State.TAKEN, taken_by=by)
    override = write_override(
        schedule, user=by, starts_at=starts_at, ends_at=swap.ends_at, reason=swap.reason, by=by, swap=swap
    )  # fmt: skip
    audit.record("shiftswap.take", obj=swap, by=by, after=_plain(swap))
    tell_answer(swap, now=now)
    return override


@transaction.atomic
def decline_swap(*, swap: ShiftSwap, by: User, answer: str = "") -> ShiftSwap:
    """Whoever was asked in particular says no. Whoever asked stays on call, and is told."""
    _sees(by, swap.schedule)
    if by.pk != swap.asked_of_id:
        raise NotAllowed(_("Somebody else was asked.") if swap.asked_of_id is not None else _("Anybody was asked: leave it to the others."))
    if swap.ends_at <= timezone.now():
        raise Conflict(_("That span is over."))
    answer = _reason(answer)
    _end(swap, State.DECLINED)
    ShiftSwap.objects.filter(pk=swap.pk).update(answer=answer)
    swap.answer = answer
    audit.record("shiftswap.decline", obj=swap, by=by, after=_plain(swap), reason=answer)
    announce(swap.schedule, "swap")
    tell_answer(swap)
    return swap


@transaction.atomic
def withdraw_swap(*, swap: ShiftSwap, by: Actor) -> ShiftSwap:
    """Who asked no longer asks; who manages the schedule may say so for them."""
    _sees(by, swap.schedule)
    if user_id_of(by) != swap.asked_by_id:
        require(by, "manage_oncall", swap.schedule)
    _end(swap, State.WITHDRAWN)
    audit.record("shiftswap.withdraw", obj=swap, by=by, after=_plain(swap))
    announce(swap.schedule, "swap")
    tell_withdrawn(swap)
    return swap


def may_take(by: User, swap: ShiftSwap) -> bool:
    if swap.state != State.OPEN or by.pk == swap.asked_by_id or not candidates(swap.schedule).filter(pk=by.pk).exists():
        return False
    if swap.asked_of_id is not None:
        return by.pk == swap.asked_of_id
    stands = any(member.user_id == by.pk for layer in with_people(swap.schedule) for member in layer.members.all())
    return stands or may(by, "manage_oncall", swap.schedule)


def _sees(by: Actor, schedule: OnCallSchedule) -> None:
    if not seen_by(by).filter(pk=schedule.pk).exists():
        raise NotFound(_("There is no such schedule."))


def _is_theirs(schedule: OnCallSchedule, user_id: int, starts_at: datetime, ends_at: datetime) -> bool:
    """Whether one person is on call from the start to the end without a break."""
    at = starts_at
    for span in spans(schedule=schedule, start=starts_at, end=ends_at):
        if span.user_id != user_id or span.start != at:
            return False
        at = span.end
    return at == ends_at


def _end(swap: ShiftSwap, state: str, *, taken_by: User | None = None) -> None:
    now = timezone.now()
    if ShiftSwap.objects.filter(pk=swap.pk, state=State.OPEN).update(state=state, taken_by=taken_by, ended_at=now) != 1:
        swap.refresh_from_db(fields=["state"])
        raise Conflict(_("It is %(state)s already.") % {"state": swap.get_state_display()})
    swap.state, swap.taken_by, swap.ended_at = state, taken_by, now


def _plain(swap: ShiftSwap) -> dict[str, object]:
    return {
        "schedule": swap.schedule_id, "asked_by": swap.asked_by_id, "asked_of": swap.asked_of_id, "taken_by": swap.taken_by_id,
        "starts_at": swap.starts_at.isoformat(), "ends_at": swap.ends_at.isoformat(), "state": str(swap.state),
    }  # fmt: skip
