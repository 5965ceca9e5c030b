"""The forecast page's figures as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from dashboard.forecasts import Series

COLUMNS = (
    "region",
    "zone",
    "name_en",
    "name_ar",
    "level",
    "category",
    "day",
    "expected",
    "low_80",
    "high_80",
    "low_95",
    "high_95",
    "model",
    "baseline",
    "baseline_expected",
    "as_of",
    "is_synthetic",
)


def as_csv(series: Iterable[Series], category: str) -> str:
    """A row a series and day. An interval that is not of 80 % stands under its own name: no column says what it is not."""
    listed = list(series)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([_of_share(name, listed) for name in COLUMNS])
    for item in listed:
        zone = item.zone
        for day in item.forecast:
            writer.writerow(
                [
                    zone.region.code,
                    plain(zone.code),
                    plain(zone.name_en),
                    plain(zone.name_ar),
                    zone.level,
                    plain(category),
                    day.day.isoformat(),
                    f"{day.expected:.3f}",
                    f"{day.low:.0f}",
                    f"{day.high:.0f}",
                    "" if day.low_95 is None else f"{day.low_95:.0f}",
                    "" if day.high_95 is None else f"{day.high_95:.0f}",
                    item.method,
                    item.baseline,
                    "" if day.baseline is None else f"{day.baseline:.3f}",
                    item.run.as_of.isoformat(),
                    "yes" if item.is_synthetic else "no",
                ]
            )
    return text.getvalue()


def _of_share(name: str, series: list[Series]) -> str:
    share = series[0].interval_percent if series else 80
    return name.replace("_80", f"_{share}")


def plain(value: str) -> str:
    """A spreadsheet runs what begins like a formula."""
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
