"""Forecasts from a bare incident file: the same candidates, backtest and gate as a night's run, without a database."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from django.utils.translation import gettext as _

from core.errors import Invalid
from incidents.analytics.calendar import COUNTRIES, calendar, country_of_place
from incidents.analytics.forecast import BASELINES, CANDIDATES, QUICK, Forecasts, Panel, Said, forecast, shortfall, silent_days
from incidents.analytics.reconcile import reconcile
from incidents.services.bare_files import BareIncidents, read_bare

ALL, TOTAL = "all", "total"
HISTORY_DAYS = 1461
STALE_AFTER_DAYS = 14
COLUMNS = ("unique_id", "ds", "mean", "lo80", "hi80", "lo95", "hi95")
_NEW_AFTER_DAYS = 90  # a series whose first incident comes this late was not there before, rather than at nought


@dataclass(frozen=True)
class FileForecast:
    """``rows`` in the order of series and day, ready to be written; ``notes`` say what was left out, and which model spoke."""

    rows: list[tuple[str, str, float, int, int, int, int]]
    notes: list[str] = field(default_factory=list)


def forecast_file(
    *,
    path: str | Path,
    as_of: date,
    horizon_days: int = 7,
    by: str | None = None,
    category: str | None = None,
    country: str = "auto",
    with_total: bool = False,
    every_candidate: bool = False,
) -> FileForecast:
    """Forecast each series of the file for ``horizon_days`` days from ``as_of`` on, reading nothing at or after it.

    With ``by``, a series is one value of that column; without, there is one, called ``all``. ``with_total`` adds their sum as ``total``,
    and makes them add up to it. A series with too little history gets no row but a note.

    Raises
    ------
    Invalid
        For a file that cannot be used, and where no series has enough history.
    """
    if not 1 <= horizon_days <= 60:
        raise Invalid(_("A forecast reaches 1 to 60 days ahead."))
    if country not in ("auto", "none", *COUNTRIES):
        raise Invalid(_("There is no calendar of %(country)s; there are %(known)s.") % {"country": country, "known": ", ".join(COUNTRIES)})
    if with_total and by is None:
        raise Invalid(_("A total is the sum of the series of --by; without it there is one series only."))
    read = read_bare(path, before=as_of.isoformat(), category=category, by=by, located=False)
    if not len(read):
        raise Invalid(_("The file has no usable incident before %(day)s.") % {"day": as_of.isoformat()})
    newest = date.fromisoformat(str(read.at[-1])[:10])
    if (as_of - newest).days > STALE_AFTER_DAYS:
        raise Invalid(
            _("The newest incident before %(day)s is of %(newest)s: what happened since is unknown, and there is nothing to forecast from.")
            % {"day": as_of.isoformat(), "newest": newest.isoformat()}
        )
    names, panel, notes = _panel(read, as_of, horizon_days, _country(read, country), with_total)
    found = forecast(panel, horizon=horizon_days, candidates=CANDIDATES if every_candidate else QUICK)
    for row, name in enumerate(names):
        why = shortfall(panel, row)
        if why:
            notes.append(f"{name}: {why}; no forecast")
        elif not found.methods[row]:
            notes.append(f"{name}: no method has a sound answer; no forecast")
    if not any(found.methods):
        raise Invalid(notes[-1] if len(names) == 1 else _("No series has enough history. %(first)s") % {"first": "; ".join(notes[-3:])})
    notes.append(_told(found))
    return FileForecast(_rows(names, _adding_up(names, found), found, as_of), notes)


def _country(read: BareIncidents, asked: str) -> str | None:
    if asked != "auto":
        return None if asked == "none" else asked
    known = np.isfinite(read.lon) & np.isfinite(read.lat)
    return country_of_place(float(np.median(read.lon[known])), float(np.median(read.lat[known]))) if known.any() else None


def _panel(read: BareIncidents, as_of: date, horizon: int, country: str | None, with_total: bool) -> tuple[list[str], Panel, list[str]]:
    days = read.at.astype("datetime64[D]")
    first = max(date.fromisoformat(str(days[0])), as_of - timedelta(days=HISTORY_DAYS))
    length = (as_of - first).days
    kept = days >= np.datetime64(first)
    day = (days[kept] - np.datetime64(first)).astype(np.int64)
    labels = (
        np.array([str(value).strip() for value in read.by[kept]], dtype=object) if read.by is not None else np.full(len(day), ALL, object)
    )
    notes = [f"calendar: {country or 'the days special everywhere'}; history from {first.isoformat()}, {len(day):,} incidents"]
    nameless = int((labels == "").sum())
    if nameless:
        notes.append(f"{nameless:,} incidents name no series: left out")
    known, which = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(known), length))
    np.add.at(counts, (which, day), 1)
    silent = silent_days(counts.sum(axis=0))
    kept_names = known != ""
    names, counts = [str(name) for name in known[kept_names]], counts[kept_names]
    order = sorted(range(len(names)), key=lambda row: _natural(names[row]))
    names, counts = [names[row] for row in order], counts[order]
    for row in counts:
        began = int(np.argmax(row > 0))
        if began > _NEW_AFTER_DAYS:
            row[:began] = np.nan
    if with_total and len(names):
        names, counts = [*names, TOTAL], np.vstack([counts, np.nansum(counts, axis=0)])
    counts[:, silent] = np.nan
    if silent.any():
        notes.append(f"{int(silent.sum())} days without any incident are taken as unknown")
    return names, Panel(first, counts, calendar(first, length + horizon, country=country).columns), notes


def _adding_up(names: list[str], found: Forecasts) -> Said:
    """With a total: moved, as little as their certainty allows, so that the series that have a forecast add up to it."""
    said = found.published
    if not names or names[-1] != TOTAL or not found.methods[-1]:
        return said
    # What has too little history for a forecast is not in the sum: the total is that of the series forecast and the rest.
    spoken = [row for row in range(len(names) - 1) if found.methods[row]]
    if len(spoken) != len(names) - 1 or not spoken:
        return said
    rows = [*spoken, len(names) - 1]
    expected = said.expected[rows]
    variance = np.maximum(expected * said.dispersion[rows][:, None], 1e-9)
    together = said.expected.copy()
    together[rows] = reconcile(expected, variance, {len(rows) - 1: list(range(len(rows) - 1))})
    return Said(together, said.dispersion)


def _rows(names: list[str], said: Said, found: Forecasts, as_of: date) -> list[tuple[str, str, float, int, int, int, int]]:
    (lo80, hi80), (lo95, hi95) = said.interval(0.8), said.interval(0.95)
    return [
        (
            name,
            (as_of + timedelta(days=ahead)).isoformat(),
            round(float(said.expected[row, ahead]), 4),
            int(lo80[row, ahead]),
            int(hi80[row, ahead]),
            int(lo95[row, ahead]),
            int(hi95[row, ahead]),
        )
        for row, name in enumerate(names)
        if found.methods[row]
        for ahead in range(said.expected.shape[1])
    ]


def _told(found: Forecasts) -> str:
    choice = found.choice
    figures = choice.figures.get(choice.champion)
    if figures is None:
        return f"model: {choice.published}; too little history to backtest ({choice.origins} weeks): the plain baseline stands in"
    crps, error = figures.crps_ratio.value, figures.wape_ratio.value
    beside = f"CRPS {crps:.3f} and error {error:.3f} of {choice.best_baseline}'s in {figures.origins} weeks"
    if choice.published in {method.name for method in BASELINES}:
        return f"model: {choice.published} stands in; {choice.champion} does not beat it ({beside})"
    return f"model: {choice.published} ({beside})"


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """District 10 comes after district 9."""
    return tuple(
        (0, int(part), "") if part.isdigit() and part.isascii() else (1, 0, part) for part in re.findall(r"[0-9]{1,12}|[^0-9]+", name)
    )
