"""IOT-1: a profile's decoder is tried on a pasted payload, and nothing of it is kept anywhere."""

from __future__ import annotations

import logging

import pytest
from django.test import Client
from django.urls import reverse

from core.errors import Invalid
from core.models import AuditEntry
from iot.models import DeadReading, DeviceProfile
from iot.services.standard_profiles import ensure_profiles
from iot.services.trying import LONGEST, try_decoder
from iot.stream import Stream

pytestmark = pytest.mark.django_db


@pytest.fixture
def profiles(db):
    ensure_profiles()
    return {profile.code: profile for profile in DeviceProfile.objects.prefetch_related("metrics")}


@pytest.mark.parametrize(
    ("code", "form", "payload", "found", "facts"),
    [
        ("tank_sms", "text", "LEVEL 3.2 BAT 81", {"level": 3.2}, {"battery_pct": 81}),
        ("air_lora", "hex", "01 67 01 0e 02 68 50", {"temperature": 27, "humidity": 40}, {}),
        ("air_lora", "base64", "AWcBDgJo\nUA==", {"temperature": 27, "humidity": 40}, {}),
        ("air", "json", '{"values": {"temperature": 21.5}, "battery_pct": 9}', {"temperature": 21.5}, {"battery_pct": 9}),
    ],
)
def test_what_a_payload_would_become(profiles, code, form, payload, found, facts):
    tried = try_decoder(profile=profiles[code], payload=payload, form=form)
    assert ({one.metric: one.value for one, _against in tried.readings}, dict(tried.facts), tried.problem) == (found, facts, "")


def test_what_is_said_against_it(profiles):
    tried = try_decoder(profile=profiles["air"], payload='{"values": {"temperature": 900, "noise": 50, "plate": 1}}', form="json")
    assert [bool(against) for _one, against in tried.readings] == [True, False] and tried.problem
    assert try_decoder(profile=profiles["air_lora"], payload="ffff", form="hex").problem
    assert try_decoder(profile=profiles["air"], payload="{", form="json").problem == "not JSON"
    profiles["air"].decoder, profiles["air"].decoder_settings = "json_path", {"fields": []}
    assert "fields" in try_decoder(profile=profiles["air"], payload="{}", form="json").problem


@pytest.mark.parametrize(("payload", "form"), [("xyz", "hex"), ("***", "base64"), ("é", "base64"), ("x" * (LONGEST + 1), "text")])
def test_what_is_not_of_its_form_is_refused(profiles, payload, form):
    with pytest.raises(Invalid):
        try_decoder(profile=profiles["air_lora"], payload=payload, form=form)


def test_on_a_profiles_page_and_nothing_is_kept_or_logged(profiles, cast, caplog):
    caplog.set_level(logging.DEBUG)
    client = Client()
    client.force_login(cast.superadmin, backend="django.contrib.auth.backends.ModelBackend")
    url = reverse("admin:iot_deviceprofile_changelist")
    asked = {"action": "try_decoder", "_selected_action": profiles["tank_sms"].pk}
    assert b"tank_sms" not in client.post(url, asked).content or client.post(url, asked).status_code == 200
    before = AuditEntry.objects.count()
    answer = client.post(url, asked | {"apply": "1", "form": "text", "payload": "LEVEL 3.2 BAT 81 77XQZ31415"})
    text = answer.content.decode()
    assert answer.status_code == 200 and "<code>level</code>" in text and "no-store" in answer.headers["Cache-Control"]
    bad = client.post(url, asked | {"apply": "1", "form": "hex", "payload": "77XQZ31415"})
    assert bad.status_code == 200 and bad.content.count(b"77XQZ31415") == 1  # in the box it was pasted into
    assert "77XQZ31415" not in caplog.text
    assert AuditEntry.objects.count() == before and not DeadReading.objects.exists() and Stream().standing()["entries"] == 0


def test_who_may_not_manage_devices_may_not(profiles, cast):
    client = Client()
    client.force_login(cast.officer, backend="django.contrib.auth.backends.ModelBackend")
    asked = {"action": "try_decoder", "_selected_action": profiles["tank_sms"].pk, "apply": "1", "form": "text", "payload": "LEVEL 3.2"}
    assert b"<code>level</code>" not in client.post(reverse("admin:iot_deviceprofile_changelist"), asked).content
