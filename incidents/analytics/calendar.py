"""What is known of a day in advance: public holidays, Ramadan and the Eids in Kuwait, the first of a month everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_FloatArray = NDArray[np.float64]

# Which country's calendar a region's clock stands for. Others get the days that are special everywhere.
_CLOCKS = {
    "Asia/Kuwait": "KW",
    **dict.fromkeys(
        (
            "America/New_York",
            "America/Detroit",
            "America/Chicago",
            "America/Denver",
            "America/Boise",
            "America/Phoenix",
            "America/Los_Angeles",
            "America/Anchorage",
            "Pacific/Honolulu",
            "US/Eastern",
            "US/Central",
            "US/Mountain",
            "US/Pacific",
        ),
        "US",
    ),
}
# west, south, east, north: where a file's incidents must lie (in the median) for the country's calendar to be taken. Some land
# beyond the border lies inside; the effect of a holiday is learnt and not assumed, so a wrong calendar teaches nothing much.
_BOXES = {"KW": (46.5, 28.5, 48.6, 30.2), "US": (-124.8, 24.4, -66.9, 49.0)}
COUNTRIES = tuple(_BOXES)
# The days a country's people keep each in their own way; every other public holiday shares one effect.
_APART = {
    "US": {"Thanksgiving Day": "thanksgiving", "Christmas Day": "christmas", "Independence Day": "independence_day"},
    "KW": {"National Day": "national_days", "Liberation Day": "national_days"},
}


@dataclass(frozen=True)
class Calendar:
    """Regressors by name, each of shape (days,), and the days that may move by one (the moon is seen, not computed)."""

    columns: dict[str, _FloatArray]
    uncertain: tuple[tuple[date, str], ...] = ()


def country_of_clock(time_zone: str) -> str | None:
    """
    >>> country_of_clock("Asia/Kuwait"), country_of_clock("America/Chicago"), country_of_clock("Europe/Vienna")
    ('KW', 'US', None)
    """
    return _CLOCKS.get(time_zone)


def country_of_place(lon: float, lat: float) -> str | None:
    """
    >>> country_of_place(47.98, 29.37), country_of_place(-90.2, 38.6), country_of_place(16.4, 48.2), country_of_place(float("nan"), 1)
    ('KW', 'US', None, None)
    """
    return next((name for name, (west, south, east, north) in _BOXES.items() if west <= lon <= east and south <= lat <= north), None)


def calendar(first_day: date, days: int, *, country: str | None) -> Calendar:
    """The regressors of ``days`` days from ``first_day``.

    Everywhere: the first of a month and of a year (where records pile up on default dates). With a country: its public holidays, those
    kept in a way of their own apart from the rest, and the day before a holiday. In Kuwait the Islamic days move through the year:
    Ramadan, Eid al-Fitr (three days), Eid al-Adha with Arafah (four), the others together. Their dates are those published where the
    year is past, and computed (Umm al-Qura) where it is not; in either case the moon may put them a day later, so the first possible
    day of Ramadan counts half, and ``uncertain`` names the days ahead. Friday and Saturday need no regressor: every method knows
    the weekdays.

    Raises
    ------
    ValueError
        For a country without a calendar here.

    Examples
    --------
    >>> from datetime import date
    >>> found = calendar(date(2026, 2, 15), 40, country="KW")
    >>> [name for name in found.columns]
    ['month_first', 'year_first', 'ramadan', 'eid_al_fitr', 'eid_al_adha', 'national_days', 'holiday', 'holiday_eve']
    >>> float(found.columns["ramadan"].sum()), float(found.columns["eid_al_fitr"].sum()), float(found.columns["national_days"].sum())
    (29.5, 3.0, 2.0)
    >>> found.uncertain[0][0].isoformat()
    '2026-02-18'
    """
    dates = [first_day + timedelta(days=k) for k in range(days)]
    columns = {"month_first": _those(dates, {day for day in dates if day.day == 1})}
    columns["year_first"] = _those(dates, {day for day in dates if (day.month, day.day) == (1, 1)})
    if country is None:
        return Calendar(columns)
    if country not in COUNTRIES:
        raise ValueError(f"There is no calendar of {country}; there are {', '.join(COUNTRIES)}.")
    years = tuple(range(first_day.year - 1, dates[-1].year + 2)) if dates else ()
    named = _holidays(country, years)
    groups: dict[str, set[date]] = {}
    moving: list[tuple[date, str]] = []
    if country == "KW":
        groups = {"ramadan": set(), "eid_al_fitr": set(), "eid_al_adha": set()}
        first_of_ramadan = set()
        for day, name in named:
            if name.startswith("Eid al-Fitr") and "Holiday" not in name:
                groups["ramadan"] |= {day - timedelta(days=back) for back in range(1, 30)}
                first_of_ramadan.add(day - timedelta(days=30))
                moving += [(day - timedelta(days=30), "ramadan"), (day, "eid_al_fitr")]
            elif name.startswith("Eid al-Adha") and "Holiday" not in name:
                moving.append((day, "eid_al_adha"))
            if name.startswith("Eid al-Fitr"):
                groups["eid_al_fitr"].add(day)
            elif name.startswith(("Eid al-Adha", "Day of Arafah")):
                groups["eid_al_adha"].add(day)
    for name in dict.fromkeys(_APART[country].values()):
        groups[name] = {day for day, said in named if _APART[country].get(said) == name}
    taken = set().union(*(days for name, days in groups.items() if name != "ramadan"))
    groups["holiday"] = {day for day, name in named if day not in taken and (day.month, day.day) != (1, 1)}
    off = {day for day, _name in named}
    groups["holiday_eve"] = {day - timedelta(days=1) for day in off} - off
    columns |= {name: _those(dates, chosen) for name, chosen in groups.items()}
    if country == "KW":
        columns["ramadan"] = columns["ramadan"] + 0.5 * _those(dates, first_of_ramadan)
    within = sorted((day, name) for day, name in moving if dates and dates[0] <= day <= dates[-1])
    return Calendar(columns, tuple(within))


@lru_cache(maxsize=16)
def _holidays(country: str, years: tuple[int, ...]) -> tuple[tuple[date, str], ...]:
    import holidays  # comes with Prophet

    found = holidays.country_holidays(country, years=years, language="en_US", observed=False)
    named = ((day, part.replace("(estimated)", "").strip()) for day, names in found.items() for part in names.split(";"))
    return tuple(sorted((day, name) for day, name in named if day.year in years))


def _those(dates: list[date], chosen: set[date]) -> _FloatArray:
    return np.array([day in chosen for day in dates], dtype=np.float64)
