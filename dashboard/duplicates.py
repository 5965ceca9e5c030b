"""What the pages say of two incidents that may be one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import User
from incidents.models import DuplicateCandidate, Incident

PAGE_SIZE = 30
SHOWN_ON_INCIDENT = 5
Standing = DuplicateCandidate.State


@dataclass(frozen=True)
class Part:
    """One reason for the likeness: ``percent`` is ``None`` where nothing can be said."""

    label: str
    percent: int | None
    told: str


@dataclass(frozen=True)
class Pair:
    row: DuplicateCandidate
    percent: int
    parts: list[Part]
    may_decide: bool
    other: Incident | None = None
    kept_ref: str = ""

    @property
    def is_waiting(self) -> bool:
        return self.row.state == Standing.WAITING


def pairs_of(rows: Any, viewer: User, about: Incident | None = None) -> list[Pair]:
    may_decide = viewer.can("close")
    return [_pair(row, may_decide, about) for row in rows]


def pairs_about(viewer: User, incident: Incident) -> list[Pair]:
    """Those of one incident that somebody has to decide about or has linked, for its page."""
    rows = DuplicateCandidate.objects.visible_to(viewer).about(incident.pk).with_incidents()
    shown = list(rows.filter(state__in=[Standing.WAITING, Standing.LINKED, Standing.MERGED])[: 2 * SHOWN_ON_INCIDENT])
    open_ones = [row for row in shown if row.state != Standing.WAITING or not (_ended(row.first) or _ended(row.second))]
    return pairs_of(open_ones[:SHOWN_ON_INCIDENT], viewer, incident)


def _ended(incident: Incident) -> bool:
    return not incident.is_open and incident.state != "closed"


def _pair(row: DuplicateCandidate, may_decide: bool, about: Incident | None) -> Pair:
    other = None if about is None else (row.second if row.first_id == about.pk else row.first)
    kept = {row.first_id: row.first.ref, row.second_id: row.second.ref}.get(row.kept_id or 0, "")
    return Pair(row, round(row.score * 100), _parts(row), may_decide, other, kept)


def _parts(row: DuplicateCandidate) -> list[Part]:
    def percent(name: str) -> int | None:
        value = row.parts.get(name)
        return None if value is None else round(value * 100)

    words = percent("words")
    kinds = (row.first.type.name, row.second.type.name)
    return [
        Part(_("Place"), percent("near"), _("%(n)s m apart") % {"n": round(row.distance_m)}),
        Part(_("Time"), percent("soon"), _("%(n)s min apart") % {"n": round(row.minutes)}),
        Part(_("Type"), percent("kin"), kinds[0] if kinds[0] == kinds[1] else " / ".join(kinds)),
        Part(_("Words"), words, "" if words is not None else _("cannot be compared: too short, or in two languages")),
    ]
