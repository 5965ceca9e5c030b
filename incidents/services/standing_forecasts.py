"""The forecasts people are shown: what is published and stands now, and a baseline at once where its model has been switched off."""

from __future__ import annotations

from collections.abc import Iterable

from incidents.models import Forecast, ModelChoice
from incidents.models.trust import Predicts
from incidents.services.trust.switches import switched_off

EACH = "*"  # a ModelChoice for every category of a level


def choice_key(row: Forecast) -> tuple[int, str, str]:
    return row.region_id, row.zone.level, EACH if row.category else ""


def standing_choices(region_ids: Iterable[int]) -> dict[tuple[int, str, str], ModelChoice]:
    """What the gate decided last, by region, level, and "" or "*" (each category)."""
    rows = ModelChoice.objects.filter(predicts=Predicts.FORECAST, is_current=True, region_id__in=set(region_ids)).select_related("run")
    return {(row.region_id, row.level, row.category): row for row in rows}


def with_stand_ins(rows: Iterable[Forecast], choices: dict[tuple[int, str, str], ModelChoice]) -> list[Forecast]:
    """``rows`` (with their zones) as they may be shown now.

    Where a row's method has been switched off since it was issued, the baseline frozen with it takes its place: in memory only, what
    was issued stays as it was. Where that is off too, the next; where none is left, the row is not shown.
    """
    off = set(switched_off())
    shown = []
    for row in rows:
        if row.method in off:
            choice = choices.get(choice_key(row))
            names = [*([choice.best_baseline] if choice else []), *row.baselines]
            name = next((name for name in names if name in row.baselines and name not in off), None)
            if name is None:
                continue
            _stand_in(row, name)
        shown.append(row)
    return shown


def _stand_in(row: Forecast, name: str) -> None:
    from incidents.analytics.counts import count_interval  # scipy: only where a model is off

    mean, dispersion = float(row.baselines[name]["mean"]), float(row.baselines[name]["dispersion"])
    (low, high), (low_95, high_95) = (count_interval([mean], dispersion, share=share) for share in (row.interval, 0.95))  # type: ignore[arg-type]
    row.method, row.expected, row.dispersion = name, mean, dispersion
    row.low, row.high, row.low_95, row.high_95 = float(low[0]), float(high[0]), float(low_95[0]), float(high_95[0])
