"""The executive summary as a page and as a document: its sentences with where each leads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from accounts.jurisdiction import jurisdiction_of
from core import pdf
from core.version import code_version
from dashboard.compare import PERIOD_NAMES
from dashboard.trend_charts import weekly_chart
from geography.models import Region, Zone
from incidents.services.compare import Scope, regions_of
from incidents.services.summary import (
    END_ISOLATE,
    ISOLATE,
    ISOLATE_LTR,
    SECTIONS,
    Evidence,
    Statement,
    Summary,
    heading,
    sentence,
    summarise,
)

PDF_FOR_S = 120


@dataclass(frozen=True)
class Said:
    """One sentence, where its evidence is, and for a suggestion the sentence it follows from."""

    key: str
    code: str
    text: str
    link: str
    because: str


@dataclass(frozen=True)
class Section:
    name: str
    title: str
    sentences: list[Said]


def sections_of(summary: Summary) -> list[Section]:
    found = []
    for name in SECTIONS:
        said: list[Said] = []
        shown = ""
        for one in summary.sections[name]:
            link = _link(summary.scope, one.evidence)
            said.append(_said(summary, one, link if link != shown else ""))
            shown = link
        found.append(Section(name, heading(name), said))
    return found


def _marked(text: str) -> SafeString:
    """The sentence as HTML: its isolates as elements, which a browser and the PDF's engine both keep to (the latter only so)."""
    found = escape(text)
    for sign, element in ((ISOLATE_LTR, '<bdi dir="ltr">'), (ISOLATE, "<bdi>"), (END_ISOLATE, "</bdi>")):
        found = SafeString(found.replace(sign, element))
    return found


def _said(summary: Summary, one: Statement, link: str) -> Said:
    """Sentences in a row that rest on the same page link to it once."""
    cause = summary.statement(one.because) if one.because else None
    return Said(one.key, one.code, _marked(sentence(one)), link, _marked(sentence(cause)) if cause else "")


def _link(scope: Scope, evidence: Evidence | None) -> str:
    """The page that shows what a sentence rests on, where there is one."""
    if evidence is None:
        return ""
    try:
        if evidence.kind == "comparison":
            query = f"zone={scope.zone.pk}" if scope.zone else f"region={scope.region.code}"
            return f"{reverse('compare')}?{query}"
        if evidence.kind == "hot_spot":
            return f"{reverse('hotspots')}#hotspot-{evidence.ids[0]}"
        if evidence.kind == "forecast":
            return reverse("forecast-zone", args=[evidence.ids[0]]) if len(evidence.ids) == 1 else reverse("forecast")
        if evidence.kind in ("choice", "score"):
            return reverse("scoreboard")
        if evidence.kind == "run":
            return reverse("runs-one", args=[evidence.ids[0]])
    except NoReverseMatch:
        pass
    return ""


def context_of(summary: Summary) -> dict[str, Any]:
    found = summary.comparison
    total = found.total
    places = [(row, row.figures["28d"]) for row in found.tables["governorate"]] if summary.scope.zone is None else []
    return {
        "summary": summary,
        "scope": summary.scope,
        "sections": sections_of(summary),
        "periods": [(str(PERIOD_NAMES[facts.period.key]), facts, total.figures[facts.period.key]) for facts in summary.comparison.periods],
        "weekly": weekly_chart(
            found.weeks_end, total.weeks, blank=found.weeks_without_data, width=640, height=120, margins=(8, 10, 20, 40)
        ),
        "weekly_narrow": weekly_chart(found.weeks_end, total.weeks, blank=found.weeks_without_data, height=130),
        # One line alone repeats the whole.
        "governorates": sorted(places, key=lambda item: (-item[1].now, item[0].code)) if len(places) > 1 else [],
        "version": code_version(),
    }


def choices_of(viewer: object) -> list[tuple[Region, list[Zone]]]:
    """The regions and governorates this viewer may have summarised."""
    places = jurisdiction_of(viewer).governorate_ids
    zones = Zone.objects.in_use().filter(level=Zone.Level.GOVERNORATE).only("pk", "region_id", "name_en", "name_ar")
    if places is not None:
        zones = zones.filter(pk__in=sorted(places))
    by_name = sorted(zones, key=lambda zone: zone.name)
    return [(region, [zone for zone in by_name if zone.region_id == region.pk]) for region in regions_of(viewer)]


def as_pdf(viewer: object, scope: Scope) -> bytes:
    """The summary as a document, made at most every two minutes for all who see the same; it says when."""
    seen = jurisdiction_of(viewer)
    who = [None if ids is None else sorted(ids) for ids in (seen.agency_ids, seen.governorate_ids)]
    asked = repr((who, scope.region.pk, scope.zone.pk if scope.zone else 0, get_language(), code_version()))
    key = f"summary-pdf:{hashlib.sha256(asked.encode()).hexdigest()[:32]}"
    found: bytes | None = cache.get(key)
    if found is None:
        html = render_to_string("dashboard/summary_print.html", context_of(summarise(viewer=viewer, scope=scope)))
        found = pdf.render(html)
        cache.set(key, found, PDF_FOR_S)
    return found
