"""CompStat: counts of 7 days, 28 days and the year so far, beside the stretch before and the same days last year, with what chance brings.

This is accounting, not modelling: everything the viewer may see is counted, what officers discovered and what follows where they are
sent included and shown apart. Only what was cancelled, unfounded or a duplicate is left out, and counted as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.jurisdiction import jurisdiction_of
from accounts.models import Agency
from core.errors import Invalid, NotFound
from geography.models import Region, Zone
from incidents.models import Incident, IncidentType
from incidents.services.compare.counting import WEEKS, Counts, Scope, count, count_days, newest_day
from incidents.services.compare.coverage import Coverage, coverage
from incidents.services.compare.periods import DAY, EARLIEST, Period, Span, periods

FEW = 10  # incidents in both stretches together, or in the earlier one for a percentage: below that nothing is said
FALSE_DISCOVERY = 0.05
SWING_FROM, SWING_TO = 4, WEEKS  # the weeks back whose swing is measured: the newest four are what is being judged
LATE_DAYS = 3
LATE_LEAST = 100
AGAINST = ("before", "last_year")
FEASTS = ("ramadan", "eid_al_fitr", "eid_al_adha")


@dataclass(frozen=True)
class Change:
    """``now`` against one earlier stretch. ``verdict``: more, fewer (beyond chance), chance, few (too few to say)."""

    difference: int
    percent: float | None  # a day, so that stretches of unequal length compare; none where nothing was counted before
    is_small_base: bool
    ratio: float | None
    low: float | None
    high: float | None
    q: float
    verdict: str


@dataclass(frozen=True)
class Figures:
    """One row's counts in one period. A change is ``None`` where either stretch lacks data."""

    now: int
    before: int
    last_year: int
    against_before: Change | None = None
    against_last_year: Change | None = None


@dataclass(frozen=True)
class Row:
    """One line of a table. ``code`` is empty where the incidents have no such thing (no place)."""

    code: str
    name_en: str
    name_ar: str
    figures: dict[str, Figures]
    weeks: tuple[int, ...]  # oldest first
    zone_id: int | None = None
    follows_officers: bool = False
    category: str = ""  # a type's

    @property
    def name(self) -> str:
        return (self.name_ar or self.name_en) if (get_language() or "").startswith("ar") else self.name_en


@dataclass(frozen=True)
class Note:
    """Something a reader must know about a comparison: leap_day, or how many days of a moving feast either stretch holds."""

    code: str
    against: str = ""
    days_now: int = 0
    days_then: int = 0


@dataclass(frozen=True)
class PeriodFacts:
    """A period with what may be compared in it. ``missing``: days without data by stretch."""

    period: Period
    is_comparable: dict[str, bool]
    missing: dict[str, tuple[Span, ...]]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Late:
    """How much of a day usually comes in later: the share reported 1, 2, 3 or more days after it. Empty: the sources do not say."""

    shares: tuple[float, ...]
    incidents: int

    @property
    def percent(self) -> float | None:
        return 100 * sum(self.shares) / len(self.shares) if self.shares else None


@dataclass(frozen=True)
class Comparison:
    scope: Scope
    until: date
    is_newest: bool  # ends with the last whole day
    periods: tuple[PeriodFacts, ...]
    total: Row
    tables: dict[str, list[Row]]
    clock: dict[str, dict[tuple[int, int], int]]
    weeks_end: tuple[date, ...]  # the last day of each week of trend, oldest first
    weeks_without_data: frozenset[int]  # their places in ``weeks_end``
    coverage: Coverage
    late: Late
    is_synthetic: bool
    newest: date | None = None
    swing_is_known: bool = True
    computed_at: datetime = field(default_factory=timezone.now)

    def facts(self, key: str) -> PeriodFacts:
        return next(one for one in self.periods if one.period.key == key)


def scope_of(*, viewer: object, region: str = "", zone: int | None = None, category: str = "") -> Scope:
    """What ``viewer`` may compare: a region (by code; the first one of theirs where none is named) or a governorate or area in it."""
    category = category.replace("\x00", "")[:32]
    places = jurisdiction_of(viewer).governorate_ids
    if zone is not None:
        if not 0 < zone < 2**63:
            raise NotFound(_("There is no such zone."))
        zones = Zone.objects.in_use().filter(pk=zone, level__in=[Zone.Level.GOVERNORATE, Zone.Level.AREA])
        found = zones.select_related("region", "parent").defer("boundary", "parent__boundary").first()
        if found is None or (places is not None and not {found.pk, found.parent_id} & places) or region not in ("", found.region.code):
            raise NotFound(_("There is no such zone."))
        return Scope(found.region, found, category)
    for one in regions_of(viewer):
        if region in ("", one.code):
            return Scope(one, None, category)
    raise NotFound(_("There is no such region."))


def regions_of(viewer: object) -> list[Region]:
    """The regions in which ``viewer`` may see something, the default one first."""
    places = jurisdiction_of(viewer).governorate_ids
    regions = Region.objects.order_by("-is_default", "code")
    if places is not None:
        regions = regions.filter(zones__in=sorted(places)).distinct()
    return list(regions)


def last_whole_day(region: Region) -> date:
    return datetime.now(region.zone_info).date() - DAY


def compare(*, viewer: object, scope: Scope, until: date | None = None) -> Comparison:
    """Compare the periods that end with ``until``, the last whole day on the region's clock unless given."""
    from incidents.analytics.calendar import country_of_clock  # numpy: not at start-up

    newest_possible = last_whole_day(scope.region)
    until = until or newest_possible
    if until > newest_possible:
        raise Invalid(_("That day is not over yet."), fields={"until": _("That day is not over yet.")})
    if until < EARLIEST:
        raise Invalid(_("That is too long ago."), fields={"until": _("That is too long ago.")})
    asked = periods(until)
    spans = {(period.key, name): span for period in asked for name, span in period.spans().items()}
    whole = Span(min(span.first for span in spans.values()), until)
    days = count_days(viewer, scope, whole)
    reach = coverage(days.seen, Span(whole.first - timedelta(days=60), until))
    counts = count(viewer, scope, spans, until)
    country = country_of_clock(scope.region.time_zone)
    facts = tuple(_facts(period, reach, country) for period in asked)
    weeks_end = tuple(until - timedelta(days=7 * back) for back in range(WEEKS - 1, -1, -1))
    blank = frozenset(at for at, day in enumerate(weeks_end) if not _has_data(reach, Span(day - 6 * DAY, day)))
    table = _Tables(counts, facts, reach, blank)
    total = table.total()
    ends_early = not any(days.seen.values()) or bool(reach.silent and reach.silent[-1].last == until)
    tables = table.all(days.withdrawn)
    return Comparison(
        scope=scope,
        until=until,
        is_newest=until == newest_possible,
        periods=facts,
        total=total,
        tables=tables,
        clock={period.key: counts.clock[period.key, "now"] for period in asked},
        weeks_end=weeks_end,
        weeks_without_data=blank,
        coverage=reach,
        late=_late(counts.lags),
        is_synthetic=days.is_synthetic,
        newest=newest_day(viewer, scope.region) if ends_early else until,
        swing_is_known=table.swing_is_known,
    )


def _has_data(reach: Coverage, span: Span) -> bool:
    return reach.first is not None and span.last >= reach.first and reach.days(span) == span.days


def _facts(period: Period, reach: Coverage, country: str | None) -> PeriodFacts:
    spans = period.spans()
    enough = {name: reach.is_enough(span) for name, span in spans.items()}
    notes = [
        Note("leap_day", name, int(period.now.holds_leap_day()), int(spans[name].holds_leap_day()))
        for name in AGAINST
        if spans[name].days != period.now.days and spans[name].holds_leap_day() != period.now.holds_leap_day()
    ]
    return PeriodFacts(
        period,
        {name: enough["now"] and enough[name] for name in AGAINST},
        {name: _missing(reach, span) for name, span in spans.items()},
        tuple(notes + _feasts(spans, country)),
    )


def _feasts(spans: Mapping[str, Span], country: str | None) -> list[Note]:
    """Ramadan and the Eids move through the year: said where one stretch holds more of them than the other, by more than a day."""
    if country != "KW":
        return []
    from incidents.analytics.calendar import calendar

    held = {name: calendar(span.first, span.days, country=country).columns for name, span in spans.items()}
    return [
        Note(feast, name, now, then)
        for name in AGAINST
        for feast in FEASTS
        if abs((now := round(float(held["now"][feast].sum()))) - (then := round(float(held[name][feast].sum())))) > 1
    ]


def _missing(reach: Coverage, span: Span) -> tuple[Span, ...]:
    """Days of ``span`` without data; all of it where it lies before the first incident there is."""
    return (span,) if reach.first is None or span.last < reach.first else reach.missing(span)


def _late(lags: Mapping[int, int]) -> Late:
    incidents = sum(lags.values())
    if incidents < LATE_LEAST or not any(lag >= 0 for lag in lags):
        return Late((), incidents)
    return Late(tuple(sum(n for lag, n in lags.items() if lag >= after) / incidents for after in range(1, LATE_DAYS + 1)), incidents)


class _Tables:
    """Rows out of counts. Each table is judged at once, so that one chance finding among many lines is not called one."""

    def __init__(self, counts: Counts, facts: Iterable[PeriodFacts], reach: Coverage, blank: frozenset[int]) -> None:
        self.counts = counts
        self.facts = tuple(facts)
        self.days = {key: max(reach.days(span), 1) for key, span in counts.spans.items()}
        self.kept = [at for at in range(WEEKS) if at not in blank and SWING_FROM <= WEEKS - 1 - at < SWING_TO]
        self.swing_is_known = len(self.kept) >= 12

    def total(self) -> Row:
        spans = {key: sum(found.values()) for key, found in self.counts.by["severity"].items()}
        weeks = self._added(self.counts.weeks["severity"].values())
        return self._rows([("", "", "", None, False)], {"": spans}, {"": weeks})[0]

    def all(self, withdrawn: Mapping[date, int]) -> dict[str, list[Row]]:
        kinds = {kind.pk: kind for kind in IncidentType.objects.filter(pk__in=self._met("type"))}
        zones = Zone.objects.filter(pk__in=self._met("governorate") | self._met("area")).only("pk", "code", "name_en", "name_ar")
        places = {zone.pk: zone for zone in zones}
        agencies = {agency.pk: agency for agency in Agency.objects.filter(pk__in=self._met("agency"))}
        return {
            "category": self._table("type", lambda pk: (kinds[pk].category, "", "", None, False)),
            "type": self._table("type", lambda pk: _kind(kinds[pk])),
            "governorate": self._table("governorate", lambda pk: _place(places.get(pk))),
            "area": self._table("area", lambda pk: _place(places.get(pk))),
            "severity": self._table("severity", lambda value: (str(value), "", "", None, False)),
            "agency": self._table(
                "agency",
                lambda pk: (agencies[pk].slug, agencies[pk].name_en, agencies[pk].name_ar, None, False) if pk in agencies else _NONE,
            ),
            "apart": self._apart(kinds, withdrawn),
        }

    def _met(self, name: str) -> set[int]:
        return {value for found in self.counts.by[name].values() for value in found if value is not None} | {
            value for value in self.counts.weeks[name] if value is not None
        }

    def _table(self, name: str, identify: Any) -> list[Row]:
        identities: dict[str, Any] = {}
        spans: dict[str, dict[Any, int]] = {}
        weeks: dict[str, list[dict[int, int]]] = {}
        values = {value for found in self.counts.by[name].values() for value in found}
        for value in values:
            identity = identify(value)
            code = identity[0]
            identities[code] = identity
            one = spans.setdefault(code, dict.fromkeys(self.counts.spans, 0))
            for key, found in self.counts.by[name].items():
                one[key] += found.get(value, 0)
            weeks.setdefault(code, []).append(self.counts.weeks[name].get(value, {}))
        return self._rows(list(identities.values()), spans, {code: self._added(found) for code, found in weeks.items()})

    def _apart(self, kinds: Mapping[int, IncidentType], withdrawn: Mapping[date, int]) -> list[Row]:
        """What else a reader must know of the counts: how the incidents came to be known, and what is not in them."""
        rows = {row.code: row for row in self._table("origin", lambda value: (value, "", "", None, value == "discovered"))}
        sensitive = [pk for pk, kind in kinds.items() if kind.enforcement_sensitive]
        by, weeks = self.counts.by["type"], self.counts.weeks["type"]
        enforced = {key: sum(found.get(pk, 0) for pk in sensitive) for key, found in by.items()}
        taken_back = {
            key: sum(n for day, n in withdrawn.items() if span.first <= day <= span.last) for key, span in self.counts.spans.items()
        }
        more = self._rows(
            [("enforcement", "", "", None, True), ("withdrawn", "", "", None, False)],
            {"enforcement": enforced, "withdrawn": taken_back},
            {"enforcement": self._added(weeks.get(pk, {}) for pk in sensitive), "withdrawn": (0,) * WEEKS},
        )
        order = [Incident.Origin.REPORTED, Incident.Origin.UNKNOWN, Incident.Origin.DISCOVERED]
        return [rows[code] for code in order if code in rows] + more

    @staticmethod
    def _added(weeks: Iterable[Mapping[int, int]]) -> tuple[int, ...]:
        """Oldest first."""
        sums = [0] * WEEKS
        for found in weeks:
            for back, n in found.items():
                if back < WEEKS:
                    sums[WEEKS - 1 - back] += n
        return tuple(sums)

    def _rows(self, identities: list[Any], spans: Mapping[str, Mapping[Any, int]], weeks: Mapping[str, tuple[int, ...]]) -> list[Row]:
        import numpy as np

        from incidents.analytics.rates import dispersion

        series = [[weeks[one[0]][at] for at in self.kept] for one in identities]
        swing = dispersion(np.array(series).reshape(len(identities), len(self.kept)))
        swing = np.where(np.isnan(swing), 1.0, swing)
        figures: list[dict[str, Figures]] = [{} for _one in identities]
        for facts in self.facts:
            key = facts.period.key
            counts = {name: [spans[one[0]][key, name] for one in identities] for name in facts.period.spans()}
            changes = {
                name: self._changes(key, name, counts["now"], counts[name], swing)
                if facts.is_comparable[name]
                else [None for _one in identities]
                for name in AGAINST
            }
            for at in range(len(identities)):
                figures[at][key] = Figures(
                    counts["now"][at], counts["before"][at], counts["last_year"][at], changes["before"][at], changes["last_year"][at]
                )
        return [
            Row(code, name_en, name_ar, figures[at], weeks[code], *more) for at, (code, name_en, name_ar, *more) in enumerate(identities)
        ]

    def _changes(self, key: str, against: str, now: list[int], before: list[int], swing: Any) -> list[Change | None]:
        import numpy as np

        from incidents.analytics.false_discovery import q_values
        from incidents.analytics.rates import rate_ratio

        if not now:
            return []
        found = rate_ratio(now, before, days_now=self.days[key, "now"], days_before=self.days[key, against], dispersion=swing)
        enough = np.array([a + b >= FEW for a, b in zip(now, before, strict=True)])
        q = q_values(np.where(enough, found.p, np.nan))
        changes: list[Change | None] = []
        for at, (later, earlier) in enumerate(zip(now, before, strict=True)):
            if not enough[at]:
                verdict = "few"
            elif q[at] > FALSE_DISCOVERY:
                verdict = "chance"
            else:
                rises = later * self.days[key, against] > earlier * self.days[key, "now"]
                verdict = "more" if rises else "fewer"
            changes.append(
                Change(
                    difference=later - earlier,
                    percent=float(100 * (found.ratio[at] - 1)) if earlier else None,
                    is_small_base=earlier < FEW,
                    ratio=float(found.ratio[at]) if earlier else None,
                    low=float(found.low[at]) if later + earlier else None,
                    high=float(found.high[at]) if earlier else None,
                    q=float(q[at]) if enough[at] else 1.0,
                    verdict=verdict,
                )
            )
        return changes


_NONE = ("", "", "", None, False)


def _kind(kind: IncidentType) -> tuple[str, str, str, int | None, bool, str]:
    return (kind.code, kind.name_en, kind.name_ar, None, kind.enforcement_sensitive, kind.category)


def _place(zone: Zone | None) -> tuple[str, str, str, int | None, bool]:
    return (zone.code, zone.name_en, zone.name_ar, zone.pk, False) if zone is not None else _NONE
