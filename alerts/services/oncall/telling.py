"""Swaps are asked of people, so people are told: who was asked, by their own channels; who asked, what came of it.

The delivery asks the escalation, which asks this package: its notices are met when called and not when loaded, here alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from importlib import import_module
from typing import Any
from urllib.parse import urlencode
from uuid import NAMESPACE_URL, UUID, uuid5
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import User
from alerts.models import LayerMember, ShiftSwap
from alerts.services.oncall.rights import candidates

MOST_ASKED = 50


def tell_asked(swap: ShiftSwap, *, now: datetime | None = None) -> int:
    """Who was asked, or everybody of the schedule who might take it. Returns how many a message goes to; the page shows it to all."""
    return _tell(swap, _asked(swap), "asked", now)


def tell_answer(swap: ShiftSwap, *, now: datetime | None = None) -> int:
    """Whoever asked: taken over, or declined."""
    _recall(swap, now)
    return _tell(swap, [swap.asked_by], str(swap.state), now)


def tell_withdrawn(swap: ShiftSwap, *, now: datetime | None = None) -> int:
    """Whoever was asked in particular need not think of it any more."""
    _recall(swap, now)
    return _tell(swap, [swap.asked_of] if swap.asked_of is not None else [], "withdrawn", now)


def key_of(swap: ShiftSwap, what: str, user_id: int) -> UUID:
    """The same for the same notice: it is sent once, however often it is asked for."""
    return uuid5(NAMESPACE_URL, f"khareetaty:swap:{swap.pk}:{what}:{user_id}")


def _asked(swap: ShiftSwap) -> Iterable[User]:
    if swap.asked_of is not None:
        return [swap.asked_of]
    stand = LayerMember.objects.filter(layer__schedule_id=swap.schedule_id).values("user_id")
    return candidates(swap.schedule).filter(pk__in=stand).exclude(pk=swap.asked_by_id)[:MOST_ASKED]


def _recall(swap: ShiftSwap, now: datetime | None) -> None:
    """What asks for it and has not left yet (somebody's quiet hours) would only mislead."""
    _notices("recall", keys=[key_of(swap, "asked", user.pk) for user in _asked(swap)], now=now or timezone.now())


def _notices(verb: str, **given: Any) -> Any:
    return getattr(import_module("alerts.services.delivery.notices"), verb)(**given)


def _tell(swap: ShiftSwap, people: Iterable[User], what: str, now: datetime | None) -> int:
    now, told = now or timezone.now(), 0
    for user in people:
        with translation.override(user.language):
            title, text = _words(swap, what)
        key = key_of(swap, what, user.pk)
        told += _notices("notify", to=user, key=key, title=title, text=text, link=_link(swap), now=now) is not None
    return told


def _words(swap: ShiftSwap, what: str) -> tuple[str, str]:
    """In the reader's language, by the schedule's clock."""
    zone = ZoneInfo(swap.schedule.time_zone)
    given = {
        "who": swap.asked_by, "by": swap.taken_by or swap.asked_of, "schedule": swap.schedule,
        "from": f"{swap.starts_at.astimezone(zone):%d/%m %H:%M}", "to": f"{swap.ends_at.astimezone(zone):%d/%m %H:%M}",
    }  # fmt: skip
    if what == "asked":
        title = _("Asked to take over on call")
        text = _("%(who)s asks to be relieved in %(schedule)s from %(from)s to %(to)s.") % given
        return title, f"{text} {swap.reason}".strip()
    if what == ShiftSwap.State.TAKEN:
        return _("Your turn is taken over"), _("%(by)s takes over from you in %(schedule)s from %(from)s to %(to)s.") % given
    if what == ShiftSwap.State.DECLINED:
        text = _("%(by)s cannot take over in %(schedule)s from %(from)s to %(to)s. You are still on call.") % given
        return _("Your turn is not taken over"), f"{text} {swap.answer}".strip()
    return _("No longer asked to take over"), _("%(who)s no longer asks to be relieved in %(schedule)s from %(from)s to %(to)s.") % given


def _link(swap: ShiftSwap) -> str:
    return f"{settings.PUBLIC_URL}/alerts/oncall/?{urlencode({'schedule': swap.schedule.code})}#swaps"
