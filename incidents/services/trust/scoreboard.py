"""The running score: every model beside every baseline over the same predictions, pooled, with intervals over weeks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

import numpy as np
from django.db import connection
from django.db.models import Count, Exists, Max, Min, OuterRef
from django.utils import timezone

from geography.models import Region, Zone
from incidents.analytics.evaluation import Estimate, Hits, bootstrap_ratio
from incidents.models import Incident, Predicts, Score, Surface
from incidents.services.trust.scoring_forecasts import SUMS, first_forecasts_due
from incidents.services.trust.scoring_forecasts import read as read_sums
from incidents.services.trust.scoring_rules import GRACE, finite

SHARES = ("1", "3", "5")
LEAST_WEEKS = 4
"""With fewer weeks an interval would only pretend."""
Verdict = Literal["won", "lost", "even", "early"]
_HITS = ("hits", "incidents", "chosen", "cells", "best")


@dataclass(frozen=True)
class Week:
    """One week's figure: above 1 the model was ahead of the baseline. ``running`` pools all weeks up to this one."""

    starts: date
    ratio: float | None
    running: float | None


@dataclass(frozen=True)
class Against:
    """A model beside one baseline over the same predictions. Each estimate is above 1 where the model is ahead."""

    baseline: str
    estimates: dict[str, Estimate]
    weeks: tuple[Week, ...]
    figures: dict[str, Any]

    @property
    def main(self) -> Estimate:
        return next(iter(self.estimates.values()))

    @property
    def verdict(self) -> Verdict:
        if len(self.weeks) < LEAST_WEEKS or not np.isfinite(self.main.low):
            return "early"
        if self.main.low > 1:
            return "won"
        return "lost" if self.main.high < 1 else "even"


@dataclass(frozen=True)
class Line:
    """One model at one level and category: its pooled figures, and each baseline, the strongest first."""

    predicts: str
    category: str
    level: str
    model: str
    role: str
    predictions: int
    since: datetime
    until: datetime
    figures: dict[str, Any]
    against: tuple[Against, ...]
    is_synthetic: bool

    @property
    def strongest(self) -> Against | None:
        """The baseline that did best, seen from the end: the hardest one to beat."""
        return self.against[0] if self.against else None

    @property
    def verdict(self) -> Verdict:
        return self.strongest.verdict if self.strongest else "early"

    @property
    def is_baseline(self) -> bool:
        """What is published is itself a baseline: it stands in for a model that lost or is off."""
        return self.role == Surface.Role.PUBLISHED and any(item.baseline == self.model for item in self.against)


@dataclass(frozen=True)
class Scoreboard:
    region: Region
    zone: Zone | None
    lines: tuple[Line, ...]
    predictions: int
    rehearsals: int
    since: datetime | None
    newest: datetime | None
    late: int
    first_due: datetime | None
    is_synthetic: bool

    def tally(self) -> dict[str, int]:
        """How many comparisons with the strongest baseline went which way; where a baseline stands in there is none."""
        counts = dict.fromkeys(("won", "lost", "even", "early"), 0)
        for line in self.lines:
            if line.against and not line.is_baseline:
                counts[line.verdict] += 1
        return counts


def scoreboard(*, region: Region, zone: Zone | None = None, days: int | None = None, rehearsal: bool = False) -> Scoreboard:
    """The running score of ``region``, or of one governorate. The caller has asked who may see ``zone``.

    ``days`` looks back so far only; ``rehearsal`` shows the looks back in place of the predictions: never both in one figure.
    """
    rows = Score.objects.filter(region=region, is_hindcast=rehearsal)
    since = timezone.now() - timedelta(days=days) if days else None
    if since is not None:
        rows = rows.filter(valid_from__gte=since)
    of_risk, of_forecasts = rows.filter(predicts=Predicts.RISK, zone=zone), rows.filter(predicts=Predicts.FORECAST, zone=zone)
    lines = [*_risk_lines(region, zone, since, rehearsal), *_forecast_lines(region, zone, since, rehearsal)]
    span = (of_risk | of_forecasts).aggregate(first=Min("valid_from"), last=Max("scored_at"), n=Count("pk"))
    return Scoreboard(
        region=region,
        zone=zone,
        lines=tuple(lines),
        predictions=span["n"],
        rehearsals=0 if rehearsal else Score.objects.filter(region=region, is_hindcast=True, zone=zone).count(),
        since=span["first"],
        newest=span["last"],
        late=late_after_scoring(region) if span["n"] else 0,
        first_due=None if span["n"] else first_due(region),
        is_synthetic=any(line.is_synthetic for line in lines),
    )


def first_due(region: Region) -> datetime | None:
    """When the first score is due: the end of the oldest unscored prediction, and the time late reports are given."""
    surface = (
        Surface.objects.filter(region=region, kind=Surface.Kind.RISK, is_current=True, valid_to__isnull=False)
        .order_by("valid_to")
        .values_list("valid_to", flat=True)
        .first()
    )
    ends = [end for end in (surface, first_forecasts_due(region)) if end is not None]
    return min(ends) + GRACE if ends else None


def late_after_scoring(region: Region) -> int:
    """Incidents that would have counted, but came in after their time had been scored. The scores stay as they were taken."""
    scored = Score.objects.filter(region=region, zone=None, is_hindcast=False)
    span = scored.aggregate(first=Min("valid_from"), last=Max("valid_to"), taken=Min("scored_at"))
    if span["first"] is None:
        return 0
    during = scored.filter(
        valid_from__lte=OuterRef("occurred_at"), valid_to__gt=OuterRef("occurred_at"), scored_at__lt=OuterRef("received_at")
    )
    late = Incident.objects.modelled().filter(
        Exists(during), region=region, occurred_at__gte=span["first"], occurred_at__lt=span["last"], received_at__gt=span["taken"]
    )
    return late.count()


# -- risk -------------------------------------------------------------------------------------------------------------------------

_SUMS = ", ".join(f"sum(({row}.facts->'{share}'->>'{name}')::float)" for row in "mb" for share in SHARES for name in _HITS)
_RISK = f"""
SELECT m.category, m.level, m.model, m.role, b.model, date_trunc('week', m.valid_from AT TIME ZONE %(clock)s)::date,
       count(*), min(m.valid_from), max(m.valid_to), bool_or(m.is_synthetic), {_SUMS}
FROM incidents_score m
JOIN incidents_score b ON b.run_id = m.run_id AND b.predicts = 'risk' AND b.region_id = m.region_id
     AND b.zone_id IS NOT DISTINCT FROM m.zone_id AND b.category = m.category AND b.level = m.level
     AND b.valid_from = m.valid_from AND b.role = 'baseline'
WHERE m.predicts = 'risk' AND m.role <> 'baseline' AND m.region_id = %(region)s AND m.zone_id IS NOT DISTINCT FROM %(zone)s
      AND m.is_hindcast = %(rehearsal)s AND (%(since)s::timestamptz IS NULL OR m.valid_from >= %(since)s)
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
"""  # noqa: S608  (constants of this module)


def _risk_lines(region: Region, zone: Zone | None, since: datetime | None, rehearsal: bool) -> list[Line]:
    found = _fetch(_RISK, region, zone, since, rehearsal)
    groups: dict[tuple[str, ...], dict[str, list[tuple[Any, ...]]]] = defaultdict(lambda: defaultdict(list))
    for category, level, model, role, baseline, *rest in found:
        groups[category, level, model, role][baseline].append(tuple(rest))
    lines = []
    for (category, level, model, role), by_baseline in groups.items():
        against = [_risk_against(baseline, weeks) for baseline, weeks in by_baseline.items()]
        against.sort(key=lambda item: item.main.value if np.isfinite(item.main.value) else np.inf)
        # Over the baseline met most often: each prediction is met once by each.
        rows = max(by_baseline.values(), key=lambda weeks: sum(week[1] for week in weeks))
        own = {share: _pooled([week[5:] for week in rows], index) for index, share in enumerate(SHARES)}
        lines.append(
            Line(
                Predicts.RISK,
                category,
                level,
                model,
                role,
                sum(week[1] for week in rows),
                min(week[2] for week in rows),
                max(week[3] for week in rows),
                {share: _risk_figures(hits) for share, hits in own.items()} | {"rri_1": _stability(rows)},
                tuple(against),
                any(week[4] for week in rows),
            )
        )
    return sorted(lines, key=lambda line: (line.category, _order(line.level), line.role))


def _risk_against(baseline: str, weeks: Sequence[tuple[Any, ...]]) -> Against:
    estimates, by_week = {}, []
    for index, share in enumerate(SHARES):
        mine = np.array([week[5 + index * 5] for week in weeks])
        theirs = np.array([week[5 + 15 + index * 5] for week in weeks])
        area = sum(week[5 + index * 5 + 2] for week in weeks), sum(week[5 + 15 + index * 5 + 2] for week in weeks)
        mine = mine * (area[1] / area[0] if area[0] else 1.0)  # per cell chosen; the grids are the same as a rule
        estimates[share] = bootstrap_ratio(mine, theirs)
        if index == 0:
            by_week = _weeks([week[0] for week in weeks], mine, theirs)
    pooled = {share: _risk_figures(_pooled([week[20:] for week in weeks], index)) for index, share in enumerate(SHARES)}
    return Against(baseline, estimates, tuple(by_week), pooled)


def _pooled(weeks: Iterable[Sequence[float]], index: int) -> Hits:
    total = np.sum([list(week[index * 5 : index * 5 + 5]) for week in weeks], axis=0)
    return Hits(*(float(value) for value in total))


def _risk_figures(hits: Hits) -> dict[str, float | None]:
    return {"pai": finite(hits.pai), "pei_star": finite(hits.pei_star), "hit_rate": finite(hits.hit_rate)}


def _stability(rows: Sequence[tuple[Any, ...]]) -> float | None:
    """The pooled PAI at 1 % of the later half of the weeks over that of the earlier half."""
    half = len(rows) // 2
    if not half:
        return None
    earlier, later = (_pooled([week[5:] for week in part], 0) for part in (rows[:half], rows[half:]))
    return finite(later.pai / earlier.pai) if earlier.hits else None


# -- forecasts ----------------------------------------------------------------------------------------------------------------------

_OWN = ", ".join(f"sum((s.facts->>'{name}')::float)" for name in SUMS)
_BASE = ", ".join(f"sum((b.value->>'{name}')::float)" for name in SUMS)
_FORECAST = f"""
SELECT s.category, s.level, s.model, s.role, b.key, date_trunc('week', s.valid_from AT TIME ZONE %(clock)s)::date,
       sum((s.facts->>'days')::float)::bigint, min(s.valid_from), max(s.valid_to), bool_or(s.is_synthetic), {_OWN}, {_BASE}
FROM incidents_score s, LATERAL jsonb_each(s.facts->'against') b
WHERE s.predicts = 'forecast' AND s.role <> 'baseline' AND s.region_id = %(region)s AND s.zone_id IS NOT DISTINCT FROM %(zone)s
      AND s.is_hindcast = %(rehearsal)s AND (%(since)s::timestamptz IS NULL OR s.valid_from >= %(since)s)
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
"""  # noqa: S608  (constants of this module)


def _forecast_lines(region: Region, zone: Zone | None, since: datetime | None, rehearsal: bool) -> list[Line]:
    groups: dict[tuple[str, ...], dict[str, list[tuple[Any, ...]]]] = defaultdict(lambda: defaultdict(list))
    for category, level, model, role, baseline, *rest in _fetch(_FORECAST, region, zone, since, rehearsal):
        groups[category, level, model, role][baseline].append(tuple(rest))
    lines = []
    for (category, level, model, role), by_baseline in groups.items():
        against = [_forecast_against(baseline, weeks) for baseline, weeks in by_baseline.items()]
        against.sort(key=lambda item: item.main.value if np.isfinite(item.main.value) else np.inf)
        rows = max(by_baseline.values(), key=lambda weeks: sum(week[1] for week in weeks))
        lines.append(
            Line(
                Predicts.FORECAST,
                category,
                level,
                model,
                role,
                sum(week[1] for week in rows),
                min(week[2] for week in rows),
                max(week[3] for week in rows),
                read_sums(_added(week[5 : 5 + len(SUMS)] for week in rows)),
                tuple(against),
                any(week[4] for week in rows),
            )
        )
    return sorted(lines, key=lambda line: (line.category, _order(line.level), line.role))


def _forecast_against(baseline: str, weeks: Sequence[tuple[Any, ...]]) -> Against:
    crps, error = SUMS.index("crps"), SUMS.index("abs_error")
    own = np.array([week[5 : 5 + len(SUMS)] for week in weeks], dtype=float)
    base = np.array([week[5 + len(SUMS) :] for week in weeks], dtype=float)
    # The baseline's loss over the model's, so that above 1 the model is ahead, as with risk.
    estimates = {"crps": bootstrap_ratio(base[:, crps], own[:, crps]), "error": bootstrap_ratio(base[:, error], own[:, error])}
    by_week = _weeks([week[0] for week in weeks], base[:, crps], own[:, crps])
    return Against(baseline, estimates, tuple(by_week), read_sums(_added(tuple(row) for row in base)))


def _added(rows: Iterable[Sequence[float]]) -> dict[str, float]:
    return dict(zip(SUMS, np.sum([list(row) for row in rows], axis=0).tolist(), strict=True))


# -- both ---------------------------------------------------------------------------------------------------------------------------

_ORDER = {name: place for place, name in enumerate([*Surface.Horizon.values, "country", "governorate", "area"])}


def _order(level: str) -> int:
    return _ORDER.get(level, len(_ORDER))


def _weeks(starts: Sequence[date], above: np.ndarray, below: np.ndarray) -> list[Week]:
    running_above, running_below = np.cumsum(above), np.cumsum(below)

    def ratio(a: float, b: float) -> float | None:
        return float(a / b) if b else None

    return [Week(start, ratio(above[n], below[n]), ratio(running_above[n], running_below[n])) for n, start in enumerate(starts)]


def _fetch(sql: str, region: Region, zone: Zone | None, since: datetime | None, rehearsal: bool) -> list[tuple[Any, ...]]:
    given: dict[str, Any] = {
        "clock": region.time_zone,
        "region": region.pk,
        "zone": zone.pk if zone else None,
        "since": since,
        "rehearsal": rehearsal,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        return cursor.fetchall()
