"""IOT-1: devices that report by SMS, through their provider's webhook: Twilio's with its signature, anybody's with a token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from django.test import Client

from iot.models import DeadReading, Device, DeviceNetwork, DeviceProfile, HeardMessage, Reading
from iot.services import register_device
from iot.services.networks import issue_network_token, keep_network
from iot.services.standard_profiles import ensure_profiles

pytestmark = pytest.mark.django_db
NUMBER = "+96550001234"


@pytest.fixture
def tank(sensors, cast, places):
    ensure_profiles()
    profile = DeviceProfile.objects.get(code="tank_sms")
    return register_device(
        code="T-1", profile=profile, agency=cast.police, by=None, location=places.in_salmiya, identities={"msisdn": NUMBER}
    )


@pytest.fixture
def send(tank, cast):
    network = keep_network(network=DeviceNetwork(agency=cast.police, name="SMS", kind="sms"), by=cast.superadmin)
    token = issue_network_token(network=network, by=cast.superadmin)

    def post(text, *, id="m-1", sender=NUMBER, raw=None, key=None, **more):
        body = {"id": id, "sender": sender, "text": text, **more} if raw is None else None
        headers = {"X-Network-Token": key or token}
        return Client().post("/api/v1/iot/sms", raw or json.dumps(body), content_type="application/json", headers=headers)

    return post


def test_a_level_and_a_battery(send, tank, drain):
    assert send("LEVEL 3.2 BAT 81").json() == {"outcome": "taken", "taken": 1, "refused": 0}
    drain()
    tank.refresh_from_db()
    assert Reading.objects.get().value == 3.2 and tank.battery_pct == 81


def test_a_message_that_is_delivered_twice_counts_once(send, drain):
    assert [send("LEVEL 3.2", id=id).json()["outcome"] for id in ("a", "a", "b")] == ["taken", "repeated", "taken"]
    drain()
    assert Reading.objects.count() == 2 and HeardMessage.objects.count() == 2


def test_a_strangers_number_is_counted_and_neither_announced_nor_kept(send, tank):
    before = Device.objects.count()
    for sender in ("+96550009999", "garbage", "0" * 32):
        assert send("LEVEL 3.2 from my phone", sender=sender).json()["outcome"] == "stranger"
    assert Device.objects.count() == before
    dead = DeadReading.objects.get()
    assert (dead.why, dead.n, bytes(dead.raw)) == ("unknown_device", 3, b"") and "9999" not in dead.detail


def test_what_cannot_be_read_is_refused(send, tank, cast):
    assert send("hello", id="1").json()["outcome"] == "refused"
    assert send("LEVEL 3", id="2", at="1970-01-01T00:00:00Z").json()["outcome"] == "refused"
    assert send("LEVEL 3", id="3", at="2099-01-01T00:00:00Z").json()["outcome"] == "refused"
    for raw, status in ((b"{", 400), (b"[]", 422), (b'{"id": "x"}', 422), (b"x" * 1_000_000, 413)):
        assert send("", raw=raw).status_code == status
    assert send("LEVEL 3", key="kn_x").status_code == 401
    Device.objects.filter(pk=tank.pk).update(state="suspended")
    assert send("LEVEL 3", id="4").json()["outcome"] == "not_in_use"
    Device.objects.filter(pk=tank.pk).update(agency=cast.fire, state="active")
    assert send("LEVEL 3", id="5").json()["outcome"] == "stranger"


def test_while_the_stream_is_away_it_may_come_again(send, settings):
    url = settings.STREAMS_URL
    settings.STREAMS_URL = "redis://127.0.0.1:1/0"
    assert send("LEVEL 3").status_code == 503
    settings.STREAMS_URL = url
    assert send("LEVEL 3").json()["outcome"] == "taken"


def test_twilio_by_its_signature(tank, settings, drain):
    settings.PUBLIC_URL, settings.TWILIO_AUTH_TOKEN = "https://k.example", "secret"
    form = {"MessageSid": "SM1", "From": NUMBER, "To": "+15005550006", "Body": "LEVEL 2.5 BAT 60"}
    path = "/api/v1/iot/sms/twilio"
    text = settings.PUBLIC_URL + path + "".join(name + form[name] for name in sorted(form))
    signature = base64.b64encode(hmac.new(b"secret", text.encode(), hashlib.sha1).digest()).decode()
    for wrong in ("", "AAAA", signature[:-3] + "A=="):
        assert Client().post(path, form, headers={"X-Twilio-Signature": wrong}).status_code == 403
    for _again in range(2):
        answer = Client().post(path, form, headers={"X-Twilio-Signature": signature})
        assert answer.status_code == 200 and answer.content == b"<Response/>"
    drain()
    assert Reading.objects.get().value == 2.5
    assert Client().post(path, {**form, "Body": "x" * 70_000}, headers={"X-Twilio-Signature": signature}).status_code == 413
    settings.TWILIO_AUTH_TOKEN = ""
    assert Client().post(path, form, headers={"X-Twilio-Signature": signature}).status_code == 403
