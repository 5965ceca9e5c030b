"""Times as sources write them (ING-5). No database."""

# ruff: noqa: DTZ001  (times without a zone are the subject)

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.normalise import Unreadable
from incidents.normalise.times import AMBIGUOUS, PLAIN, SKIPPED, Clock, read_time

KUWAIT = Clock(ZoneInfo("Asia/Kuwait"))
CHICAGO = Clock(ZoneInfo("America/Chicago"))


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-01-05 10:00", "2026-01-05T07:00"),
        ("2026-01-05T10:00:00Z", "2026-01-05T10:00"),
        ("2026-01-05T10:00:00+03:00", "2026-01-05T07:00"),
        ("2026-01-05T10:00:00.123-06:00", "2026-01-05T16:00:00.123"),
        ("2026-01-05", "2026-01-04T21:00"),
        ("05/01/2026", "2026-01-04T21:00"),
        ("05/01/2026 10:00", "2026-01-05T07:00"),
        ("5-1-2026 10:00:30", "2026-01-05T07:00:30"),
        ("05.01.2026 10:00", "2026-01-05T07:00"),
        ("05/01/2026 10:00 PM", "2026-01-05T19:00"),
        ("05/01/2026 12:15 am", "2026-01-04T21:15"),
        ("٠٥/٠١/٢٠٢٦ ١٠:٠٠", "2026-01-05T07:00"),
        ("٢٠٢٦-٠١-٠٥ ١٠:٠٠", "2026-01-05T07:00"),
        ("05/01/2026 10:00 م", "2026-01-05T19:00"),
        ("05/01/2026 10:00 صباحا", "2026-01-05T07:00"),
        ("2026/1/5 7:03", "2026-01-05T04:03"),
        ("5 يناير 2026 10:00", "2026-01-05T07:00"),
        ("5 Jan 2026", "2026-01-04T21:00"),
        ("20260105", "2026-01-04T21:00"),
        ("20260105100000", "2026-01-05T07:00"),
        ("1767596400", "2026-01-05T07:00"),
        ("1767596400000", "2026-01-05T07:00"),
        (1767596400, "2026-01-05T07:00"),
        (1767596400.5, "2026-01-05T07:00:00.500"),
        (date(2026, 1, 5), "2026-01-04T21:00"),
        (datetime(2026, 1, 5, 10), "2026-01-05T07:00"),
        (datetime(2026, 1, 5, 10, tzinfo=timezone(timedelta(hours=1))), "2026-01-05T09:00"),
    ],
)
def test_is_read_as(written, utc):
    assert read_time(written, KUWAIT) == (datetime.fromisoformat(utc).replace(tzinfo=UTC), PLAIN)


@pytest.mark.parametrize(
    "written",
    ["", "soon", "2026", "31/31/2026", "01/31/2026", "2026-02-30", "25:00", "10:00", "45321.5", 45321.5, 12, True, None, [], {}, "nan",
     float("nan"), float("inf"), 1e30, "0001-01-01", "9999-12-31 23:59", "9999-12-31T23:59:00-10:00", "05/01/2026 13:00 pm", "x" * 10_000],
)  # fmt: skip
def test_is_refused(written):
    with pytest.raises(Unreadable):
        read_time(written, KUWAIT)


@pytest.mark.parametrize(
    ("local", "utc", "doubt"),
    [
        ("2026-03-08 01:59", "2026-03-08T07:59", PLAIN),
        ("2026-03-08 02:30", "2026-03-08T08:30", SKIPPED),
        ("2026-03-08 03:00", "2026-03-08T08:00", PLAIN),
        ("2026-11-01 00:59", "2026-11-01T05:59", PLAIN),
        ("2026-11-01 01:30", "2026-11-01T06:30", AMBIGUOUS),
        ("2026-11-01 02:00", "2026-11-01T08:00", PLAIN),
        ("2026-11-01T01:30:00-06:00", "2026-11-01T07:30", PLAIN),
    ],
)
def test_both_sides_of_a_clock_change(local, utc, doubt):
    assert read_time(local, CHICAGO) == (datetime.fromisoformat(utc).replace(tzinfo=UTC), doubt)


@given(st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2090, 1, 1)))
def test_the_remembered_days_agree_with_the_zone(local):
    utc, doubt = CHICAGO.utc(local)
    expected = local.replace(tzinfo=CHICAGO.zone, fold=0)
    assert utc == expected.astimezone(UTC)
    back = utc.astimezone(CHICAGO.zone).replace(tzinfo=None)
    assert (back == local) == (doubt != SKIPPED)


@given(st.text(max_size=80) | st.floats() | st.integers() | st.none())
def test_anything_is_read_or_refused(value):
    try:
        moment, _doubt = read_time(value, KUWAIT)
    except Unreadable:
        return
    assert moment.tzinfo is UTC


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2090, 1, 1)))
def test_the_ways_to_write_one_time_agree(local):
    local = local.replace(second=0, microsecond=0)
    arabic = f"{local:%d/%m/%Y %H:%M}".translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    expected = read_time(local.isoformat(), KUWAIT)
    assert read_time(f"{local:%d/%m/%Y %H:%M}", KUWAIT) == read_time(arabic, KUWAIT) == expected
    assert read_time(f"{local:%d-%m-%Y %I:%M %p}", KUWAIT) == expected
