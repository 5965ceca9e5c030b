"""ALR-2: who is on call now, and where the holes are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.models import OnCallLayer, OnCallOverride
from alerts.services.oncall import gaps, next_on_call, on_call_now, spans
from core.errors import Invalid

pytestmark = pytest.mark.usefixtures("this_minute")
NOW = datetime.now(UTC).replace(second=0, microsecond=0)


def test_the_person_of_the_layer_is_on_call(alerting: Any, cast: Any) -> None:
    assert on_call_now(schedule_id=alerting.schedule.pk, at=NOW) == [cast.supervisor.pk]
    assert gaps(schedule=alerting.schedule, start=NOW, end=NOW + timedelta(days=14)) == []


def test_an_override_goes_before_the_layers_unless_it_was_cancelled(alerting: Any, cast: Any) -> None:
    override = OnCallOverride.objects.create(
        schedule=alerting.schedule, user=cast.dispatcher, starts_at=NOW - timedelta(hours=1), ends_at=NOW + timedelta(hours=1)
    )
    assert on_call_now(schedule_id=alerting.schedule.pk, at=NOW) == [cast.dispatcher.pk]
    found = next_on_call(schedule=alerting.schedule, at=NOW)
    assert found is not None and (found.user_id, found.start) == (cast.supervisor.pk, NOW + timedelta(hours=1))
    override.is_cancelled = True
    override.save(update_fields=["is_cancelled"])
    assert on_call_now(schedule_id=alerting.schedule.pk, at=NOW) == [cast.supervisor.pk]


def test_a_hole_made_on_purpose_is_a_gap(alerting: Any) -> None:
    OnCallOverride.objects.create(schedule=alerting.schedule, user=None, starts_at=NOW, ends_at=NOW + timedelta(hours=2))
    assert on_call_now(schedule_id=alerting.schedule.pk, at=NOW) == []
    assert gaps(schedule=alerting.schedule, start=NOW, end=NOW + timedelta(days=1)) == [(NOW, NOW + timedelta(hours=2))]


def test_somebody_whose_account_is_closed_is_on_no_call(alerting: Any, cast: Any) -> None:
    cast.supervisor.is_active = False
    cast.supervisor.save(update_fields=["is_active"])
    assert on_call_now(schedule_id=alerting.schedule.pk, at=NOW) == []
    assert gaps(schedule=alerting.schedule, start=NOW, end=NOW + timedelta(days=1)) == [(NOW, NOW + timedelta(days=1))]


def test_a_schedule_out_of_use_or_of_nobody_pages_nobody(alerting: Any) -> None:
    assert on_call_now(schedule_id=0, at=NOW) == []
    OnCallLayer.objects.filter(schedule=alerting.schedule).delete()
    assert on_call_now(schedule_id=alerting.schedule.pk, at=NOW) == []
    alerting.schedule.is_active = False
    alerting.schedule.save(update_fields=["is_active"])
    assert gaps(schedule=alerting.schedule, start=NOW, end=NOW + timedelta(days=1)) == [(NOW, NOW + timedelta(days=1))]


def test_more_than_a_year_is_too_much_to_ask(alerting: Any) -> None:
    with pytest.raises(Invalid):
        spans(schedule=alerting.schedule, start=NOW, end=NOW + timedelta(days=5000))


def test_asking_who_is_on_call_takes_five_queries(alerting: Any, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(5):
        on_call_now(schedule_id=alerting.schedule.pk, at=NOW)
