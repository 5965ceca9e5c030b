"""PAT-1: the demo's force."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from demo.services.force import POSTS, create_demo_force
from geography.models import Region
from geography.services.gazetteer import load_gazetteer
from incidents.services.vocabulary import ensure_vocabulary
from patrol.models import Duty, Member, RosterEntry, Shift, Station, Unit

pytestmark = pytest.mark.django_db


@pytest.fixture
def kuwait(db: None) -> Region:
    ensure_vocabulary()
    load_gazetteer()
    return Region.objects.get(is_default=True)


def test_forty_units_stand_at_stations_inside_their_governorates_and_are_marked_synthetic(kuwait):
    assert create_demo_force(region=kuwait) == 40 == Unit.objects.count()
    assert not Unit.objects.filter(is_synthetic=False).exists()
    for station in Station.objects.select_related("governorate"):
        assert station.governorate.boundary.contains(station.location), station.code
    assert Station.objects.count() == len(POSTS)
    assert {post.area for post in POSTS} - set(kuwait.zones.filter(level="area").values_list("name_en", flat=True)) == set()


def test_every_shift_of_four_weeks_has_its_crews_without_too_little_rest(kuwait):
    now = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
    create_demo_force(region=kuwait, now=now)
    entries = RosterEntry.objects.values_list("member_id", "starts_at", "ends_at").order_by("member_id", "starts_at")
    last: dict[int, datetime] = {}
    for member, start, end in entries:
        assert start - last.get(member, start - timedelta(days=1)) >= timedelta(hours=11)
        last[member] = end
    assert Shift.objects.filter(starts_at__lte=now, ends_at__gt=now).exists()
    assert Unit.objects.on_duty().count() >= 34
    assert Duty.objects.open().filter(expected_until__gt=now).exists()
    assert Member.objects.filter(is_synthetic=False).count() == 0


def test_making_it_again_changes_nothing(kuwait):
    create_demo_force(region=kuwait)
    assert create_demo_force(region=kuwait) == 0
    assert Unit.objects.count() == 40
