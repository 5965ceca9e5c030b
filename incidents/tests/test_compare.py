"""ANA-10: CompStat. Whole days, what may be compared, what is said of chance, who sees what."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from conftest import Cast, Places
from core.errors import Invalid, NotFound
from incidents.models import Incident, IncidentType, Source
from incidents.services.compare import Span, compare, coverage, last_whole_day, periods, scope_of
from incidents.tests.compare_support import each, put

END = date(2026, 3, 31)


def of(rows: list[Any], code: str) -> Any:
    return next(row for row in rows if row.code == code)


def seen(viewer: Any, until: date = END, **asked: Any) -> Any:
    return compare(viewer=viewer, scope=scope_of(viewer=viewer, **asked), until=until)


# --- days, pure -------------------------------------------------------------------------------------------------------
def test_periods_end_with_the_last_day_and_the_one_before_touches():
    seven, month, year = periods(date(2026, 3, 10))
    assert seven.now == Span(date(2026, 3, 4), date(2026, 3, 10))
    assert seven.before == Span(date(2026, 2, 25), date(2026, 3, 3))
    assert seven.last_year == Span(date(2025, 3, 4), date(2025, 3, 10))
    assert month.now.days == month.before.days == month.last_year.days == 28
    assert year.now == Span(date(2026, 1, 1), date(2026, 3, 10))
    assert year.before.last == date(2025, 12, 31)
    assert year.before.days == year.now.days


def test_the_29th_of_february_meets_the_28th():
    year = periods(date(2024, 2, 29))[2]
    assert year.last_year == Span(date(2023, 1, 1), date(2023, 2, 28))
    assert (year.now.days, year.last_year.days) == (60, 59)
    assert periods(date(2025, 2, 28))[0].last_year == Span(date(2024, 2, 22), date(2024, 2, 28))


def test_a_silent_stretch_in_a_busy_feed_is_missing_data_and_in_a_quiet_one_is_quiet():
    whole = Span(date(2025, 1, 1), date(2025, 12, 31))
    gap = Span(date(2025, 6, 1), date(2025, 6, 20))
    busy = {day: 5 for day in each(whole.first, whole.last) if not gap.first <= day <= gap.last}
    assert coverage(busy, whole).silent == (gap,)
    quiet = dict.fromkeys(each(whole.first, whole.last)[::30], 1)
    assert coverage(quiet, whole).silent == ()


# --- counts -----------------------------------------------------------------------------------------------------------
def test_it_counts_each_stretch_and_says_what_is_beyond_chance(
    cast: Cast, police_112: Source, burglary: IncidentType, places: Places
) -> None:
    put(
        police_112,
        burglary,
        each(END - timedelta(days=800), END),
        location=places.in_salmiya,
        governorate=places.hawalli,
        area=places.salmiya,
    )
    put(police_112, burglary, each(END - timedelta(days=27), END, 3), location=places.in_salmiya, governorate=places.hawalli)
    month = seen(cast.supervisor).total.figures["28d"]
    assert (month.now, month.before, month.last_year) == (112, 28, 28)
    change = month.against_before
    assert (change.difference, change.percent, change.verdict) == (84, 300.0, "more")
    assert change.low > 1
    week = seen(cast.supervisor, END - timedelta(days=60)).total.figures["7d"]
    assert week.against_before.verdict == "chance"


def test_every_table_adds_up_to_the_whole(cast: Cast, police_112: Source, burglary: IncidentType, places: Places) -> None:
    put(police_112, burglary, each(END - timedelta(days=30), END), governorate=places.hawalli, severity=4)
    put(police_112, burglary, each(END - timedelta(days=30), END))
    found = seen(cast.supervisor)
    for by in ("category", "type", "governorate", "area", "severity", "agency"):
        assert sum(row.figures["28d"].now for row in found.tables[by]) == found.total.figures["28d"].now == 56
    assert of(found.tables["governorate"], "").figures["28d"].now == 28
    assert of(found.tables["severity"], "4").weeks[-1] == 7


def test_what_officers_discovered_and_enforcement_are_counted_and_shown_apart(
    cast: Cast, police_112: Source, burglary: IncidentType
) -> None:
    drugs = IncidentType.objects.create(code="drugs-x", name_en="Drugs", category="drugs", enforcement_sensitive=True)
    put(police_112, burglary, each(END - timedelta(days=6), END), origin="reported")
    put(police_112, drugs, each(END - timedelta(days=6), END), origin="discovered")
    put(police_112, burglary, each(END - timedelta(days=6), END))
    Incident.objects.filter(type=burglary, origin="unknown").update(state="unfounded")
    found = seen(cast.supervisor)
    assert found.total.figures["7d"].now == 14
    apart = {row.code: row.figures["7d"].now for row in found.tables["apart"]}
    assert apart == {"reported": 7, "discovered": 7, "enforcement": 7, "withdrawn": 7}
    assert of(found.tables["type"], "drugs-x").follows_officers


def test_a_base_of_nothing_has_no_percentage_and_few_incidents_no_verdict(cast: Cast, police_112: Source, burglary: IncidentType) -> None:
    put(police_112, burglary, each(END - timedelta(days=60), END - timedelta(days=30))[::5])
    put(police_112, burglary, each(END - timedelta(days=2), END))
    week = seen(cast.supervisor).total.figures["7d"].against_before
    assert week.percent is None
    assert week.verdict == "few"


# --- what is missing --------------------------------------------------------------------------------------------------
def test_before_the_data_begin_there_is_nothing_to_compare_with(cast: Cast, police_112: Source, burglary: IncidentType) -> None:
    put(police_112, burglary, each(date(2026, 1, 1), END, 2))
    found = seen(cast.supervisor)
    facts = found.facts("28d")
    assert facts.is_comparable == {"before": True, "last_year": False}
    assert facts.missing["last_year"] == (facts.period.last_year,)
    assert found.total.figures["28d"].against_last_year is None


def test_a_gap_is_no_fall(cast: Cast, police_112: Source, burglary: IncidentType) -> None:
    put(police_112, burglary, each(date(2024, 1, 1), date(2026, 3, 3), 2))
    put(police_112, burglary, each(date(2026, 3, 31), END, 2))
    found = seen(cast.supervisor)
    assert found.total.figures["28d"].against_before is None
    assert found.facts("28d").missing["now"] == (Span(date(2026, 3, 4), date(2026, 3, 30)),)
    assert found.facts("ytd").is_comparable["last_year"] is False


def test_a_short_gap_is_compared_by_the_days_that_have_data(cast: Cast, police_112: Source, burglary: IncidentType) -> None:
    put(police_112, burglary, each(date(2024, 1, 1), date(2026, 1, 31), 5))
    put(police_112, burglary, each(date(2026, 2, 5), END, 5))
    year = seen(cast.supervisor).total.figures["ytd"].against_last_year
    assert year.difference == -20
    assert year.percent == pytest.approx(0)
    assert year.verdict == "chance"


def test_no_incidents_at_all(cast: Cast) -> None:
    found = seen(cast.supervisor)
    assert found.total.figures["7d"].now == 0
    assert found.total.figures["7d"].against_before is None
    assert found.tables["category"] == []
    assert found.newest is None


def test_a_category_never_seen_is_empty_not_an_error(cast: Cast, police_112: Source, burglary: IncidentType) -> None:
    put(police_112, burglary, each(END - timedelta(days=60), END))
    assert seen(cast.supervisor, category="never-seen").total.figures["28d"].now == 0


def test_today_is_not_in_it(cast: Cast, police_112: Source, burglary: IncidentType, places: Places) -> None:
    today = last_whole_day(places.region) + timedelta(days=1)
    put(police_112, burglary, [today, today - timedelta(days=1)], hour=0)
    assert compare(viewer=cast.supervisor, scope=scope_of(viewer=cast.supervisor)).total.figures["7d"].now == 1


@pytest.mark.parametrize("until", [date(9999, 12, 31), date(1, 1, 1)])
def test_days_that_cannot_be_are_refused(cast: Cast, until: date) -> None:
    with pytest.raises(Invalid):
        seen(cast.supervisor, until)


def test_a_day_of_23_hours_is_a_day(cast: Cast, police_112: Source, burglary: IncidentType, places: Places) -> None:
    places.region.time_zone = "America/Chicago"
    places.region.save(update_fields=["time_zone"])
    police_112.refresh_from_db()
    put(police_112, burglary, each(date(2026, 3, 1), date(2026, 3, 14)), hour=23)  # clocks went forward on the 8th
    found = seen(cast.supervisor, date(2026, 3, 14))
    assert (found.total.figures["7d"].now, found.total.figures["7d"].before) == (7, 7)
    assert sum(n for (_weekday, hour), n in found.clock["28d"].items() if hour == 23) == 14


def test_ramadan_that_moved_is_said(cast: Cast, places: Places) -> None:
    places.region.time_zone = "Asia/Kuwait"
    places.region.save(update_fields=["time_zone"])
    notes = seen(cast.supervisor, date(2026, 3, 17)).facts("28d").notes  # Ramadan 2026: 18 February to 19 March; 2025: from 1 March
    ramadan = {note.against: (note.days_now, note.days_then) for note in notes if note.code == "ramadan"}
    assert ramadan["before"][0] >= 27 and ramadan["before"][1] <= 1
    assert 15 <= ramadan["last_year"][1] <= 18
    assert not any(note.code == "ramadan" for note in seen(cast.supervisor, date(2026, 8, 1)).facts("7d").notes)


# --- late reports -----------------------------------------------------------------------------------------------------
def test_late_reports_are_foretold_from_the_past(cast: Cast, police_112: Source, burglary: IncidentType) -> None:
    old = each(END - timedelta(days=120), END - timedelta(days=40), 2)
    put(police_112, burglary, old)
    late = list(Incident.objects.all()[: len(old) // 10])
    for incident in late:
        incident.reported_at = incident.occurred_at + timedelta(days=2)
    Incident.objects.bulk_update(late, ["reported_at"])
    found = seen(cast.supervisor).late
    assert found.shares == pytest.approx((0.1, 0.1, 0.0), abs=0.005)
    assert found.percent == pytest.approx(20 / 3, abs=0.3)


def test_a_source_without_times_of_report_says_nothing_of_late_ones(cast: Cast, police_112: Source, burglary: IncidentType) -> None:
    put(police_112, burglary, each(END - timedelta(days=120), END, 2))
    Incident.objects.update(reported_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert seen(cast.supervisor).late.percent is None


# --- who --------------------------------------------------------------------------------------------------------------
def test_everybody_counts_their_own(cast: Cast, police_112: Source, burglary: IncidentType, places: Places) -> None:
    put(police_112, burglary, each(END - timedelta(days=6), END), governorate=places.hawalli)
    put(police_112, burglary, each(END - timedelta(days=6), END, 2), governorate=places.capital)
    counts = {name: seen(getattr(cast, name)).total.figures["7d"].now for name in ("superadmin", "officer", "stranger", "firefighter")}
    assert counts == {"superadmin": 21, "officer": 7, "stranger": 14, "firefighter": 0}


def test_a_foreign_zone_is_not_there(cast: Cast, places: Places) -> None:
    assert scope_of(viewer=cast.officer, zone=places.salmiya.pk).zone == places.salmiya
    for zone in (places.capital.pk, places.sharq.pk, 0, -5, 2**70):
        with pytest.raises(NotFound):
            scope_of(viewer=cast.officer, zone=zone)
    with pytest.raises(NotFound):
        scope_of(viewer=cast.officer, region="atlantis")


def test_it_asks_the_database_a_few_times_however_much_there_is(
    cast: Cast, police_112: Source, burglary: IncidentType, places: Places, django_assert_max_num_queries: Any
) -> None:
    put(police_112, burglary, each(END - timedelta(days=400), END), governorate=places.hawalli, area=places.jabriya)
    scope = scope_of(viewer=cast.superadmin)
    with django_assert_max_num_queries(5):
        compare(viewer=cast.superadmin, scope=scope, until=END)
