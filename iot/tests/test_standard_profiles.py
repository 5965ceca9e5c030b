"""IOT-1, IOT-2, IOT-4: a new installation knows one device of each kind."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from iot.decoders import decoder
from iot.models import DeviceProfile, Metric
from iot.models.profiles import DeviceKind
from iot.services.speaking import FACTS
from iot.services.standard_profiles import STANDARD, ensure_profiles

pytestmark = pytest.mark.django_db


def test_they_are_made_once_and_what_a_person_changed_stays():
    assert ensure_profiles() == len(STANDARD)
    Metric.objects.filter(profile__code="air", code="temperature").update(most=55)
    Metric.objects.filter(profile__code="air", code="noise").delete()
    assert ensure_profiles() == 0
    assert Metric.objects.get(profile__code="air", code="temperature").most == 55
    assert not Metric.objects.filter(profile__code="air", code="noise").exists()


def test_each_is_whole_and_in_both_languages():
    ensure_profiles()
    for profile in DeviceProfile.objects.prefetch_related("metrics"):
        try:
            profile.full_clean()
            for metric in profile.metrics.all():
                metric.full_clean()
        except ValidationError as wrong:
            pytest.fail(f"{profile.code}: {wrong}")
        rows: list[Any] = [profile, *profile.metrics.all()]
        for row in rows:
            assert row.name_en.isascii() or "²" in row.name_en
            assert any("\u0600" <= letter <= "\u06ff" for letter in row.name_ar), row.name_ar
        assert profile.metrics.exists()
    assert set(DeviceProfile.objects.values_list("kind", flat=True)) == set(DeviceKind.values) - {"other"}


def test_a_decoders_readings_are_metrics_of_its_profile_or_facts_of_the_device():
    ensure_profiles()
    for code, payload in (("tank_sms", b"LEVEL 3.2 BAT 81"), ("air_lora", bytes.fromhex("0167010e026850"))):
        profile = DeviceProfile.objects.get(code=code)
        found = {one.metric for one in decoder(profile.decoder, profile.decoder_settings)(payload)}
        assert found <= {*profile.metrics.values_list("code", flat=True), *FACTS} and len(found) == 2
