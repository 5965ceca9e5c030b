"""PAT-7: positions are kept in batches, once, whatever order they come in; one last place a unit; days are made and dropped."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection

from patrol.models import Position, UnitPosition
from patrol.services.positions import Reading, drop_old_days, keep_days_ready, record_positions, track
from patrol.services.positions.partitions import days_there, strays

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def reading(unit, seconds=0.0, *, metres=0.0, **more):
    details = {"lon": 47.92 + metres / 96_900, "lat": 29.35, "accuracy_m": 6.0, **more}
    return Reading(unit.pk, NOW + timedelta(seconds=seconds), **details)


def record(*readings, now=NOW):
    return record_positions(readings, now=now)


def outcomes(recorded):
    return [(taken.outcome, str(taken.refused or ""), taken.doubt) for taken in recorded.results]


def test_a_position_is_kept_and_becomes_the_last(force):
    assert outcomes(record(reading(force.p1, speed_kmh=40, heading_deg=90))) == [("accepted", "", "")]
    last = UnitPosition.objects.get(unit=force.p1)
    assert (last.at, last.speed_kmh, last.heading_deg) == (NOW, 40, 90)
    assert last.location.x == pytest.approx(47.92)
    assert Position.objects.filter(unit=force.p1).count() == 1


def test_the_same_position_again_changes_nothing(force):
    first = record(reading(force.p1), reading(force.p1))
    assert [taken.outcome for taken in first.results] == ["accepted", "duplicate"]
    assert record(reading(force.p1)).counts == {"accepted": 0, "duplicate": 1, "refused": 0}
    assert Position.objects.count() == 1


def test_each_refusal_is_named_and_the_others_go_in(force):
    nan = float("nan")
    recorded = record(
        reading(force.p1, 300),
        reading(force.p1, -4 * 86_400),
        reading(force.p1, lon=0.0, lat=0.0),
        reading(force.p1, lat=91.0),
        reading(force.p1, lon=nan),
        reading(force.p1, speed_kmh=math.inf),
        Reading(9_999_999, NOW, 47.9, 29.3),
        reading(force.p1),
    )
    assert [str(taken.refused or taken.outcome) for taken in recorded.results] == [
        "in_the_future", "too_old", "outside_the_world", "outside_the_world", "not_a_number", "not_a_number", "unknown_tracker", "accepted",
    ]  # fmt: skip


def test_a_unit_out_of_use_reports_no_more(force):
    force.p1.is_active = False
    force.p1.save(update_fields=["is_active"])
    assert outcomes(record(reading(force.p1)))[0][:2] == ("refused", "unknown_tracker")


def test_out_of_order_in_one_batch_is_put_in_order(force):
    recorded = record(*(reading(force.p1, seconds, metres=seconds * 10) for seconds in (-5, -15, -10)))
    assert {taken.doubt for taken in recorded.results} == {""}
    assert UnitPosition.objects.get(unit=force.p1).at == NOW - timedelta(seconds=5)


def test_what_comes_later_than_a_newer_one_is_kept_and_moves_nothing_back(force):
    record(reading(force.p1, 0, metres=500))
    assert outcomes(record(reading(force.p1, -30, metres=100))) == [("accepted", "", "late")]
    last = UnitPosition.objects.get(unit=force.p1)
    assert last.at == NOW and last.location.x == pytest.approx(47.92 + 500 / 96_900)
    found = track(force.p1.pk, NOW - timedelta(minutes=5), NOW + timedelta(minutes=5))
    assert found.doubt.tolist() == ["late", ""] and found.is_believed.all()


def test_a_late_one_that_is_also_impossible_is_a_jump(force):
    record(reading(force.p1, -60), reading(force.p1, 0))
    assert outcomes(record(reading(force.p1, -30, metres=300_000)))[0][2] == "jump"


def test_three_hundred_kilometres_move_nothing(force):
    record(reading(force.p1, -5))
    assert outcomes(record(reading(force.p1, 0, metres=300_000))) == [("accepted", "", "jump")]
    assert UnitPosition.objects.get(unit=force.p1).location.x == pytest.approx(47.92)
    assert track(force.p1.pk, NOW - timedelta(hours=1), NOW + timedelta(hours=1)).is_believed.tolist() == [True, False]


def test_two_trackers_swapped_between_cars_are_believed_once_they_agree(force):
    record(reading(force.p1, -60), reading(force.p2, -60, metres=20_000))
    doubts = []
    for seconds in range(-50, -10, 5):  # one at a time, as they come
        swapped = record(reading(force.p1, seconds, metres=20_000 + seconds), reading(force.p2, seconds, metres=seconds))
        doubts.append([taken.doubt for taken in swapped.results])
    assert doubts[:3] == [["jump", "jump"]] * 3 and "jump" not in doubts[3] + doubts[-1]
    assert UnitPosition.objects.get(unit=force.p1).location.x > 48.1
    assert UnitPosition.objects.get(unit=force.p2).location.x < 47.93


def test_a_standing_unit_stays_where_it_is_and_fresh(force):
    record(reading(force.p1, -20, heading_deg=45, speed_kmh=30))
    assert outcomes(record(reading(force.p1, 0, metres=6, speed_kmh=0.5, heading_deg=270)))[0][2] == "jitter"
    last = UnitPosition.objects.get(unit=force.p1)
    assert (last.at, last.heading_deg) == (NOW, 45)
    assert last.location.x == pytest.approx(47.92)


def test_what_a_receiver_does_not_know_is_not_made_up(force):
    record(reading(force.p1, accuracy_m=0, speed_kmh=-1, heading_deg=900))
    kept = Position.objects.get(unit=force.p1)
    assert (kept.accuracy_m, kept.speed_kmh, kept.heading_deg) == (None, None, None)


def test_a_day_nobody_made_loses_nothing_and_comes_home(force):
    before = days_there()
    record(reading(force.p1))
    assert strays() == 1
    made = keep_days_ready(now=NOW)
    assert date(2026, 3, 2) in made and not set(made) & before
    assert strays() == 0 and Position.objects.filter(unit=force.p1).count() == 1
    assert keep_days_ready(now=NOW) == []


def test_old_days_are_dropped_whole(force, settings):
    settings.POSITION_KEEP_DAYS = 30
    keep_days_ready(now=NOW)
    record(reading(force.p1))
    assert drop_old_days(now=NOW + timedelta(days=20)) == []
    assert date(2026, 3, 2) in drop_old_days(now=NOW + timedelta(days=40))
    assert Position.objects.filter(unit=force.p1).count() == 0


def test_a_batch_is_few_statements_however_large(force, django_assert_max_num_queries):
    with django_assert_max_num_queries(7):
        record(*(reading(unit, -second) for second in range(500) for unit in (force.p1, force.p2)))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM patrol_position")
        assert cursor.fetchone() == (1_000,)


def test_a_track_is_thinned_with_its_ends_kept(force):
    record(*(reading(force.p1, -second, metres=-second * 20) for second in range(100)))
    found = track(force.p1.pk, NOW - timedelta(hours=1), NOW + timedelta(seconds=1))
    assert len(found) == 100 and len(found.thinned(10)) == 10
    assert found.thinned(10).at_s[[0, -1]].tolist() == found.at_s[[0, -1]].tolist()
    assert len(track(force.p2.pk, NOW - timedelta(hours=1), NOW)) == 0
