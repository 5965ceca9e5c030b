"""IOT-2, IOT-3, IOT-7: the pages of devices: who is shown what, how the list is narrowed, what one device's page says, and its curve."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from dashboard.device_values import digits_of
from dashboard.templatetags.device_words import ago, battery_lasts, measured
from iot.analytics.battery import Battery
from iot.curve import Sample, curve, nice_step, scale
from iot.models import Anomaly, BatteryDay, Datastream, Device, DeviceCredential, DeviceGroup, DeviceOutage
from iot.services import suspend_device
from tests.live_server import PATIENCE_MS

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def told(sensors):
    """Readings of the last half hour of Salmiya's device, one of them out of range."""
    rows = [("temperature", 20.0 + n / 10, sensors.ago(minutes=n)) for n in range(30)]
    sensors.write([sensors.said(*rows, ("humidity", 40.0, sensors.now), ("humidity", 250.0, sensors.ago(minutes=5)))])
    return sensors


def codes_in(client, user, query=""):
    client.force_login(user)
    page = client.get(f"{reverse('devices')}?{query}")
    return {row.device.code for row in page.context["list"].rows}


def test_a_person_sees_the_devices_of_their_jurisdiction_alone(client, told, cast):
    assert codes_in(client, cast.supervisor) == {"AIR-1"}
    assert codes_in(client, cast.superadmin) == {"AIR-1", "AIR-2"}
    assert codes_in(client, cast.firefighter) == set()
    for name in ("devices-one", "devices-chart", "devices-now"):
        client.force_login(cast.supervisor)
        assert client.get(reverse(name, args=["AIR-2"])).status_code == 404
        assert client.get(reverse(name, args=["AIR-1"])).status_code == 200
        client.logout()
        assert client.get(reverse(name, args=["AIR-1"])).status_code == 302


def test_who_may_not_see_devices_is_refused(client, told, cast, monkeypatch):
    monkeypatch.setattr(type(cast.officer), "can", lambda self, verb: verb != "see_devices")
    client.force_login(cast.officer)
    assert client.get(reverse("devices")).status_code == 403


def test_the_list_is_narrowed_by_words_kind_place_group_and_how_devices_stand(client, told, cast):
    group = DeviceGroup.objects.create(agency=cast.police, code="g", name_en="Coast", name_ar="الساحل")
    told.sharq.groups.add(group)
    root = cast.superadmin
    assert codes_in(client, root, "q=air-2") == {"AIR-2"} and codes_in(client, root, "q=nothing") == set()
    assert codes_in(client, root, f"group={group.pk}") == {"AIR-2"}
    assert codes_in(client, root, f"governorate={told.salmiya.governorate_id}") == {"AIR-1"}
    assert codes_in(client, root, "kind=water") == set() and codes_in(client, root, "kind=environment") == {"AIR-1", "AIR-2"}
    assert codes_in(client, root, "kind=nonsense&governorate=abc&page=0") == {"AIR-1", "AIR-2"}, "what is not understood was not said"
    Device.objects.filter(pk=told.sharq.pk).update(status="offline")
    Device.objects.filter(pk=told.salmiya.pk).update(battery_pct=7)
    assert codes_in(client, root, "show=offline") == {"AIR-2"} and codes_in(client, root, "show=battery") == {"AIR-1"}
    suspend_device(device=told.sharq, by=None, reason="broken")
    assert codes_in(client, root) == {"AIR-1"} and codes_in(client, root, "show=all") == {"AIR-1", "AIR-2"}
    counted = {str(one.text): one.count for one in client.get(reverse("devices")).context["list"].standings}
    assert counted["In use"] == 1 and counted["All"] == 2 and counted["Offline"] == 0


def test_the_list_asks_the_database_as_often_for_many_devices_as_for_few(client, told, cast, django_assert_max_num_queries):
    client.force_login(cast.superadmin)
    with django_assert_max_num_queries(14):
        client.get(reverse("devices-rows"))


def test_one_devices_page_shows_its_last_values_its_curve_and_what_happened(client, told, cast):
    DeviceOutage.objects.create(device=told.salmiya, began_at=told.ago(hours=3), noticed_at=told.ago(hours=2), ended_at=told.ago(hours=1))
    client.force_login(cast.supervisor)
    page = client.get(reverse("devices-one", args=["AIR-1"]) + "?metric=temperature&span=hour")
    text = page.content.decode()
    chart = page.context["chart"]
    assert chart.step_s == 0 and chart.count == 30 and chart.low == 20.0 and chart.high == pytest.approx(22.9)
    assert "heard again" in text and "device-line" in text and 'role="img"' in text and "AIR-1" in text
    assert page.context["credentials"], "a supervisor looks after devices"
    month = client.get(reverse("devices-chart", args=["AIR-1"]) + "?metric=humidity&span=month").context["chart"]
    assert month.step_s > 3_600 and month.not_believed == 1 and month.high == 40.0
    odd = client.get(reverse("devices-chart", args=["AIR-1"]) + "?metric=nothing&span=century").context["chart"]
    assert odd.span == "day"


def test_credentials_are_for_those_who_look_after_devices(client, told, cast):
    client.force_login(cast.analyst)
    page = client.get(reverse("devices-one", args=["AIR-1"]))
    assert page.status_code == 200 and page.context["credentials"] is None
    assert told.key.split("_")[1] not in page.content.decode()


def test_a_curve_is_broken_where_nothing_came_and_flat_ones_keep_their_scale():
    at = [START + timedelta(minutes=m) for m in (0, 1, 2, 30, 31)]
    drawn = curve([Sample(t, 5, 5, 5) for t in at], start=START, end=START + timedelta(hours=1), step_s=60)
    assert len(drawn.lines) == 2 and not drawn.bands and drawn.last is not None
    assert curve([], start=START, end=START + timedelta(hours=1), step_s=60).is_empty
    floor, roof, step = scale([5.0], [5.0])
    assert floor < 5 < roof and step > 0
    assert scale([0.0, 1.0], [0.0, 1.0])[0] == 0
    assert nice_step(7, 5) == 2.0


def test_values_and_ages_are_written_as_people_read_them():
    assert [measured(v) for v in (None, 0.0312, 3.2, 3.0, 412.55, 1012.4)] == ["–", "0.0312", "3.2", "3", "412.6", "1,012"]
    assert ago(START, START + timedelta(minutes=5)) == "5 min ago" and ago(None, START) == "–"


@pytest.mark.browser
def test_the_curve_changes_without_leaving_the_page_and_the_page_is_live(live_site, page, sign_in, cast, told):
    sign_in(page, cast.supervisor)
    page.goto(reverse("devices-one", args=["AIR-1"]))
    page.wait_for_function("() => document.documentElement.dataset.feed === 'live'", timeout=PATIENCE_MS)
    page.click("[data-span-link=week]")
    page.wait_for_selector("[data-span=week]", timeout=PATIENCE_MS)
    page.click("[data-metric=humidity]")
    page.wait_for_selector("[data-chart-of=humidity][data-span=week]", timeout=PATIENCE_MS)
    assert "span=week" in page.url and "metric=humidity" in page.url


def test_anomalies_stand_among_the_events_and_on_the_curve(client, told, cast):
    stream = Datastream.objects.get(device=told.salmiya, metric__code="temperature")
    facts = {"detector": "threshold", "severity": 3, "score": 2.0, "evidence": {"value": 59.0, "limit": 50.0, "unit": "°C"}}
    odd = Anomaly.objects.create(
        device=told.salmiya,
        datastream=stream,
        began_at=told.ago(minutes=20),
        raised_at=told.ago(minutes=18),
        last_at=told.ago(minutes=10),
        **facts,
    )
    client.force_login(cast.supervisor)
    page = client.get(reverse("devices-one", args=["AIR-1"]) + "?metric=temperature&span=hour")
    (mark,) = page.context["chart"].marks
    assert mark.anomaly == odd and mark.x > page.context["chart"].curve.left and mark.wide == pytest.approx(116, abs=3)
    assert page.content.decode().count(reverse("anomalies-one", args=[odd.pk])) == 2
    assert [line.anomaly for line in page.context["events"] if line.anomaly] == [odd]
    other = client.get(reverse("devices-chart", args=["AIR-1"]) + "?metric=humidity&span=hour")
    assert not other.context["chart"].marks


def test_keys_and_certificates_say_how_they_stand(client, told, cast):
    now = datetime.now(UTC)
    for kind, serial, facts in (
        ("certificate", "ab12", {"not_after": now + timedelta(days=10)}),
        ("certificate", "cd34", {"not_after": now - timedelta(days=1)}),
        ("mqtt", "", {"revoked_at": now}),
    ):
        DeviceCredential.objects.create(device=told.salmiya, kind=kind, serial=serial, digest=serial or "x", **facts)
    client.force_login(cast.supervisor)
    page = client.get(reverse("devices-one", args=["AIR-1"]))
    stands = {(one.credential.kind, one.standing) for one in page.context["credentials"]}
    assert stands == {("key", "good"), ("certificate", "ending"), ("certificate", "ended"), ("mqtt", "revoked")}
    assert page.context["credentials"][-1].standing == "revoked"
    text = page.content.decode()
    assert "ab12" in text and "ends soon" in text and DeviceCredential.objects.get(device=told.salmiya, kind="key").digest not in text


def test_a_battery_says_when_it_ends_or_why_nobody_can_say(client, told, cast):
    today = timezone.localdate()
    Device.objects.filter(pk=told.salmiya.pk).update(battery_pct=40, status="online")
    BatteryDay.objects.bulk_create(BatteryDay(device=told.salmiya, day=today - timedelta(days=n), level_pct=40 + n) for n in range(5))
    client.force_login(cast.supervisor)
    assert "Too little history: 5 days, needs 14." in client.get(reverse("devices-one", args=["AIR-1"])).content.decode()
    assert (
        battery_lasts(Battery(None, None, None, None, days=1, why="too_little_history", needs=14)) == "Too little history: 1 day, needs 14."
    )
    fleet = client.get(reverse("fleet")).context["fleet"]
    assert (fleet.low, fleet.unknown, fleet.looked_at) == ([], 1, 1)
    BatteryDay.objects.bulk_create(BatteryDay(device=told.salmiya, day=today - timedelta(days=n), level_pct=40 + n) for n in range(5, 30))
    page = client.get(reverse("fleet"))
    (low,) = page.context["fleet"].low
    assert low.lasts.days_left == pytest.approx(30, abs=2) and "days left" in page.content.decode()


def test_one_metric_has_as_many_decimals_in_all_rows_of_a_table(client, told, cast):
    told.write([told.said(("humidity", 31.62, told.now), device=told.sharq)])
    client.force_login(cast.superadmin)
    text = client.get(reverse("devices")).content.decode()
    assert "40.00 %" in text and "31.62 %" in text
    assert digits_of([1.0, None, 0.25]) == 2 and measured(3.0, 1) == "3.0" and measured(None, 1) == "–"
