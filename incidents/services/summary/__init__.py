"""The executive summary: what, why, recommended, data freshness, known limits, each sentence from a stored row by a fixed rule."""

from __future__ import annotations

from datetime import date

from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import NotFound
from geography.models import Zone
from incidents.services.compare import Scope, compare, scope_of
from incidents.services.summary.advice import recommended
from incidents.services.summary.data import freshness, limits
from incidents.services.summary.happened import what
from incidents.services.summary.reasons import why
from incidents.services.summary.statements import SECTIONS, Evidence, Statement, Summary
from incidents.services.summary.wording import END_ISOLATE, ISOLATE, ISOLATE_LTR, heading, sentence

__all__ = [
    "END_ISOLATE",
    "ISOLATE",
    "ISOLATE_LTR",
    "SECTIONS",
    "Evidence",
    "Statement",
    "Summary",
    "heading",
    "sentence",
    "summarise",
    "summary_scope",
]


def summary_scope(*, viewer: object, region: str = "", zone: int | None = None) -> Scope:
    """A region, or one governorate of it. Anything else is not there."""
    scope = scope_of(viewer=viewer, region=region, zone=zone)
    if scope.zone is not None and scope.zone.level != Zone.Level.GOVERNORATE:
        raise NotFound(_("There is no such zone."))
    return scope


def summarise(*, viewer: object, scope: Scope, until: date | None = None) -> Summary:
    """Gather what is known of ``scope`` now, with counts up to ``until``: the last whole day, or the last day of data that have ended."""
    found = compare(viewer=viewer, scope=scope, until=until)
    ended = None
    if until is None and found.newest is not None and found.newest < found.facts("28d").period.now.first:
        ended = found.newest
        found = compare(viewer=viewer, scope=scope, until=ended)
    happened = what(found, ended)
    reasons = why(viewer, scope)
    fresh = freshness(viewer, scope, found)
    advice = recommended(found, happened, reasons, fresh)
    sections = dict(zip(SECTIONS, (happened, reasons, advice, fresh, limits(viewer, scope, found)), strict=True))
    return Summary(
        scope=scope,
        until=found.until,
        computed_at=timezone.now(),
        is_synthetic=found.is_synthetic,
        comparison=found,
        sections={name: tuple(section.found) for name, section in sections.items()},
    )
