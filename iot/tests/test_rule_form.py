"""IOT-5: a rule is written as rows in the admin, with JSON for what rows cannot say; its trial draws the day of the device it fires for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.urls import reverse

from iot.models import DeviceGroup, TelemetryRule
from iot.rules.rows import Row, Simple, read, write
from iot.services.rules import save_rule

HOT = {"metric": "temperature", "above": 50, "until": 45}


@pytest.mark.parametrize(
    "condition",
    [
        HOT,
        {"for_s": 90, "of": HOT},
        {"metric": "level", "rises_by": 0.5, "within_s": 600},
        {"silent": "level", "for_s": 1800},
        {"any": [HOT, {"metric": "humidity", "below": 5}]},
        {"all": [HOT, {"from": "22:00", "to": "05:00"}]},
        {"all": [{"any": [HOT, {"silent": "x", "for_s": 60}]}, {"from": "22:00", "to": "05:00"}, {"zone": ["A"]}, {"group": ["a"]}]},
    ],
)  # fmt: skip
def test_what_rows_can_say_is_read_as_rows_and_written_again_as_it_was(condition):
    simple = read(condition)
    assert simple is not None and write(simple) == condition


@pytest.mark.parametrize(
    "condition",
    [
        None, [], "x", {}, {"all": []}, {"all": "x"}, {"not": HOT}, {"all": [{"all": [HOT]}]}, {"all": [HOT] * 5},
        {"count": HOT, "at_least": 3, "within_s": 60}, {"all": [HOT, {"near": {"lon": 48, "lat": 29, "within_m": 5}}]},
        {"all": [{"any": [HOT, HOT]}, HOT]}, {"from": "22:00", "to": "05:00"}, {"all": [{"zone": ["A"]}, HOT]},
        {"all": [HOT, {"from": "22:00", "to": "05:00", "weekdays": ["friday"]}]}, {"any": [HOT, {"not": HOT}]}, {"all": [1, HOT]},
    ],
)  # fmt: skip
def test_what_rows_cannot_say_stays_json(condition):
    assert read(condition) is None


def test_rows_are_joined_by_any_only_where_there_are_several():
    assert write(Simple([Row("level", "above", 3)], is_any=True)) == {"metric": "level", "above": 3}


def fields(cast: Any, **more: Any) -> dict[str, Any]:
    """What the page sends: everything the form has, most of it empty."""
    empty = {f"row{n}_{part}": "" for n in range(1, 5) for part in ("metric", "value", "until", "minutes")}
    return {
        **empty, **{f"row{n}_comparison": "above" for n in range(1, 5)},
        "agency": cast.police.pk, "name_en": "Too hot", "name_ar": "حار", "severity": 3, "actions": ["anomaly"], "cooldown_s": 1800,
        "written_as": "rows", "joined": "all", "hours_from": "", "hours_to": "", "condition": "", "command": "null", **more,
    }  # fmt: skip


ADD = "admin:iot_telemetryrule_add"


@pytest.fixture
def writer(client: Any, cast: Any, sensors: Any) -> Any:
    client.force_login(cast.superadmin)
    return client


def problems(answer: Any) -> dict[str, Any]:
    return dict(answer.context["adminform"].form.errors)


def test_rows_become_the_condition(writer, cast, places):
    DeviceGroup.objects.create(agency=cast.police, code="coast", name_en="Coast", name_ar="الساحل")
    said = fields(
        cast, row1_metric="temperature", row1_value="50", row1_until="45", row1_minutes="10", row3_metric="humidity",
        row3_comparison="silent", row3_minutes="0.5", joined="any", hours_from="22:00", hours_to="05:00",
        in_zones=[places.salmiya.code], in_groups=["coast"],
    )  # fmt: skip
    answer = writer.post(reverse(ADD), said)
    assert answer.status_code == 302, problems(answer)
    rule = TelemetryRule.objects.get()
    assert rule.condition == {
        "all": [
            {"any": [{"for_s": 600, "of": HOT}, {"silent": "humidity", "for_s": 30}]},
            {"from": "22:00", "to": "05:00"},
            {"zone": [places.salmiya.code]},
            {"group": ["coast"]},
        ]
    }
    page = writer.get(reverse("admin:iot_telemetryrule_change", args=[rule.pk]))
    shown = page.context["adminform"].form.initial
    assert (shown["written_as"], shown["joined"], shown["row1_until"], shown["row1_minutes"]) == ("rows", "any", 45, 10.0)
    assert shown["in_groups"] == ["coast"] and shown["row2_comparison"] == "silent"


def test_json_says_what_rows_cannot_and_opens_as_json(writer, cast):
    condition = {"not": HOT}
    answer = writer.post(reverse(ADD), fields(cast, written_as="json", condition=json.dumps(condition)))
    assert answer.status_code == 302, problems(answer)
    rule = TelemetryRule.objects.get(condition=condition)
    page = writer.get(reverse("admin:iot_telemetryrule_change", args=[rule.pk]))
    assert page.context["adminform"].form.initial["written_as"] == "json"


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "row1_metric"),
        ({"row2_value": "3"}, "row2_metric"),
        ({"row1_metric": "temperature"}, "row1_value"),
        ({"row1_metric": "nonsense", "row1_value": "3"}, "row1_metric"),
        ({"row1_metric": "temperature", "row1_value": "50", "row1_until": "55"}, "row1_until"),
        ({"row1_metric": "temperature", "row1_comparison": "rises_by", "row1_value": "5"}, "row1_minutes"),
        ({"row1_metric": "temperature", "row1_comparison": "silent"}, "row1_minutes"),
        ({"row1_metric": "temperature", "row1_value": "5", "row1_minutes": "99999"}, "row1_metric"),
        ({"row1_metric": "temperature", "row1_value": "5", "hours_from": "22:00"}, "hours_to"),
        ({"row1_metric": "temperature", "row1_value": "5", "in_zones": ["KW-NOWHERE"]}, "in_zones"),
        ({"written_as": "json", "condition": "{"}, "condition"),
        ({"written_as": "json", "condition": ""}, "condition"),
        ({"written_as": "json", "condition": '{"metric": "temperature"}'}, "condition"),
    ],
)
def test_what_is_missing_or_wrong_is_said_at_its_field(writer, cast, said, field):
    answer = writer.post(reverse(ADD), fields(cast, **said))
    assert answer.status_code == 200 and field in problems(answer), problems(answer)
    assert not TelemetryRule.objects.exists()


def test_the_trial_draws_the_day_of_the_device_it_fires_for_most(writer, cast, sensors):
    rule = TelemetryRule(
        agency=cast.police, name_en="Too hot", name_ar="حار", condition=HOT, severity=3, actions=["anomaly"], cooldown_s=3600
    )
    save_rule(rule=rule, by=cast.superadmin)
    for minutes in (600, 590, 300):
        told = [("temperature", float(value), sensors.ago(minutes=minutes, seconds=-n)) for n, value in enumerate((40, 60, 61, 40))]
        sensors.write([sensors.said(*told)])
    page = writer.post(reverse("admin:iot_telemetryrule_changelist"), {"action": "try_on_yesterday", "_selected_action": [rule.pk]})
    drawn = page.context["drawn"]
    assert drawn.one.device == sensors.salmiya and [fires for _x, _wide, fires in drawn.held] == [True, False, True]
    assert all(drawn.curve.left <= x <= drawn.curve.right for x, _wide, _fires in drawn.held)
    assert 'class="rule-chart"' in page.content.decode()
