"""PAT-7: fences are entered, dwelt in and left once each; arrival sets on scene; silence on duty is said once."""

from __future__ import annotations

import random
from datetime import UTC, datetime, time, timedelta

import pytest
from django.contrib.gis.geos import Point, Polygon
from django.utils import timezone

from core.models import Event
from patrol.models import Assignment, Duty, FenceVisit, Geofence, UnitPosition
from patrol.services.assignments import assign, move_assignment
from patrol.services.fences import announce_silence, arrive, fence_stations, judge_fences
from patrol.services.positions import Reading, record_positions

pytestmark = pytest.mark.django_db
METRE = 1 / 96_900  # degrees of longitude at 29.35 N
HOME = (47.92, 29.35)


@pytest.fixture
def now():
    return timezone.now().replace(microsecond=0)


@pytest.fixture
def fence(force, cast, places):
    return Geofence.objects.create(
        agency=cast.police, governorate=places.hawalli, name="Market", centre=Point(*HOME), radius_m=100, margin_m=25, dwell_s=60
    )


def go(unit, now, metres, *, every_s=5.0, accuracy_m=6.0, look_each=1):
    """The unit is so many metres east of the fence's middle, one position every five seconds, ending now."""
    start = now - timedelta(seconds=every_s * (len(metres) - 1))
    for n, east in enumerate(metres):
        reading = Reading(unit.pk, start + timedelta(seconds=n * every_s), HOME[0] + east * METRE, HOME[1], accuracy_m, 30.0)
        record_positions([reading], now=now)
        if n % look_each == 0:
            judge_fences(now=now)
    judge_fences(now=now)


def told():
    found = Event.objects.filter(type__startswith="fence.").order_by("pk")
    return [(event.type.removeprefix("fence."), event.data) for event in found]


def test_a_visit_is_entered_dwelt_and_left_once_each(force, fence, now):
    go(force.p1, now, [300, 150, 50, *range(40, -40, -5), 150, 300])
    assert [what for what, _data in told()] == ["entered", "dwelt", "left"]
    assert all(data["unit"] == force.p1.pk and data["fence"] == fence.pk for _what, data in told())
    visit = FenceVisit.objects.get()
    assert visit.left_at == now - timedelta(seconds=5)
    assert visit.dwelt_at is not None and visit.entered_at < visit.dwelt_at < visit.last_inside_at < visit.left_at


def test_what_was_judged_is_not_judged_again(force, fence, now):
    go(force.p1, now, [300, 0, 0, 0])
    assert judge_fences(now=now).positions == 0
    UnitPosition.objects.update(fenced_until=None)  # even then: the visit stands open
    judge_fences(now=now)
    assert [what for what, _data in told()] == ["entered"]


def test_one_look_at_many_positions_says_the_same_as_a_look_at_each(force, fence, now):
    way = [300, 50, *[0] * 20, 300, 50, 300]
    go(force.p1, now, way)
    go(force.p2, now, way, look_each=100)
    by_unit = {unit.pk: [what for what, data in told() if data["unit"] == unit.pk] for unit in (force.p1, force.p2)}
    assert by_unit[force.p1.pk] == ["entered", "dwelt", "left", "entered", "left"]
    # The second unit's first look began at its first position.
    assert by_unit[force.p2.pk] == by_unit[force.p1.pk]


def test_a_noisy_walk_along_the_border_makes_no_storm(force, fence, now):
    rng = random.Random(5)
    go(force.p1, now, [100 + rng.gauss(0, 7) for _ in range(150)], look_each=10)
    assert [what for what, _data in told()] in (["entered", "dwelt"], ["entered"])


def test_a_position_blunter_than_the_fence_says_nothing(force, fence, now):
    go(force.p1, now, [300, 0, 0], accuracy_m=120)
    assert told() == []


def test_a_jump_into_a_fence_is_no_visit(force, fence, now):
    go(force.p1, now, [200_000, 0])
    assert told() == []


def test_other_agencies_units_pass_unseen(force, fence, now):
    go(force.f1, now, [300, 0, 0])
    assert told() == []


def test_a_shape_with_corners(force, cast, places, now):
    box = Polygon.from_bbox((HOME[0] - 50 * METRE, HOME[1] - 0.001, HOME[0] + 50 * METRE, HOME[1] + 0.001))
    Geofence.objects.create(agency=cast.police, governorate=places.hawalli, name="Yard", shape=box, dwell_s=10)
    go(force.p1, now, [200, 40, 0, -20, 200])
    assert [what for what, _data in told()] == ["entered", "dwelt", "left"]


def test_hours_are_those_of_the_regions_clock(force, fence, now):
    here = timezone.localtime(now)
    Geofence.objects.update(active_from=(here + timedelta(hours=2)).time(), active_to=(here + timedelta(hours=3)).time())
    go(force.p1, now, [300, 0, 0])
    assert told() == []
    Geofence.objects.update(active_from=(here - timedelta(hours=2)).time(), active_to=(here + timedelta(hours=3)).time())
    go(force.p2, now, [300, 0, 0])
    assert [what for what, _data in told()] == ["entered"]


def test_a_fence_with_one_end_of_its_hours_runs_to_midnight(fence):
    from patrol.services.fences.index import fence_of

    fence.active_from = time(18)
    at = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)  # 18:30 in Kuwait
    assert fence_of(fence).is_active(at) and not fence_of(fence).is_active(at - timedelta(hours=1))


def test_a_fence_taken_out_of_use_is_visited_no_longer(force, fence, now):
    go(force.p1, now, [300, 0, 0])
    Geofence.objects.update(is_active=False)
    judge_fences(now=now)
    assert FenceVisit.objects.get().left_at is not None
    assert [what for what, _data in told()] == ["entered"]


def task(force, cast, **more):
    return assign(unit=force.p1, by=cast.supervisor, kind="task", title="Look", location=Point(*HOME, srid=4326), radius_m=100, **more)


def test_arrival_sets_on_scene_where_the_profile_says_so(force, cast, now):
    given = task(force, cast)
    Assignment.objects.update(assigned_at=now - timedelta(hours=1))
    go(force.p1, now, [300, 0])
    assert arrive(now=now) == 0 and Assignment.objects.get().state == "assigned"
    force.p1.arrival_sets_on_scene = True
    force.p1.save(update_fields=["arrival_sets_on_scene"])
    assert arrive(now=now) == 1
    moved = Assignment.objects.get()
    assert moved.state == "on_scene" and moved.on_scene_at == FenceVisit.objects.get().entered_at
    assert arrive(now=now) == 0
    assert told()[0][1] == {"unit": force.p1.pk, "assignment": given.pk}


def test_where_a_unit_was_before_it_was_sent_is_no_arrival(force, cast, now):
    task(force, cast)
    Assignment.objects.update(assigned_at=now + timedelta(seconds=1))
    go(force.p1, now, [300, 0, 0])
    assert told() == []


def test_the_place_of_a_task_that_ended_is_visited_no_longer(force, cast, now):
    given = task(force, cast)
    Assignment.objects.update(assigned_at=now - timedelta(hours=1))
    go(force.p1, now, [300, 0])
    given.refresh_from_db()
    move_assignment(assignment=given, to="done", by=cast.supervisor)
    judge_fences(now=now)
    assert FenceVisit.objects.get().left_at is not None
    assert [what for what, _data in told()] == ["entered"]


def test_a_task_planned_for_later_is_no_place_yet(force, cast, now):
    task(force, cast, active_from=now + timedelta(hours=1))
    Assignment.objects.update(assigned_at=now - timedelta(hours=1))
    go(force.p1, now, [300, 0])
    assert told() == []


def test_each_station_has_its_fence_once(force):
    assert fence_stations() == 3
    Geofence.objects.filter(name="SAL").update(is_active=False)
    assert fence_stations() == 0


def test_silence_on_duty_is_said_once_and_taken_back(force, now):
    record_positions([Reading(force.p1.pk, now - timedelta(minutes=10), *HOME)], now=now - timedelta(minutes=10))
    record_positions([Reading(force.c1.pk, now - timedelta(minutes=10), *HOME)], now=now - timedelta(minutes=10))  # off duty
    assert [announce_silence(now=now) for _ in range(3)] == [1, 0, 0]
    said = Event.objects.get(type="positions.silent")
    assert said.data["unit"] == force.p1.pk and said.agency_id == force.p1.agency_id
    record_positions([Reading(force.p1.pk, now, *HOME)], now=now)
    assert UnitPosition.objects.get(unit=force.p1).silent_since is None
    assert announce_silence(now=now + timedelta(minutes=20)) == 1


def test_who_has_just_come_on_duty_is_not_silent_yet(force, now):
    record_positions([Reading(force.p1.pk, now - timedelta(hours=10), *HOME)], now=now - timedelta(hours=10))
    Duty.objects.filter(unit=force.p1).update(started_at=now - timedelta(minutes=1))
    assert announce_silence(now=now) == 0


def test_fences_cost_few_statements_however_many_positions(force, fence, now, django_assert_max_num_queries):
    both = (force.p1, force.p2)
    readings = [Reading(unit.pk, now - timedelta(seconds=s), *HOME, 5.0, 20.0) for s in range(100) for unit in both]
    record_positions(readings, now=now)
    UnitPosition.objects.update(fenced_until=now - timedelta(hours=1))
    with django_assert_max_num_queries(20):
        assert judge_fences(now=now).positions == 200
