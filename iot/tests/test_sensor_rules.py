"""IOT-5: rules people write about readings: read strictly, judged reading by reading, tried on the last day, and what follows from them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import Event
from incidents.models import Incident
from iot.models import Anomaly, Datastream, Device, DeviceGroup, RuleFiring, TelemetryRule
from iot.rules.conditions import Unreadable, parse
from iot.rules.machine import Machine, Where, spans
from iot.services.rules import confirm_draft, dismiss_draft, save_rule
from iot.services.rules.following import Followed
from iot.services.rules.trial import try_rule

KUWAIT = ZoneInfo("Asia/Kuwait")
NOON = datetime(2026, 11, 20, 9, 0, tzinfo=UTC).timestamp()  # a Friday, noon in Kuwait
HOT = {"metric": "temperature", "above": 50, "until": 45}


def held(
    condition: Any, *values: float, metric: str = "temperature", every: float = 60.0, start: float = NOON, where: Where | None = None
) -> list[bool]:
    machine = Machine(parse(condition), where or Where(), KUWAIT)
    return [machine.take("temperature", NOON + number * 60, value) for number, value in enumerate(values)]


# -- what a condition says ----------------------------------------------------------------------------------------------------------------


def test_a_limit_holds_until_the_value_is_back_across_the_other():
    assert held(HOT, 49, 51, 48, 45, 48) == [False, True, True, False, False]
    assert held({"metric": "temperature", "below": 3}, 4, 2, 3) == [False, True, False]


def test_for_a_while_means_without_a_break_from_reading_to_reading():
    assert held({"for_s": 120, "of": HOT}, 51, 52, 53, 40, 51, 52) == [False, False, True, False, False, False]


def test_so_many_within_a_time():
    condition = {"count": {"metric": "temperature", "above": 50}, "at_least": 2, "within_s": 180}
    assert held(condition, 51, 40, 52, 40, 40, 53) == [False, False, True, False, False, False]


def test_a_rise_and_a_fall_within_a_time():
    assert held({"metric": "temperature", "rises_by": 5, "within_s": 120}, 10, 12, 15, 16, 16) == [False, False, True, False, False]
    assert held({"metric": "temperature", "falls_by": 5, "within_s": 120}, 20, 21, 15, 15) == [False, False, True, True]


def test_silence_begins_without_a_reading_and_what_never_spoke_is_unknown():
    machine = Machine(parse({"silent": "temperature", "for_s": 600}), Where(), KUWAIT)
    assert not machine.holds(NOON)
    assert not machine.take("temperature", NOON, 1.0)
    assert not machine.holds(NOON + 599) and machine.holds(NOON + 600) and not machine.take("temperature", NOON + 700, 1.0)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"zone": ["T-SAL"]}, True), ({"zone": ["T-KU"]}, False), ({"group": ["coast"]}, True), ({"group": ["hills"]}, False),
        ({"near": {"lon": 47.92, "lat": 29.35, "within_m": 500}}, True), ({"near": {"lon": 47.99, "lat": 29.35, "within_m": 500}}, False),
        ({"from": "11:00", "to": "13:00"}, True), ({"from": "22:00", "to": "05:00"}, False), ({"weekdays": ["friday"]}, True),
        ({"from": "22:00", "to": "13:00", "weekdays": ["thursday"]}, True),
        ({"from": "22:00", "to": "13:00", "weekdays": ["friday"]}, False),
        ({"not": {"weekdays": ["friday"]}}, False),
    ],
)  # fmt: skip
def test_where_and_when(condition, holds):
    where = Where(frozenset({"T-SAL", "T-HA"}), frozenset({"coast"}), (47.9201, 29.3501))
    assert held({"all": [HOT, condition]}, 60, where=where) == [holds]
    assert held({"any": [HOT, condition]}, 10, where=where) == [holds]


def test_a_late_reading_changes_nothing():
    machine = Machine(parse(HOT), Where(), KUWAIT)
    assert machine.take("temperature", NOON, 60) and machine.take("temperature", NOON - 60, 10) and machine.take("temperature", NOON, 10)
    assert not machine.take("temperature", NOON + 1, float("nan")) or machine.holds(NOON + 1)


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (None, ""), ([], ""), ({}, ""), ({"zone": ["A"]}, ""), ({"all": []}, "all"), ({"metric": "temperature"}, ""),
        ({"metric": "Temp; DROP", "above": 1}, "metric"), ({"metric": "t", "above": True}, "above"),
        ({"metric": "t", "above": float("nan")}, "above"),
        ({"metric": "t", "above": 5, "until": 6}, "until"), ({"metric": "t", "above": 5, "below": 1}, ""),
        ({"metric": "t", "above": 5, "x": 1}, "x"),
        ({"metric": "t", "rises_by": 1}, "within_s"), ({"metric": "t", "rises_by": 1, "within_s": 10**9}, "within_s"),
        ({"for_s": 60, "of": {"silent": "t", "for_s": 60}}, "of"), ({"count": {"zone": ["a"]}, "at_least": 1, "within_s": 9}, "count"),
        ({"all": [HOT, {"from": "25:00", "to": "01:00"}]}, "all[1].from"), ({"all": [HOT, {"from": "22:00"}]}, "all[1]"),
        ({"all": [HOT, {"weekdays": ["someday"]}]}, "all[1].weekdays"), ({"all": [HOT, {"near": {"lon": 1}}]}, "all[1].near"),
        ({"all": [HOT] * 31}, "all"), ({"not": {"not": {"not": {"not": {"not": HOT}}}}}, "not.not.not.not.not"), ({"__import__": "os"}, ""),
    ],
)  # fmt: skip
def test_what_is_no_condition_is_refused_with_its_place(data, where):
    with pytest.raises(Unreadable) as refused:
        parse(data)
    assert refused.value.where == where


def test_a_trial_sees_silence_between_readings():
    machine = Machine(parse({"silent": "t", "for_s": 300}), Where(), KUWAIT)
    found = list(spans(machine, [(NOON, "t", 1.0), (NOON + 900, "t", 1.0)], until_s=NOON + 1000))
    assert [(one.began_s - NOON, one.ended_s and one.ended_s - NOON) for one in found] == [(300, 900)]


# -- written, tried, followed -------------------------------------------------------------------------------------------------------------


def rule_of(cast: Any, by: Any, **given: Any) -> TelemetryRule:
    details = {
        "agency": cast.police, "name_en": "Too hot", "name_ar": "حرارة مرتفعة", "condition": HOT, "severity": 3,
        "actions": ["anomaly", "event"], "cooldown_s": 0, "is_active": True,
    }  # fmt: skip
    return save_rule(rule=TelemetryRule(**{**details, **given}), by=by)


@pytest.fixture
def follow(sensors: Any) -> Any:
    stream = Datastream.objects.create(device=sensors.salmiya, metric=sensors.air.metrics.get(code="temperature"))
    followed = Followed()

    def said(*values: float, minutes_ago: float = 0, again: Followed | None = None) -> int:
        """How many rules fired. ``again``: another process, which was away while it was written."""
        now, before = sensors.now - timedelta(minutes=minutes_ago), RuleFiring.objects.count()
        at = [now - timedelta(seconds=len(values) - 1 - number) for number in range(len(values))]
        if again is None:
            followed.refresh(now=now)
        sensors.write([sensors.said(*[("temperature", value, when) for value, when in zip(values, at, strict=True)], received=now)])
        if again is not None:
            again.refresh(now=now)
        (again or followed).hear(np.full(len(values), stream.pk), np.array([when.timestamp() for when in at]), np.array(values), now=now)
        return RuleFiring.objects.count() - before

    return said


pytestmark = pytest.mark.django_db


def test_it_fires_once_says_so_and_is_over(cast, sensors, follow):
    rule = rule_of(cast, cast.superadmin)
    assert follow(40, 52, 53, minutes_ago=20) == 1 and follow(54, minutes_ago=19) == 0
    firing = RuleFiring.objects.get()
    assert firing.rule == rule and firing.facts["values"] == {"temperature": 52.0}
    anomaly = Anomaly.objects.get(detector="rule")
    assert (
        anomaly.rule == rule
        and anomaly.severity == 3
        and anomaly.datastream is not None
        and anomaly.datastream.metric.code == "temperature"
    )
    assert {"sensor_rule.fired", "anomaly.raised"} <= set(Event.objects.values_list("type", flat=True))
    follow(44, minutes_ago=10)
    firing.refresh_from_db()
    anomaly.refresh_from_db()
    assert firing.ended_at is not None and anomaly.state == "resolved" and Event.objects.filter(type="sensor_rule.over").exists()


def test_a_restart_raises_nothing_twice_and_a_rule_is_quiet_for_its_while(cast, sensors, follow):
    rule_of(cast, cast.superadmin, cooldown_s=1800, condition={"for_s": 2, "of": HOT})
    assert follow(51, 52, 53, minutes_ago=30) == 1
    assert follow(54, minutes_ago=29, again=Followed()) == 0 and RuleFiring.objects.count() == 1
    follow(40, minutes_ago=20, again=Followed())
    assert RuleFiring.objects.get().ended_at is not None
    assert follow(60, 60, 60, minutes_ago=15, again=Followed()) == 0 and RuleFiring.objects.count() == 1, "within its quiet time"


def test_a_rule_sees_its_agencys_devices_in_its_governorate_alone(cast, places, sensors, follow):
    rule_of(cast, cast.superadmin, agency=cast.fire)
    rule_of(cast, cast.superadmin, governorate=places.capital)
    off = rule_of(cast, cast.superadmin, is_active=False)
    assert follow(60) == 0 and not RuleFiring.objects.exists()
    off.is_active = True
    save_rule(rule=off, by=cast.superadmin)
    assert follow(61) == 1


def test_a_backlog_fires_nothing_until_it_is_fresh(cast, sensors, follow):
    rule_of(cast, cast.superadmin)
    followed = Followed()
    followed.refresh(now=sensors.now)
    stream = Datastream.objects.get(device=sensors.salmiya, metric__code="temperature")
    old = np.array([sensors.ago(days=2).timestamp() + n for n in range(5)])
    assert followed.hear(np.full(5, stream.pk), old, np.full(5, 60.0), now=sensors.now) == 0
    assert follow(60, again=followed) == 1


def test_a_refresh_reads_only_what_has_changed(cast, places, sensors, follow):
    """Whoever changed it, by whatever hand: each of these was seen by reading everything each time."""
    rule = rule_of(cast, cast.superadmin)
    group = DeviceGroup.objects.create(agency=cast.police, code="coast", name_en="Coast", name_ar="الساحل")
    followed, now = Followed(), sensors.now
    assert followed.refresh(now=now) and not followed.refresh(now=now)
    mine = Device.objects.filter(pk=sensors.salmiya.pk)
    changes = [
        lambda: TelemetryRule.objects.filter(pk=rule.pk).update(cooldown_s=7),
        lambda: rule_of(cast, cast.superadmin, name_en="Another"),
        lambda: mine.update(maintenance_until=now + timedelta(hours=1)),
        lambda: mine.update(state=Device.State.SUSPENDED),
        lambda: mine.update(state=Device.State.ACTIVE, maintenance_until=None),
        lambda: mine.update(location=places.in_jabriya),
        lambda: mine.update(area=None),
        lambda: mine.update(governorate=places.capital),
        lambda: group.devices.add(sensors.salmiya),
        lambda: DeviceGroup.objects.filter(pk=group.pk).update(code="shore"),
        lambda: Datastream.objects.create(device=sensors.sharq, metric=sensors.air.metrics.get(code="temperature")),
        lambda: TelemetryRule.objects.filter(pk=rule.pk).update(is_active=False),
    ]
    for number, change in enumerate(changes):
        change()
        assert followed.refresh(now=now), number
        assert not followed.refresh(now=now), number
    mine.update(last_seen_at=now, battery_pct=3)
    assert not followed.refresh(now=now), "what a device says of itself is no change"
    assert followed.refresh(now=now + timedelta(minutes=10)), "and now and then everything is read all the same"
    assert followed.rules.keys() == {TelemetryRule.objects.get(name_en="Another").pk}


def test_a_maintenance_that_ends_by_itself_is_noticed(cast, sensors, follow):
    rule_of(cast, cast.superadmin)
    Device.objects.filter(pk=sensors.salmiya.pk).update(maintenance_until=sensors.now + timedelta(minutes=5))
    followed = Followed()
    followed.refresh(now=sensors.now)
    assert not followed.fleet.machines
    assert followed.refresh(now=sensors.now + timedelta(minutes=6)) and len(followed.fleet.machines) == 1


def test_a_draft_is_an_incident_only_when_a_person_says_so(cast, sensors, follow, burglary, places):
    rule_of(cast, cast.superadmin, actions=["draft"], incident_type=burglary)
    follow(60)
    firing = RuleFiring.objects.select_related("device").get()
    assert firing.draft == "waiting" and not Incident.objects.exists()
    with pytest.raises(NotFound):
        confirm_draft(firing=firing, by=cast.firefighter)
    with pytest.raises(NotAllowed):
        confirm_draft(firing=firing, by=cast.officer)
    done = confirm_draft(firing=firing, by=cast.dispatcher)
    assert (
        done.incident is not None
        and done.incident.area == places.salmiya
        and done.incident.type == burglary
        and "60" in done.incident.description
    )
    with pytest.raises(Conflict):
        dismiss_draft(firing=firing, by=cast.dispatcher)


def test_a_command_goes_to_the_device(cast, sensors, follow):
    rule_of(cast, cast.superadmin, actions=["command"], command={"valve": "close"})
    follow(60)
    command = sensors.salmiya.commands.get()
    assert command.payload == {"valve": "close"} and "Too hot" in command.cause


def test_what_cannot_be_kept_is_refused(cast, places):
    for given, field in (
        ({"condition": {"metric": "temperature"}}, "condition"), ({"condition": {"metric": "unheard_of", "above": 1}}, "condition"),
        ({"actions": []}, "actions"), ({"actions": ["draft"]}, "incident_type"),
        ({"actions": ["command"]}, "command"),
    ):  # fmt: skip
        with pytest.raises(Invalid) as refused:
            rule_of(cast, cast.superadmin, **given)
        assert field in refused.value.fields
    with pytest.raises(NotAllowed):
        rule_of(cast, cast.analyst, governorate=places.hawalli)
    with pytest.raises(NotFound):
        rule_of(cast, cast.supervisor, agency=cast.fire)


def test_a_trial_on_the_last_day_says_how_often_and_where(cast, sensors, follow, client):
    rule = rule_of(cast, cast.superadmin, is_active=False, cooldown_s=3600)
    for minutes in (600, 590, 300):
        follow(40, 60, 61, 40, minutes_ago=minutes)
    trial = try_rule(rule, now=sensors.now)
    (found,) = trial.found
    assert (trial.fired, trial.devices, trial.readings, found.device) == (2, 1, 12, sensors.salmiya)
    assert [one.fires for one in found.held] == [True, False, True] and not RuleFiring.objects.exists()
    client.force_login(cast.superadmin)
    address = reverse("admin:iot_telemetryrule_changelist")
    page = client.post(address, {"action": "try_on_yesterday", "_selected_action": [rule.pk]})
    assert page.status_code == 200 and "It would have fired 2 times." in page.content.decode()


def test_rules_are_read_by_api_by_those_they_concern(cast, sensors):
    rule = rule_of(cast, cast.superadmin)

    def get(who: Any, path: str) -> Any:
        client = Client()
        client.force_login(who, backend="django.contrib.auth.backends.ModelBackend")
        return client.get(f"/api/v1/iot/rules{path}")

    assert get(cast.superadmin, f"/{rule.pk}").json()["condition"] == HOT
    assert get(cast.superadmin, "").json()["results"][0]["name_en"] == "Too hot"
    assert get(cast.firefighter, f"/{rule.pk}").status_code == 404 and get(cast.officer, "").status_code == 403
