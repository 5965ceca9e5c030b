"""What is wrong with a schedule, said before the night on which it would show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from alerts.models import EscalationPolicy, OnCallSchedule
from alerts.services.oncall.reading import AHEAD, gaps, spans, with_people
from alerts.services.people import unreachable

SHOWN = 5


@dataclass(frozen=True)
class Problem:
    """``kind``: gap, empty_layer, closed_account, no_channel, no_fallback; ``text`` is a sentence for people."""

    kind: str
    text: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None


def problems(*, schedule: OnCallSchedule, at: datetime | None = None, with_names: bool = True) -> list[Problem]:
    """Holes of the next fourteen days, layers with nobody, closed accounts, people no message can reach, policies without a way out."""
    at = at or timezone.now()
    holes = gaps(schedule=schedule, start=at, end=at + AHEAD)
    found = [Problem("gap", _("Nobody is on call."), start, end) for start, end in holes]
    layers = with_people(schedule)
    found += [
        Problem("empty_layer", _("Layer %(n)s has nobody in it.") % {"n": layer.name or layer.position})
        for layer in layers
        if not layer.members.all()
    ]
    people = {member.user_id for layer in layers for member in layer.members.all()}
    people |= {span.user_id for span in spans(schedule=schedule, start=at, end=at + AHEAD) if span.user_id is not None}
    accounts = list(User.objects.filter(pk__in=people).order_by("username"))
    closed = [user for user in accounts if not user.is_active]
    found += _of("closed_account", closed, with_names, _closed)
    away = unreachable(user.pk for user in accounts if user.is_active)
    found += _of("no_channel", [user for user in accounts if user.pk in away], with_names, _unreached)
    if holes:
        found += [
            Problem("no_fallback", _("Policy %(policy)s uses it and names nobody to fall back on.") % {"policy": policy})
            for policy in _without_fallback(schedule)
        ]
    return found


def _of(kind: str, people: list[User], with_names: bool, said: Callable[[User], str]) -> list[Problem]:
    if not people:
        return []
    if not with_names:
        return [Problem(kind, ngettext("%(n)d person.", "%(n)d people.", len(people)) % {"n": len(people)})]
    return [Problem(kind, said(user)) for user in people]


def _closed(user: User) -> str:
    return _("%(who)s's account is closed: their turns are nobody's.") % {"who": user}


def _unreached(user: User) -> str:
    return _("No message can reach %(who)s: no address proved, no browser that takes push.") % {"who": user}


def _without_fallback(schedule: OnCallSchedule) -> Iterable[EscalationPolicy]:
    lacking = Q(fallback_user=None, fallback_contact=None)
    return EscalationPolicy.objects.active().filter(lacking, steps__schedule=schedule).distinct().order_by("code")[:SHOWN]
