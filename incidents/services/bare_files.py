"""Incident files as anybody may have them, read without a database: for the commands that predict from and score on a bare file."""

from __future__ import annotations

import csv
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from core.errors import Invalid

# What well-known open-data portals call the same things.
_NAMES = {
    "occurred_at": ("occurred_at", "occ_date", "date_single", "date", "datetime", "occurred", "timestamp"),
    "lon": ("lon", "longitude", "lng", "x_wgs84"),
    "lat": ("lat", "latitude", "y_wgs84"),
    "category": ("category", "primary_type", "type", "offense"),
}


@dataclass(frozen=True)
class BareIncidents:
    """Located incidents in the order of their time, as columns; times are those of the file's own clock.

    Attributes
    ----------
    at : ndarray of datetime64[s], shape (n,)
    lon, lat : ndarray of float64, shape (n,)
        WGS 84.
    category : ndarray of str, shape (n,)
    by : ndarray of str, shape (n,) or None
        The column asked for as ``by``.
    read, unusable : int
        Rows read, and rows left out for want of a time or a place.
    """

    at: NDArray[np.datetime64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    category: NDArray[np.object_]
    by: NDArray[np.object_] | None
    read: int
    unusable: int

    def __len__(self) -> int:
        return len(self.at)


def read_bare(
    path: str | Path, *, before: str | None = None, category: str | None = None, by: str | None = None, located: bool = True
) -> BareIncidents:
    """Read a CSV file (plain or compressed) with columns ``occurred_at, lon, lat, category``; others are passed over.

    Parameters
    ----------
    before : str, optional
        A day; nothing that occurred at or after its start is kept.
    category : str, optional
        Only this one; ``None`` or ``all``: all.
    by : str, optional
        One more column to keep, such as ``district``.
    located : bool
        Leave out rows without usable coordinates.

    Raises
    ------
    Invalid
        For a file that cannot be read, lacks a column, has no usable row, or does not know the category.
    """
    try:
        head = pd.read_csv(path, nrows=0)
    except (OSError, ValueError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise Invalid(_("This file cannot be read: %(why)s") % {"why": error}) from error
    at, lon, lat, kind = (_column(head, name, needed=name == "occurred_at" or (located and name != "category")) for name in _NAMES)
    if by is not None and by not in head.columns:
        raise Invalid(_("The file has no column %(name)s.") % {"name": by})
    if category not in (None, "all") and kind is None:
        raise Invalid(_("The file has no column %(name)s.") % {"name": "category"})
    columns = [name for name in dict.fromkeys((at, lon, lat, kind, by)) if name is not None]
    try:
        table = pd.read_csv(path, usecols=columns, dtype={name: "str" for name in (at, kind, by) if name}, low_memory=False)
    except (OSError, ValueError, EOFError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise Invalid(_("This file cannot be read: %(why)s") % {"why": error}) from error
    read = len(table)
    times = pd.to_datetime(table[at], errors="coerce", format="ISO8601", utc=False) if read else pd.Series([], dtype="datetime64[ns]")
    if not pd.api.types.is_datetime64_any_dtype(times):
        times = pd.to_datetime(table[at], errors="coerce", format="mixed", utc=True)
    if getattr(times.dt, "tz", None) is not None:
        times = times.dt.tz_localize(None)
    usable = times.notna().to_numpy()
    x, y = (_numbers(table, name) for name in (lon, lat))
    if located:
        usable &= np.isfinite(x) & np.isfinite(y) & (np.abs(x) <= 180) & (np.abs(y) < 89) & ~((x == 0) & (y == 0))
    unusable = int((~usable).sum())
    categories = table[kind].fillna("").to_numpy(dtype=object) if kind else np.full(read, "", dtype=object)
    keep = usable.copy()
    if category not in (None, "all"):
        keep &= categories == category
        if read and not keep.any():
            raise Invalid(_("The file has no incident of the category %(name)s.") % {"name": category})
    if before is not None:
        keep &= (times < pd.Timestamp(before)).to_numpy()
    chosen = np.flatnonzero(keep)
    when = times.to_numpy().astype("datetime64[s]")
    chosen = chosen[np.argsort(when[chosen], kind="stable")]
    others = table[by].fillna("").to_numpy(dtype=object)[chosen] if by else None
    return BareIncidents(when[chosen], x[chosen], y[chosen], categories[chosen], others, read, unusable)


def write_rows(out: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file whole or not at all; ``-`` is standard output. Raises ``Invalid`` where it cannot be written."""
    if out == "-":
        csv.writer(sys.stdout, lineterminator="\n").writerows([header, *rows])
        return
    target = Path(out)
    try:
        handle, name = tempfile.mkstemp(dir=target.parent or ".", prefix=f".{target.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "w", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows([header, *rows])
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(name, 0o666 & ~mask)
            os.replace(name, target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Invalid(_("This file cannot be written: %(why)s") % {"why": error}) from error


def _column(head: pd.DataFrame, name: str, *, needed: bool) -> str | None:
    known = {str(column).strip().lower(): str(column) for column in head.columns}
    for word in _NAMES[name]:
        if word in known:
            return known[word]
    if needed:
        raise Invalid(_("The file has no column %(name)s.") % {"name": name})
    return None


def _numbers(table: pd.DataFrame, name: str | None) -> NDArray[np.float64]:
    if name is None:
        return np.full(len(table), np.nan)
    return pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64)
