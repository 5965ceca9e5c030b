"""The next days of one region: the whole, each governorate, each area with enough history; and each category of the first two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from django.db.models import Model, Q
from numpy.typing import NDArray

from geography.models import Region
from incidents.analytics.calendar import Calendar, calendar, country_of_clock
from incidents.analytics.forecast import BASELINES, CANDIDATES, QUICK, Choice, Forecasts, Panel, Said, forecast, shortfall, silent_days
from incidents.analytics.panel import Method
from incidents.analytics.reconcile import reconcile
from incidents.models import Forecast, ModelChoice
from incidents.models.trust import Predicts
from incidents.services.pipeline.forecast_groups import CATEGORIES, ZONES, Days, Group, groups_of, load_days, midnight, wholes
from incidents.services.pipeline.steps import Outcome, Task, newest_incident
from incidents.services.standing_forecasts import EACH
from incidents.services.trust.cards import model_card
from incidents.services.trust.switches import switched_off

STALE_AFTER_DAYS = 14
RACE_EVERY_DAYS = 7
LIMITS = ("reported_only", "not_people", "rare", "changes", "late_reports")


@dataclass(frozen=True)
class _Answered:
    group: Group
    panel: Panel
    found: Forecasts
    raced_on: date


def parts_of_forecasts(task: Task) -> Sequence[str]:
    return (ZONES, CATEGORIES)


def scope_of_forecasts(model: type[Model], part: str) -> Q:
    """The rows of one part: those without a category, or those with one."""
    mine = Q(category="") if part != CATEGORIES else ~Q(category="")
    return mine & Q(predicts=Predicts.FORECAST) if model is ModelChoice else mine


def forecasts(task: Task) -> Outcome:
    """Forecast this region's days from the day under way on, learning from whole days before it.

    Each level of zones is one panel of series with one backtest and one choice of a model; then the levels are made to add up. A region
    whose newest incident is more than two weeks old gets none: its feed has stopped, and a forecast would pretend otherwise. A series
    without enough history gets none either; the counts say how many and why.
    """
    region, settings = task.region, task.parameters
    today = task.moment.day_in(region)
    newest = newest_incident(region, before=midnight(region, today))
    counts: dict[str, Any] = {"forecasts": 0, "series": 0, "first_day": today.isoformat()}
    newest_day = newest.astimezone(region.zone_info).date() if newest else None
    counts["newest_incident"] = newest_day.isoformat() if newest_day else None
    if newest_day is None or (today - newest_day).days > STALE_AFTER_DAYS:
        counts["empty_because"] = "no incidents for two weeks" if newest_day else "no incidents yet"
        return Outcome([], counts)
    days = load_days(region, today, settings.history_days)
    task.beat()
    is_silent = silent_days(days.series(slice(None)))
    known = calendar(days.first_day, days.length + settings.horizon_days, country=country_of_clock(region.time_zone))
    off = set(switched_off())
    answered = [_answer(task, group, days, is_silent, known, off) for group in groups_of(region, days, task.part or ZONES)]
    together = _add_up(answered, days, is_silent)
    rows: list[Any] = []
    for item, expected in zip(answered, together, strict=True):
        rows += _rows(item, expected, days=days, today=today, share=settings.interval)
        rows.append(_choice(item, is_synthetic=bool(days.is_synthetic.any())))
    if (task.part or ZONES) == ZONES:
        rows += _cards(answered, days, today)
    return Outcome(rows, counts | _figures(answered, together, days, is_silent, today, known))


def _answer(task: Task, group: Group, days: Days, is_silent: NDArray[np.bool_], known: Calendar, off: set[str]) -> _Answered:
    counted = np.stack([days.series(series.chosen) for series in group.series])
    counted[:, is_silent] = np.nan
    panel = Panel(days.first_day, counted, known.columns)
    today = task.moment.day_in(task.region)
    candidates, raced_on = _candidates(task.region, group, today)
    asked = [method for method in candidates if method.name not in off]
    found = forecast(panel, horizon=task.parameters.horizon_days, candidates=asked or QUICK[:1], switched_off=off, beat=task.beat)
    return _Answered(group, panel, found, raced_on)


def _candidates(region: Region, group: Group, today: date) -> tuple[Sequence[Method], date]:
    """All once a week; between, the quick ones and a slow one that stands. And the day of the last race."""
    last = ModelChoice.objects.filter(
        region=region, predicts=Predicts.FORECAST, level=group.level, category=group.category, is_current=True
    ).first()
    raced = next((facts.get("on") for code, facts in last.reasons if code == "raced"), None) if last else None
    if last is None or raced is None or not 0 <= (today - date.fromisoformat(raced)).days < RACE_EVERY_DAYS:
        return CANDIDATES, today
    return [method for method in CANDIDATES if not method.is_slow or method.name == last.champion], date.fromisoformat(raced)


def _add_up(answered: list[_Answered], days: Days, is_silent: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """What is published of each group, made to add up over the groups: areas to governorates, governorates to the country.

    What a whole has beyond its parts that are forecast (outside any area, or in areas with too little history) is a part of its own: it is
    in the sum, but in no row.
    """
    series = [one for item in answered for one in item.group.series]
    expected = np.concatenate([item.found.published.expected for item in answered]) if answered else np.empty((0, 0))
    spread = np.concatenate([item.found.published.dispersion for item in answered]) if answered else np.empty(0)
    counted = np.concatenate([item.panel.counts for item in answered]) if answered else np.empty((0, 0))
    says = np.isfinite(expected).all(axis=1) if len(expected) else np.empty(0, dtype=bool)
    place = {int(row): k for k, row in enumerate(np.flatnonzero(says))}
    rest: list[NDArray[np.float64]] = []
    sums: dict[int, list[int]] = {}
    for whole, parts in wholes(series):
        spoken = [part for part in parts if says[part]]
        if not says[whole] or not spoken:
            continue
        sums[place[whole]] = [place[part] for part in spoken]
        beyond = (counted[whole] - counted[spoken].sum(axis=0))[-182:]
        if np.nansum(beyond) > 0:
            rest.append(np.full(expected.shape[1], float(np.nanmean(beyond))))
            sums[place[whole]].append(len(place) + len(rest) - 1)
    if sums:
        base = np.concatenate([expected[says], *(row[None] for row in rest)])
        variance = base * np.concatenate([spread[says], np.full(len(rest), 2.0)])[:, None]
        expected[says] = reconcile(base, np.maximum(variance, 1e-9), sums)[: len(place)]
    ends = np.cumsum([len(item.group.series) for item in answered])[:-1]
    return np.split(expected, ends) if answered else []


def _rows(item: _Answered, expected: NDArray[np.float64], *, days: Days, today: date, share: float) -> list[Forecast]:
    found = item.found
    published = _forecasts(item, Said(expected, found.published.dispersion), found.methods, True, days=days, today=today, share=share)
    if found.held_back is None:
        return published
    held = [found.choice.champion if method == found.choice.published else "" for method in found.methods]
    return published + _forecasts(item, found.held_back, held, False, days=days, today=today, share=share)


def _forecasts(
    item: _Answered, said: Said, methods: Sequence[str], is_published: bool, *, days: Days, today: date, share: float
) -> list[Forecast]:
    (low, high), (low_95, high_95) = said.interval(share), said.interval(0.95)
    rows = []
    for k, (series, method) in enumerate(zip(item.group.series, methods, strict=True)):
        if not method or not np.isfinite(said.expected[k]).all():
            continue
        is_synthetic = bool(days.is_synthetic[series.chosen].any())
        rows += [
            Forecast(
                zone=series.zone,
                category=series.category,
                day=today + timedelta(days=ahead),
                expected=float(said.expected[k, ahead]),
                low=float(low[k, ahead]),
                high=float(high[k, ahead]),
                low_95=float(low_95[k, ahead]),
                high_95=float(high_95[k, ahead]),
                dispersion=float(said.dispersion[k]),
                baselines=_frozen(item, k, ahead),
                is_published=is_published,
                interval=share,
                method=method,
                history_days=days.length,
                is_synthetic=is_synthetic,
            )
            for ahead in range(said.expected.shape[1])
        ]
    return rows


def _frozen(item: _Answered, row: int, ahead: int) -> dict[str, dict[str, float]]:
    """What counting alone says of this day, kept with the forecast to be scored beside it."""
    return {
        name: {"mean": round(float(base.expected[row, ahead]), 4), "dispersion": round(float(base.dispersion[row]), 4)}
        for name, base in item.found.baselines.items()
        if np.isfinite(base.expected[row, ahead])
    }


def _choice(item: _Answered, *, is_synthetic: bool) -> ModelChoice:
    choice: Choice = item.found.choice
    return ModelChoice(
        predicts=Predicts.FORECAST,
        level=item.group.level,
        category=item.group.category,
        champion=choice.champion,
        best_baseline=choice.best_baseline,
        published=choice.published,
        beats_baseline=choice.beats_baseline,
        reasons=[*([code, facts] for code, facts in choice.reasons), ["raced", {"on": item.raced_on.isoformat()}]],
        scores={name: figures.as_dict() for name, figures in choice.figures.items()},
        origins=choice.origins,
        is_synthetic=is_synthetic,
    )


def _cards(answered: list[_Answered], days: Days, today: date) -> list[Any]:
    """A card for every method that took part; its scores by level. The zones' part writes them, for both parts use the same methods."""
    methods: dict[str, Method] = {method.name: method for method in (*CANDIDATES, *BASELINES)}
    taken = {name for item in answered for name in item.found.choice.figures}
    return [
        model_card(
            model=name,
            purpose="forecast",
            learnt_from=days.first_day,
            learnt_to=today,
            incidents=int(days.count.sum()),
            parameters=_parameters(method),
            seed=1,
            scores={item.group.level: item.found.choice.figures[name].as_dict() for item in answered if name in item.found.choice.figures},
            limits=LIMITS,
            is_synthetic=bool(days.is_synthetic.any()),
        )
        for name, method in methods.items()
        if name in taken
    ]


def _parameters(method: Method) -> dict[str, Any]:
    given: dict[str, Any] = asdict(method) if is_dataclass(method) and not isinstance(method, type) else {}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items() if name not in ("name", "is_slow")}


def _figures(
    answered: list[_Answered],
    together: list[NDArray[np.float64]],
    days: Days,
    is_silent: NDArray[np.bool_],
    today: date,
    known: Calendar,
) -> dict[str, Any]:
    methods = Counter(method for item in answered for method in item.found.methods if method)
    passed_over: Counter[str] = Counter()
    moved = total = 0.0
    for item, expected in zip(answered, together, strict=True):
        short = [row for row in range(len(item.group.series)) if shortfall(item.panel, row)]
        passed_over["too little history"] += len(short)
        passed_over.update(f"{method}: nonsense" for _row, method, why in item.found.refused if why != "no answer")
        moved += float(np.nansum(np.abs(expected - item.found.published.expected)))
        total += float(np.nansum(expected))
    return {
        "forecasts": sum(methods.values()) * (together[0].shape[1] if together else 0),
        "series": sum(methods.values()),
        "methods": dict(methods),
        "published": {_named(item.group): item.found.choice.published for item in answered},
        "passed_over": {name: count for name, count in passed_over.items() if count},
        "moved_to_add_up": round(moved / total, 5) if total else 0.0,
        "silent_days": int(is_silent.sum()),
        "days_that_may_move": [[day.isoformat(), name] for day, name in known.uncertain if day >= today - timedelta(days=1)],
        "incidents": int(days.count.sum()),
        "from": days.first_day.isoformat(),
        "to": today.isoformat(),
    }


def _named(group: Group) -> str:
    return f"{group.level}, by category" if group.category == EACH else group.level
