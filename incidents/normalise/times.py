"""Times as sources write them, as UTC instants.

A time without an offset is read on the source's clock. Where clocks go back, the first of the two instants is taken; where
they go forward, a time in the gap is read with the offset before it (as PostgreSQL does), so no row is lost to a clock.
Both are told apart by ``Clock.utc`` so that the caller can count them.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from core.text import western_digits
from incidents.normalise.problems import Unreadable

PLAIN, AMBIGUOUS, SKIPPED = "", "ambiguous_time", "skipped_time"
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MIDDAY = {"am": 0, "pm": 12, "ص": 0, "م": 12, "صباحا": 0, "مساء": 12}
_CLOCK = r"(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*(am|pm|a\.m\.|p\.m\.|صباحا|مساء|ص|م)?)?"
_DAY_FIRST = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4})" + _CLOCK, re.IGNORECASE)
_YEAR_FIRST = re.compile(r"(\d{4})([/.\-])(\d{1,2})\2(\d{1,2})" + _CLOCK, re.IGNORECASE)
_NAMED = re.compile(r"(\d{1,2})[ \-]+([^\W\d]+)[ \-,]+(\d{4})" + _CLOCK, re.IGNORECASE)
_MONTHS = {
    word: number
    for number, words in enumerate(
        (
            "jan january يناير",
            "feb february فبراير",
            "mar march مارس",
            "apr april ابريل أبريل",
            "may مايو",
            "jun june يونيو",
            "jul july يوليو",
            "aug august اغسطس أغسطس",
            "sep sept september سبتمبر",
            "oct october اكتوبر أكتوبر",
            "nov november نوفمبر",
            "dec december ديسمبر",
        ),
        start=1,
    )
    for word in words.split()
}


class Clock:
    """One civil clock. Days on which it does not change are remembered, so that most times cost one look-up."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._offsets: dict[int, timedelta | None] = {}

    def utc(self, local: datetime) -> tuple[datetime, str]:
        """The instant a time without offset names, and how sure that is: ``PLAIN``, ``AMBIGUOUS`` or ``SKIPPED``."""
        day = local.toordinal()
        try:
            offset = self._offsets[day]
        except KeyError:
            offset = self._offsets[day] = self._whole_day(local)
        if offset is not None:
            return (local - offset).replace(tzinfo=UTC), PLAIN
        first, second = (local.replace(tzinfo=self.zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
        kind = PLAIN if first == second else AMBIGUOUS if first > second else SKIPPED
        return (local - first).replace(tzinfo=UTC), kind

    def _whole_day(self, local: datetime) -> timedelta | None:
        """The offset that holds from the evening before to the morning after, if one does."""
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        if midnight.year < 2 or midnight.year > 9998:
            raise Unreadable("unreadable_time")
        offsets = {
            (midnight + timedelta(hours=hours)).replace(tzinfo=self.zone, fold=fold).utcoffset()
            for hours in (-3, 0, 6, 12, 18, 24, 27)
            for fold in (0, 1)
        }
        return offsets.pop() if len(offsets) == 1 else None


def read_time(value: Any, clock: Clock) -> tuple[datetime, str]:
    """``value`` as a UTC instant, with what ``Clock.utc`` says of it. Raises ``Unreadable``.

    Read are ISO 8601 (with or without offset, a date alone is its midnight), ``dd/mm/yyyy`` as Kuwait writes it with an optional
    time (24 hours, am/pm, ص/م), ``yyyy/mm/dd``, ``31 Jan 2024``, seconds or milliseconds since 1970, in either kind of digits.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = _written(value)
        else:
            if value.isdigit():
                # fromisoformat reads digits in ways nobody means (an epoch of 10 digits is none of them, but 8 may be a date).
                moment = _written(value)
    elif isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day)  # noqa: DTZ001  (the source's clock is asked below)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        moment = _since_1970(value)
    else:
        raise Unreadable("unreadable_time")
    if moment.tzinfo is not None:
        try:
            return moment.astimezone(UTC), PLAIN
        except OverflowError as error:
            raise Unreadable("unreadable_time") from error
    return clock.utc(moment)


def _since_1970(seconds: float) -> datetime:
    size = abs(seconds)
    if not size < 1e17:  # also NaN
        raise Unreadable("unreadable_time")
    if size >= 1e14:
        seconds /= 1e6
    elif size >= 1e11:
        seconds /= 1e3
    elif size < 1e8:
        # Too small for an instant of this age: a serial number, a year, a time of day.
        raise Unreadable("unreadable_time")
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError as error:
        raise Unreadable("unreadable_time") from error


def _written(text: str) -> datetime:
    text = western_digits(text).strip().strip("\u200e\u200f\u202a\u202b\u202c")
    if len(text) > 64:
        raise Unreadable("unreadable_time")
    if text.replace(".", "", 1).isdigit() and text.isascii():
        whole = text.partition(".")[0]
        if whole == text and len(text) in (8, 12, 14):
            shape = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}[len(text)]
            try:
                return datetime.strptime(text, shape)  # noqa: DTZ007  (the source's clock is asked later)
            except ValueError as error:
                raise Unreadable("unreadable_time") from error
        if len(whole) < 9:
            raise Unreadable("unreadable_time")
        return _since_1970(float(text))
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    if match := _DAY_FIRST.fullmatch(text):
        day, _separator, month, year, *clock = match.groups()
    elif match := _YEAR_FIRST.fullmatch(text):
        year, _separator, month, day, *clock = match.groups()
    elif match := _NAMED.fullmatch(text):
        day, name, year, *clock = match.groups()
        month = str(_MONTHS.get(name.lower(), 0))
    else:
        raise Unreadable("unreadable_time")
    hour, minute, second, half = clock
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:
            raise Unreadable("unreadable_time")
        hours = hours % 12 + _MIDDAY[half.lower().replace(".", "")]
    try:
        return datetime(int(year), int(month), int(day), hours, int(minute or 0), int(second or 0))  # noqa: DTZ001
    except ValueError as error:
        hint = "31/12/2024" if int(month) > 12 else ""
        raise Unreadable("unreadable_time", hint) from error
