"""What the compare page says, in words: its choices, its rows in order, its notes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import Invalid
from dashboard.filters import Key, category_names
from dashboard.trend_charts import HeatChart, WeeklyChart, heat_chart, weekly_chart
from geography.models import Region, Zone
from incidents.lifecycle import Severity
from incidents.services.compare import PERIODS, Change, Figures, PeriodFacts, Row, Scope, compare, scope_of
from incidents.services.importing.rejects import guarded

BY = {
    "category": gettext_lazy("Category"),
    "type": gettext_lazy("Type"),
    "severity": gettext_lazy("Severity"),
    "governorate": gettext_lazy("Governorate"),
    "area": gettext_lazy("Area"),
    "agency": gettext_lazy("Agency"),
    "apart": gettext_lazy("How it became known"),
}
PERIOD_NAMES = {"7d": gettext_lazy("7 days"), "28d": gettext_lazy("28 days"), "ytd": gettext_lazy("Year to date")}
MULTIPLES = 12
_APART = {
    "reported": gettext_lazy("Reported by the public"),
    "unknown": gettext_lazy("Unknown"),
    "discovered": gettext_lazy("Discovered by an officer"),
    "enforcement": gettext_lazy("Of types that follow where officers are sent"),
    "withdrawn": gettext_lazy("Cancelled, unfounded or duplicate: counted in no other line"),
}


class CompareFilter(forms.Form):
    """``?region=&zone=&category=&until=&period=&by=``; what cannot be read is said and left out."""

    region = forms.SlugField(required=False, max_length=16, label=gettext_lazy("Region"))
    zone = Key(label=gettext_lazy("Zone"))
    category = forms.SlugField(required=False, max_length=32, label=gettext_lazy("Category"))
    until = forms.DateField(required=False, input_formats=["%Y-%m-%d"], label=gettext_lazy("Last day"))
    period = forms.ChoiceField(required=False, choices=[(key, key) for key in PERIODS], label=gettext_lazy("Period"))
    by = forms.ChoiceField(required=False, choices=[(key, key) for key in BY], label=gettext_lazy("By"))

    @cached_property
    def values(self) -> dict[str, Any]:
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}

    @property
    def ignored(self) -> list[str]:
        return [str(self.fields[name].label) for name in self.errors if name in self.fields]


@dataclass(frozen=True)
class Line:
    """A row of the table: its name and figures of the chosen period."""

    row: Row
    name: str
    figures: Figures
    chart: WeeklyChart | None = None


class ComparePage:
    """A comparison as one viewer asked for it."""

    def __init__(self, viewer: object, asked: dict[str, Any]) -> None:
        self.viewer = viewer
        self.refused = ""
        form = CompareFilter(asked)
        self.values = form.values
        self.ignored = form.ignored
        self.period = self.values.get("period", "28d")
        self.by = self.values.get("by", "category")
        self.scope: Scope = self._scope()
        try:
            self.comparison = compare(viewer=viewer, scope=self.scope, until=self.values.get("until"))
        except Invalid as refusal:
            self.refused = refusal.message
            self.comparison = compare(viewer=viewer, scope=self.scope)

    def _scope(self) -> Scope:
        region, zone, category = (self.values.get(name) for name in ("region", "zone", "category"))
        if zone is not None and region:
            # The form sends both: whoever chooses another region means all of it, not the zone chosen before.
            chosen = scope_of(viewer=self.viewer, zone=zone, category=category or "")
            if chosen.region.code == region:
                return chosen
            del self.values["zone"]
            zone = None
        return scope_of(viewer=self.viewer, region=region or "", zone=zone, category=category or "")

    @property
    def place(self) -> str:
        """What the figures are of, for the foot of a picture."""
        names = [self.scope.zone.name if self.scope.zone else self.scope.region.name]
        if self.scope.category:
            names.append(self.category_names.get(self.scope.category, self.scope.category))
        return " · ".join(names)

    @property
    def heat_note(self) -> str:
        span = self.heat_span
        return f"{self.place} · \u2066{span.first} – {span.last}\u2069"

    @property
    def facts(self) -> PeriodFacts:
        return self.comparison.facts(self.period)

    @cached_property
    def category_names(self) -> dict[str, str]:
        return category_names()

    def name_of(self, by: str, row: Row) -> str:
        if by == "category":
            return self.category_names.get(row.code, row.code)
        if by == "severity":
            return str(Severity(int(row.code)).label)
        if by == "apart":
            return str(_APART.get(row.code, row.code))
        return row.name or (_("Without a place") if by in ("governorate", "area") else row.code)

    @cached_property
    def lines(self) -> list[Line]:
        rows = self.comparison.tables[self.by]
        if self.by == "severity":
            rows = sorted(rows, key=lambda row: row.code, reverse=True)
        elif self.by != "apart":
            rows = sorted(rows, key=lambda row: (-row.figures[self.period].now, -row.figures[self.period].before, row.code))
        return [
            Line(row, self.name_of(self.by, row), row.figures[self.period], self._chart(row) if at < MULTIPLES else None)
            for at, row in enumerate(rows)
            if row.code == "withdrawn" or _counted(row.figures[self.period])
        ]

    def _chart(self, row: Row) -> WeeklyChart | None:
        if row.code == "withdrawn":
            return None
        return weekly_chart(self.comparison.weeks_end, row.weeks, blank=self.comparison.weeks_without_data)

    @cached_property
    def multiples(self) -> list[Line]:
        return [line for line in self.lines if line.chart is not None and any(line.row.weeks)]

    @property
    def total(self) -> Figures:
        return self.comparison.total.figures[self.period]

    @property
    def cards(self) -> list[tuple[str, str, PeriodFacts, Figures]]:
        """Each period's key, name, stretches and total."""
        return [
            (facts.period.key, str(PERIOD_NAMES[facts.period.key]), facts, self.comparison.total.figures[facts.period.key])
            for facts in self.comparison.periods
        ]

    @cached_property
    def weekly(self) -> WeeklyChart:
        found = self.comparison
        return weekly_chart(
            found.weeks_end, found.total.weeks, blank=found.weeks_without_data, width=760, height=200, margins=(10, 12, 24, 44)
        )

    @cached_property
    def weekly_narrow(self) -> WeeklyChart:
        """The same for a phone, where the wide one's words would be too small."""
        found = self.comparison
        return weekly_chart(found.weeks_end, found.total.weeks, blank=found.weeks_without_data, height=150)

    @property
    def weekly_table(self) -> list[tuple[date, int | None]]:
        found = self.comparison
        counts = [None if at in found.weeks_without_data else count for at, count in enumerate(found.total.weeks)]
        return list(zip(found.weeks_end, counts, strict=True))[::-1]

    @property
    def heat_period(self) -> str:
        """A week is too short to say which hours are busy."""
        return "28d" if self.period == "7d" else self.period

    @property
    def heat_span(self) -> Any:
        return self.comparison.facts(self.heat_period).period.now

    @cached_property
    def heat(self) -> HeatChart:
        return heat_chart(self.comparison.clock[self.heat_period])

    @property
    def weekdays(self) -> dict[int, str]:
        return {number: str(name) for number, name in WEEKDAYS.items()}

    @cached_property
    def is_empty(self) -> bool:
        total = self.comparison.total
        return not any(total.weeks) and not any(map(_counted, total.figures.values()))

    @cached_property
    def places(self) -> list[tuple[Region, list[tuple[Zone, list[Zone]]]]]:
        """The regions, governorates and areas this viewer may choose."""
        return places_of(self.viewer)

    @property
    def categories(self) -> list[tuple[str, str]]:
        return sorted(self.category_names.items(), key=lambda item: item[1])

    def query(self, **changes: Any) -> str:
        values = {**self.values, **changes}
        return urlencode({name: value for name, value in values.items() if value not in (None, "")})

    def query_by_name(self) -> dict[str, str]:
        """Addresses of the neighbouring choices, for the templates."""
        return {"period": self.query(period=None), "by": self.query(by=None)}


def _counted(figures: Figures) -> bool:
    return bool(figures.now or figures.before or figures.last_year)


def places_of(viewer: object) -> list[tuple[Region, list[tuple[Zone, list[Zone]]]]]:
    from accounts.jurisdiction import jurisdiction_of
    from incidents.services.compare import regions_of

    allowed = jurisdiction_of(viewer).governorate_ids
    zones = Zone.objects.in_use().filter(level__in=[Zone.Level.GOVERNORATE, Zone.Level.AREA])
    zones = zones.only("pk", "level", "parent_id", "region_id", "name_en", "name_ar")
    if allowed is not None:
        zones = zones.filter(pk__in=sorted(allowed)) | zones.filter(parent_id__in=sorted(allowed))
    by_parent: dict[int, list[Zone]] = {}
    for zone in zones:
        if zone.level == Zone.Level.AREA and zone.parent_id is not None:
            by_parent.setdefault(zone.parent_id, []).append(zone)
    found = []
    for region in regions_of(viewer):
        governorates = sorted((z for z in zones if z.level == Zone.Level.GOVERNORATE and z.region_id == region.pk), key=lambda z: z.name)
        found.append((region, [(zone, sorted(by_parent.get(zone.pk, []), key=lambda z: z.name)) for zone in governorates]))
    return found


COLUMNS = (
    "by", "code", "name", "period", "from", "to", "count", "against", "against_from", "against_to", "against_count", "difference",
    "percent_per_day", "rate_ratio", "rate_ratio_low_95", "rate_ratio_high_95", "q_value", "verdict",
)  # fmt: skip


def csv_rows(page: ComparePage) -> Iterator[list[str]]:
    """Every table, period and comparison; what may not be compared has no figures but says so."""
    found = page.comparison
    for by, rows in [("total", [found.total]), *found.tables.items()]:
        for row in rows:
            name = _("All incidents") if by == "total" else page.name_of(by, row)
            for facts in found.periods:
                spans = facts.period.spans()
                figures = row.figures[facts.period.key]
                for against, change in (("before", figures.against_before), ("last_year", figures.against_last_year)):
                    yield [
                        by,
                        guarded(row.code),
                        guarded(name),
                        facts.period.key,
                        str(spans["now"].first),
                        str(spans["now"].last),
                        str(figures.now),
                        against,
                        str(spans[against].first),
                        str(spans[against].last),
                        str(getattr(figures, against)),
                        *_change_cells(change),
                    ]


def _change_cells(change: Change | None) -> list[str]:
    if change is None:
        return ["", "", "", "", "", "", "no data"]
    numbers = (change.percent, change.ratio, change.low, change.high)
    percent, ratio, low, high = ("" if value is None else f"{value:.4g}" for value in numbers)
    return [str(change.difference), percent, ratio, low, high, f"{change.q:.4g}", change.verdict]


def as_csv(page: ComparePage) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(csv_rows(page))
    return text.getvalue()
