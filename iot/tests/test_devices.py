"""IOT-2: a device's life, who may change it, and who sees it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.gis.geos import Point
from django.urls import reverse

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry, Event
from iot.models import Device, DeviceCredential, DeviceGroup
from iot.services import (
    announce_itself,
    approve_device,
    change_device,
    issue_device_key,
    register_device,
    resume_device,
    retire_device,
    revoke_credential,
    suspend_device,
)
from iot.services.credentials import MOST_KEYS, who_shows

pytestmark = pytest.mark.django_db


def said() -> list[str]:
    return list(Event.objects.filter(subject_type="device").order_by("pk").values_list("type", flat=True))


def test_a_device_is_placed_by_its_location(sensors, places, cast):
    assert (sensors.salmiya.governorate_id, sensors.salmiya.area_id) == (places.hawalli.pk, places.salmiya.pk)
    moved = change_device(device=sensors.salmiya, by=cast.supervisor, changes={"location": places.in_jabriya})
    assert moved.area_id == places.jabriya.pk
    at_sea = register_device(code="BUOY", profile=sensors.air, agency=cast.police, by=None, location=places.at_sea)
    assert at_sea.governorate_id is None


def test_identities_are_kept_in_one_spelling_and_belong_to_one(sensors, cast):
    given = {"dev_eui": "A8-40-41-00-01-82-9C-1F", "msisdn": "00965 9912 3456", "mac": "00:1B:44:11:3A:B7"}
    device = register_device(code="L-1", profile=sensors.air, agency=cast.police, by=cast.superadmin, identities=given)
    assert (device.dev_eui, device.msisdn, device.mac) == ("a84041000182" + "9c1f", "+96599123456", "001b44113ab7")
    with pytest.raises(Invalid):
        register_device(code="L-2", profile=sensors.air, agency=cast.police, by=None, identities={"dev_eui": "a840410001829c1f"})
    for wrong in ({"imei": "12"}, {"serial": "1"}):
        with pytest.raises(Invalid):
            register_device(code="L-3", profile=sensors.air, agency=cast.police, by=None, identities=wrong)


@pytest.mark.parametrize("code", ["", "with space", "-x", "a/b", "x" * 65, "جهاز"])
def test_a_code_is_fit_for_an_address(sensors, cast, code):
    with pytest.raises(Invalid):
        register_device(code=code, profile=sensors.air, agency=cast.police, by=None)


def test_who_announces_itself_waits_until_a_person_looked(sensors, cast):
    device = announce_itself(code="NEW-1", profile=sensors.air, agency=cast.police, door="mqtt")
    assert (
        device.state == Device.State.QUARANTINED and announce_itself(code="NEW-1", profile=sensors.air, agency=cast.police).pk == device.pk
    )
    with pytest.raises(Conflict):
        announce_itself(code="NEW-1", profile=sensors.air, agency=cast.fire)
    sensors.write([sensors.said(("temperature", 20.0, None), device=device)])
    assert not device.datastreams.exists()
    approve_device(device=device, by=cast.superadmin, location=Point(47.92, 29.35, srid=4326))
    assert Device.objects.get(pk=device.pk).state == Device.State.ACTIVE
    assert said()[-2:] == ["device.registered", "device.approved"]
    assert AuditEntry.objects.filter(verb="device.approve", actor_name="root").exists()


def test_strangers_fill_no_table(sensors, cast, monkeypatch):
    monkeypatch.setattr("iot.services.devices.MOST_IN_QUARANTINE", 1)
    announce_itself(code="NEW-1", profile=sensors.air, agency=cast.police)
    with pytest.raises(Conflict):
        announce_itself(code="NEW-2", profile=sensors.air, agency=cast.police)


def test_each_step_is_taken_once_and_only_from_where_it_may_be(sensors, cast):
    device = sensors.salmiya
    with pytest.raises(Conflict):
        approve_device(device=device, by=cast.supervisor)
    with pytest.raises(Conflict):
        resume_device(device=device, by=cast.supervisor)
    suspend_device(device=device, by=cast.supervisor, reason="Moved")
    with pytest.raises(Conflict):
        suspend_device(device=device, by=cast.supervisor, reason="Again")
    resume_device(device=device, by=cast.supervisor)
    retire_device(device=device, by=cast.supervisor, reason="Broken")
    for verb in (suspend_device, retire_device, resume_device):
        with pytest.raises(Conflict):
            verb(device=device, by=cast.supervisor, reason="x")
    assert said()[-3:] == ["device.suspended", "device.resumed", "device.retired"]
    assert who_shows(sensors.key) is None
    with pytest.raises(Conflict):
        issue_device_key(device=device, by=cast.supervisor)


@pytest.mark.parametrize("who", ["analyst", "dispatcher", "officer", "auditor"])
def test_whoever_does_not_manage_devices_changes_none(sensors, cast, who):
    person = getattr(cast, who)
    with pytest.raises(NotAllowed):
        suspend_device(device=sensors.salmiya, by=person, reason="x")
    with pytest.raises(NotAllowed):
        issue_device_key(device=sensors.salmiya, by=person)
    with pytest.raises(NotAllowed):
        change_device(device=sensors.salmiya, by=person, changes={"name": "x"})


def test_a_device_of_another_governorate_is_not_there(sensors, cast, places):
    assert list(Device.objects.visible_to(cast.supervisor)) == [sensors.salmiya]
    for verb in (suspend_device, retire_device):
        with pytest.raises(NotFound):
            verb(device=sensors.sharq, by=cast.supervisor, reason="x")
    with pytest.raises(NotFound):
        revoke_credential(credential=DeviceCredential.objects.get(device=sensors.sharq), by=cast.supervisor)
    with pytest.raises(NotFound):
        register_device(code="X-1", profile=sensors.air, agency=cast.police, by=cast.supervisor, location=places.in_sharq)
    with pytest.raises(NotFound):
        change_device(device=sensors.salmiya, by=cast.supervisor, changes={"location": places.in_sharq})


def test_nothing_of_another_agency_is_tied_to_a_device(sensors, cast):
    foreign = DeviceGroup.objects.create(agency=cast.fire, code="g", name_en="G", name_ar="ج")
    with pytest.raises(Invalid):
        change_device(device=sensors.salmiya, by=cast.supervisor, changes={"groups": [foreign]})
    other = register_device(code="F-1", profile=sensors.air, agency=cast.fire, by=None)
    with pytest.raises(Invalid):
        change_device(device=sensors.salmiya, by=cast.supervisor, changes={"gateway": other})
    with pytest.raises(Invalid):
        change_device(device=sensors.salmiya, by=cast.supervisor, changes={"state": "active"})


def test_of_a_key_only_the_hash_is_kept_and_five_are_enough(sensors, cast):
    for _more in range(MOST_KEYS - 1):
        credential, secret = issue_device_key(device=sensors.salmiya, by=cast.supervisor)
    assert (
        secret not in str(DeviceCredential.objects.filter(pk=credential.pk).values()) and getattr(who_shows(secret), "code", "") == "AIR-1"
    )
    assert secret not in str(AuditEntry.objects.filter(verb="device.key_issue").values("after"))
    with pytest.raises(Conflict):
        issue_device_key(device=sensors.salmiya, by=cast.supervisor)
    revoke_credential(credential=credential, by=cast.supervisor)
    with pytest.raises(Conflict):
        revoke_credential(credential=credential, by=cast.supervisor)
    with pytest.raises(Invalid):
        issue_device_key(device=sensors.salmiya, by=cast.supervisor, not_after=sensors.now - timedelta(hours=1))


def test_the_centre_registers_changes_and_shows_what_was_said(sensors, cast, client):
    client.force_login(cast.supervisor, backend="django.contrib.auth.backends.ModelBackend")
    new = {
        "code": "AIR-3",
        "profile": sensors.air.pk,
        "agency": cast.police.pk,
        "location_lon": "47.92",
        "location_lat": "29.35",
        "mac": "00:1B:44:11:3A:B7",
    }
    answer = client.post(reverse("admin:iot_device_add"), new)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    made = Device.objects.get(code="AIR-3")
    assert made.governorate is not None and made.mac == "001b44113ab7" and made.state == "active"
    page = reverse("admin:iot_device_change", args=[made.pk])
    assert client.post(page, {"name": "By the gate", "location_lon": "47.92", "location_lat": "29.35", "mac": made.mac}).status_code == 302
    made.refresh_from_db()
    assert made.name == "By the gate" and made.state == "active"
    sensors.write([sensors.said(("temperature", 300.0, sensors.ago(minutes=1)), device=made)])
    text = client.get(page).content.decode()
    assert "out of range" in text and "°C" in text
    assert client.get(reverse("admin:iot_device_change", args=[sensors.sharq.pk])).status_code == 404


def test_the_centre_shows_a_key_once_and_approves(sensors, cast, client):
    client.force_login(cast.supervisor, backend="django.contrib.auth.backends.ModelBackend")
    listing = reverse("admin:iot_device_changelist")
    act = {"_selected_action": [sensors.salmiya.pk], "apply": "1"}
    shown = client.post(listing, {**act, "action": "give_key"})
    assert b"kd_" in shown.content and "no-store" in shown.headers["Cache-Control"]
    assert b"kd_" not in client.get(reverse("admin:iot_device_change", args=[sensors.salmiya.pk])).content
    client.post(listing, {**act, "action": "suspend", "reason": "Tampered with"})
    assert Device.objects.get(pk=sensors.salmiya.pk).state == "suspended"
    client.post(listing, {**act, "_selected_action": [sensors.sharq.pk], "action": "suspend", "reason": "Not mine"})
    assert Device.objects.get(pk=sensors.sharq.pk).state == "active"


def test_the_feeds_of_sensors_are_for_those_who_see_everything(sensors, cast, client):
    listing = reverse("admin:iot_deadreading_changelist")
    for person, sees in ((cast.supervisor, False), (cast.superadmin, True)):
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        assert ("Feeds of sensors" in client.get(listing).content.decode()) is sees


def test_no_redis_is_said_on_the_page_of_feeds(sensors, cast, client, settings):
    settings.STREAMS_URL = "redis://127.0.0.1:1/0"
    client.force_login(cast.superadmin, backend="django.contrib.auth.backends.ModelBackend")
    assert "send again later" in client.get(reverse("admin:iot_deadreading_changelist")).content.decode()
