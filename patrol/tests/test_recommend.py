"""PAT-8: advice on whom to send, from what the platform knows, kept so that it can be made again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.gis.geos import Point
from django.db import IntegrityError, transaction

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event
from incidents.models import Incident
from patrol.analytics.recommend import ranked_to_plain
from patrol.models import Duty, Recommendation, RunCard, RunCardLine, Unit, UnitPosition
from patrol.services.assignments import assign
from patrol.services.recommend import advise, latest_advice, replay


def now() -> datetime:
    return datetime.now(UTC)


def seen_at(unit, lon, *, seconds_ago=5):
    UnitPosition.objects.update_or_create(
        unit=unit, defaults={"at": now() - timedelta(seconds=seconds_ago), "location": Point(lon, 29.35), "source": "http"}
    )


def row_of(advice, unit):
    return next(row for row in advice.ranked if row["unit"] == unit.pk)


def test_the_nearer_unit_is_advised_with_its_way_in_minutes(force, report, cast):
    seen_at(force.p1, 47.93)
    seen_at(force.p2, 47.95)
    advice = advise(incident=report(), by=cast.dispatcher)
    assert [row["unit"] for row in advice.ranked] == [force.p1.pk, force.p2.pk], "units outside the dispatcher's jurisdiction are not there"
    first = row_of(advice, force.p1)
    # 0.01 degrees at 29.35 N: 969 m; times 1.4, at 35 km/h: 2 min 20 s.
    assert first["advised"] and first["parts"]["eta"] == pytest.approx(969 * 1.4 / (35 / 3.6) / 60, abs=0.02)
    assert Event.objects.get(type="dispatch.advised").data == {"incident": advice.incident_id, "shortfalls": 0}
    assert (AuditEntry.objects.filter(verb="dispatch.advise").get().after or {})["advised"] == [force.p1.pk]


def test_a_stale_or_unknown_position_or_a_unit_off_duty_is_never_advised_and_says_why(force, report, cast):
    seen_at(force.p1, 47.92, seconds_ago=61)
    third = Unit.objects.create(agency=force.p1.agency, governorate=force.p1.governorate, station=force.p1.station, call_sign="P3")
    seen_at(third, 47.92)
    advice = advise(incident=report(), by=cast.dispatcher)
    assert {row["unit"]: row["why_not"] for row in advice.ranked} == {
        force.p1.pk: "stale_position", force.p2.pk: "no_position", third.pk: "off_duty",
    }  # fmt: skip
    assert not any(row["advised"] for row in advice.ranked) and len(advice.shortfalls) == 1


def test_a_unit_on_another_incident_is_not_advised_and_one_on_a_stop_may_be(force, report, cast):
    for unit in (force.p1, force.p2):
        seen_at(unit, 47.92)
    assign(unit=force.p1, incident=report(external_id="other"), kind="incident", by=cast.dispatcher)
    assign(unit=force.p2, kind="task", title="Barrier", by=cast.dispatcher)
    advice = advise(incident=report(), by=cast.dispatcher)
    assert row_of(advice, force.p1)["why_not"] == "on_incident"
    assert row_of(advice, force.p2)["advised"] and row_of(advice, force.p2)["parts"]["open_task"] == 2.0


def test_little_rest_and_overtime_count_in_minutes(force, report, cast):
    for unit in (force.p1, force.p2):
        seen_at(unit, 47.92)
    started = Duty.objects.get(member=force.officer).started_at
    before = {"started_at": started - timedelta(hours=14), "ended_at": started - timedelta(hours=6)}
    Duty.objects.create(member=force.officer, unit=force.p2, agency=cast.police, **before)
    Duty.objects.filter(unit=force.p2, ended_at=None).update(expected_until=now() - timedelta(hours=2))
    advice = advise(incident=report(), by=cast.dispatcher)
    assert row_of(advice, force.p1)["parts"]["short_rest"] == 2.5, "six hours of eleven"
    assert row_of(advice, force.p2)["parts"]["overtime"] == pytest.approx(4.0, abs=0.02)


@pytest.fixture
def card(cast, burglary, force):
    card = RunCard.objects.create(agency=cast.police, type=burglary, alarm_level=1)
    RunCardLine.objects.create(card=card, count=1)
    RunCardLine.objects.create(card=card, count=1, skill=force.first_aid, within_minutes=20)
    return card


def test_the_run_card_asks_for_several_units_and_says_what_is_missing(force, report, cast, card):
    for unit in (force.p1, force.p2):
        seen_at(unit, 47.92)
    advice = advise(incident=report(), by=cast.dispatcher)
    assert advice.inputs["run_card"] == card.pk
    assert [row["advised"] for row in advice.ranked] == [True, False]
    assert advice.shortfalls[0]["skill"] == "first-aid" and advice.shortfalls[0]["within_s"] == 1200
    force.officer.skills.add(force.first_aid)  # the crew's skill is the unit's
    advice = advise(incident=report(), by=cast.dispatcher)
    assert row_of(advice, force.p1)["need"] == 1 and row_of(advice, force.p2)["need"] == 0 and not advice.shortfalls


def test_a_higher_alarm_takes_its_own_card_or_the_highest_below(force, report, cast, card, burglary):
    third = RunCard.objects.create(agency=cast.police, type=burglary, alarm_level=3)
    anything = RunCard.objects.create(agency=cast.police, type=None, alarm_level=4)
    said = [advise(incident=report(), by=cast.dispatcher, alarm_level=level).inputs["run_card"] for level in (1, 2, 3, 4)]
    assert said == [card.pk, card.pk, third.pk, third.pk]
    RunCard.objects.exclude(pk=anything.pk).update(is_active=False)
    assert advise(incident=report(), by=cast.dispatcher, alarm_level=5).inputs["run_card"] == anything.pk
    with pytest.raises(Invalid):
        advise(incident=report(), by=cast.dispatcher, alarm_level=6)


def test_advice_is_made_again_from_its_row_alone_whatever_has_changed_since(force, report, cast, card):
    for unit, lon in ((force.p1, 47.93), (force.p2, 47.95)):
        seen_at(unit, lon)
    made = advise(incident=report(), by=cast.dispatcher)
    UnitPosition.objects.all().delete()
    RunCard.objects.all().delete()
    Duty.objects.all().update(ended_at=now())
    kept = Recommendation.objects.get(pk=made.pk)
    assert ranked_to_plain(replay(kept)) == (kept.ranked, kept.shortfalls)
    with pytest.raises(IntegrityError), transaction.atomic():
        Recommendation.objects.filter(pk=made.pk).update(ranked=[])


def test_choosing_another_than_advised_asks_for_a_reason_and_keeps_it(force, report, cast):
    incident = report()
    for unit, lon in ((force.p1, 47.93), (force.p2, 47.95)):
        seen_at(unit, lon)
    advice = advise(incident=incident, by=cast.dispatcher)
    sending = {"incident": incident, "kind": "incident", "by": cast.dispatcher, "recommendation": advice}
    with pytest.raises(Invalid) as refusal:
        assign(unit=force.p2, **sending)
    assert refusal.value.codes == {"override_reason": "required"}
    sent = assign(unit=force.p2, override_reason="knows the house", **sending)
    assert sent.override_reason == "knows the house" == AuditEntry.objects.about("patrol.assignment", sent.pk).get().reason
    assert assign(unit=force.p1, **sending).override_reason == ""
    with pytest.raises(Invalid):
        assign(unit=force.p1, **{**sending, "incident": report(external_id="other")})


def test_who_may_not_send_gets_no_advice(force, report, cast, places):
    incident = report()
    for person, error in ((cast.officer, NotAllowed), (cast.analyst, NotAllowed), (cast.firefighter, NotFound), (cast.stranger, NotFound)):
        with pytest.raises(error):
            advise(incident=incident, by=person)
    Duty.objects.filter(member=force.dispatcher).update(ended_at=now())
    with pytest.raises(NotAllowed):
        advise(incident=incident, by=cast.dispatcher)


def test_an_incident_without_a_place_or_that_is_over_gets_none(force, report, cast):
    nowhere = report()
    Incident.objects.filter(pk=nowhere.pk).update(location=None)
    nowhere.refresh_from_db()
    with pytest.raises(Invalid, match="no place"):
        advise(incident=nowhere, by=cast.supervisor)
    over = report(external_id="over")
    Incident.objects.filter(pk=over.pk).update(state="cancelled")
    over.refresh_from_db()
    with pytest.raises(Conflict):
        advise(incident=over, by=cast.supervisor)


def test_a_panel_drawn_again_finds_the_advice_of_a_moment_ago(force, report, cast):
    incident = report()
    made = advise(incident=incident, by=cast.dispatcher)
    assert latest_advice(incident, by=cast.dispatcher, now=now()) == made
    assert latest_advice(incident, by=cast.dispatcher, now=now() + timedelta(minutes=3)) is None
    assert latest_advice(incident, by=cast.supervisor, now=now()) is None


def test_advice_asks_the_database_as_often_for_two_units_as_for_many(force, report, cast, django_assert_max_num_queries):
    for number in range(30):
        unit = Unit.objects.create(agency=cast.police, governorate=force.p1.governorate, station=force.p1.station, call_sign=f"X{number}")
        Duty.objects.create(unit=unit, agency=cast.police, governorate=unit.governorate, started_at=now() - timedelta(hours=1))
        seen_at(unit, 47.91 + number / 1000)
    incident = report()
    with django_assert_max_num_queries(22):
        assert len(advise(incident=incident, by=cast.dispatcher).ranked) == 32
