"""Risk from a bare incident file: what ``manage.py predict_risk`` and ``manage.py backtest`` do."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from numpy.typing import NDArray
from pyproj import Transformer

from core.errors import Invalid
from incidents.analytics.evaluation import Estimate
from incidents.analytics.grid import Cells
from incidents.analytics.risk import NAME, Risk, TooLittleHistory, predict_risk
from incidents.analytics.risk_backtest import AREA_SHARES, Backtest, backtest_risk
from incidents.analytics.risk_components import Happened
from incidents.services.bare_files import BareIncidents, read_bare

# Words of open-data portals for what follows where officers are sent: never a hint for another category.
_ENFORCEMENT = ("drug", "narcotic", "liquor", "alcohol", "weapon", "prostitut", "gambl", "disorder", "dui", "loiter", "trespass", "vice")


@dataclass(frozen=True)
class _Loaded:
    happened: Happened
    to_lonlat: Transformer
    srid: int


def _load(path: str, *, category: str | None, before: date | None) -> _Loaded:
    """Metres of the UTM zone the incidents lie in; days since 1970 on the file's own clock."""
    found = read_bare(path, before=before.isoformat() if before else None)
    wanted = category if category not in (None, "", "all") else None
    own = found.category == wanted if wanted else np.ones(len(found), dtype=bool)
    if wanted and not own.any():
        _refuse_unknown(path, found, wanted)
    keep = own | ~_is_enforcement(found.category)
    srid = _utm(found)
    x, y = Transformer.from_crs(4326, srid, always_xy=True).transform(found.lon[keep], found.lat[keep])
    day = (found.at[keep] - np.datetime64(0, "s")) / np.timedelta64(86_400, "s")
    happened = Happened(np.stack([x, y], axis=1), day.astype(np.float64), np.asarray(own[keep], dtype=bool))
    return _Loaded(happened, Transformer.from_crs(srid, 4326, always_xy=True), srid)


def _refuse_unknown(path: str, found: BareIncidents, wanted: str) -> None:
    anywhere = read_bare(path, category=wanted)  # refuses a category the file has never heard of
    raise Invalid(
        _("Too little history: no incidents of %(name)s before this day (%(later)d later).") % {"name": wanted, "later": len(anywhere)}
    )


def _is_enforcement(categories: NDArray[np.object_]) -> NDArray[np.bool_]:
    names, back = np.unique(categories.astype(str), return_inverse=True)
    return np.array([any(word in name.lower() for word in _ENFORCEMENT) for name in names], dtype=bool)[back]


def _utm(found: BareIncidents) -> int:
    if not len(found):
        raise Invalid(_("Too little history: the file has no usable incident before this day."))
    lon, lat = float(np.median(found.lon)), float(np.median(found.lat))
    return (32600 if lat >= 0 else 32700) + min(60, int((lon + 180) // 6) + 1)


def day_number(day: date) -> float:
    """Days since 1970-01-01."""
    return float((day - date(1970, 1, 1)).days)


def _check(*, horizon_days: float, cell_m: float) -> None:
    if not (math.isfinite(horizon_days) and 0 < horizon_days <= 366):
        raise Invalid(_("The horizon is above 0 and at most 366 days."))
    if not (math.isfinite(cell_m) and 20 <= cell_m <= 20_000):
        raise Invalid(_("A cell's side is 20 to 20,000 m."))


def risk_of_file(path: str, *, as_of: date, horizon_days: float, cell_m: float, category: str | None = None) -> tuple[Risk, Transformer]:
    """Nothing at or after the start of ``as_of`` is kept from the file. The second answer turns metres into degrees."""
    _check(horizon_days=horizon_days, cell_m=cell_m)
    loaded = _load(path, category=category, before=as_of)
    try:
        return predict_risk(loaded.happened, as_of=day_number(as_of), horizon_days=horizon_days, cell_m=cell_m), loaded.to_lonlat
    except TooLittleHistory as error:
        raise Invalid(str(error)) from error


def write_risk(risk: Risk, to_lonlat: Transformer, out: Any) -> int:
    """``lon,lat,score`` of every cell's centre, highest first; the score is the number of incidents expected."""
    centres = risk.cells.centres_m
    lon, lat = to_lonlat.transform(centres[:, 0], centres[:, 1])
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["lon", "lat", "score"])
    order = np.lexsort((centres[:, 1], centres[:, 0], -risk.expected))
    for k in order.tolist():
        table.writerow([f"{lon[k]:.6f}", f"{lat[k]:.6f}", f"{risk.expected[k]:.6g}"])
    return len(order)


def backtest_of_file(
    path: str, *, test_from: date, test_to: date, horizon_days: float, cell_m: float, category: str | None = None
) -> Backtest:
    """From every week of ``[test_from, test_to]`` (both days included). The area is every cell that ever had an incident of the kind."""
    _check(horizon_days=horizon_days, cell_m=cell_m)
    if test_to < test_from:
        raise Invalid(_("The last day lies before the first."))
    loaded = _load(path, category=category, before=None)
    cells = Cells.under(loaded.happened.xy_m[loaded.happened.own], cell_m=cell_m)
    try:
        return backtest_risk(
            loaded.happened, first=day_number(test_from), last=day_number(test_to) + 1, horizon_days=horizon_days, cells=cells
        )
    except TooLittleHistory as error:
        raise Invalid(str(error)) from error


def as_report(found: Backtest, *, category: str | None) -> dict[str, Any]:
    """Plain values for JSON: every figure with its 95 % interval; the model beside each baseline."""
    return {
        "category": category or "all",
        "origins": len(found.origins),
        "first_origin": str(np.datetime64(int(found.origins[0]), "D")),
        "last_origin": str(np.datetime64(int(found.origins[-1]), "D")),
        "horizon_days": found.horizon_days,
        "cells": found.cells,
        "incidents": found.incidents,
        "model": NAME,
        "scores": {name: dict(_scores(found, name)) for name in found.hits},
        "model_against": {
            name: {f"{share:g}": _rounded(found.against(NAME, name, share)) for share in AREA_SHARES} for name in found.hits if name != NAME
        },
        "best_baseline": {f"{share:g}": found.best_baseline(share) for share in AREA_SHARES},
    }


def _scores(found: Backtest, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for share in AREA_SHARES:
        figures: dict[str, Any] = {figure: _rounded(found.estimate(name, share, figure)) for figure in ("pai", "pei_star", "hit_rate")}
        stable = found.rri(name, share)
        yield f"{share:g}", {**figures, "rri": round(stable, 4) if math.isfinite(stable) else None}


def _rounded(estimate: Estimate) -> dict[str, float | None]:
    return {
        name: round(value, 4) if math.isfinite(value) else None
        for name, value in (("value", estimate.value), ("low", estimate.low), ("high", estimate.high))
    }
