"""IOT-1: devices speak over HTTP, each for itself, and hear at once what is wrong."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta

import pytest
from django.test import Client

from iot.models import DeadReading, DeviceCredential, DeviceProfile, Reading
from iot.services import issue_device_key, revoke_credential, suspend_device
from iot.services.speaking import MOST_ROWS, write_down_limited
from iot.stream import Stream

pytestmark = pytest.mark.django_db
URL = "/api/v1/iot/readings"


@pytest.fixture
def send(sensors):
    def post(body, *, key=None, raw=None, **headers):
        data = raw if raw is not None else json.dumps(body)
        return Client().post(
            URL, data, content_type="application/json", headers={"Authorization": f"Device {key or sensors.key}", **headers}
        )

    return post


def reading(value=21.5, metric="temperature", **more):
    return {"metric": metric, "value": value, **more}


def test_one_reading_is_on_the_stream_when_it_is_answered_and_a_row_soon(send, sensors, drain):
    answer = send(reading(at=sensors.ago(seconds=5).isoformat()))
    assert answer.status_code == 202 and answer.json() == {"accepted": 1, "refused": 0, "results": []}
    assert Stream().standing()["readings"] == 1
    drain()
    row = Reading.objects.get()
    assert row.value == 21.5 and row.at == sensors.ago(seconds=5)


def test_the_key_may_come_in_a_header_of_its_own(sensors):
    answer = Client().post(URL, reading(), content_type="application/json", headers={"X-Device-Key": sensors.key})
    assert answer.status_code == 202


def test_a_batch_of_several_forms(send, sensors, drain):
    at = sensors.ago(seconds=30)
    body = {
        "readings": [
            reading(20, at=at.timestamp()),
            reading(20.5, at=int((at + timedelta(seconds=1)).timestamp() * 1000)),
            {"at": (at + timedelta(seconds=2)).isoformat(), "values": {"temperature": 21, "humidity": 40}},
        ],
        "battery_pct": 81,
    }
    assert send(body).json()["accepted"] == 4
    drain()
    assert sorted(Reading.objects.values_list("value", flat=True)) == [20, 20.5, 21, 40]
    sensors.salmiya.refresh_from_db()
    assert sensors.salmiya.battery_pct == 81


def test_a_word_about_itself_alone_says_that_it_is_there(send, sensors, drain):
    assert send({"battery_pct": 50}).status_code == 202
    drain()
    sensors.salmiya.refresh_from_db()
    assert sensors.salmiya.battery_pct == 50 and sensors.salmiya.last_seen_at is not None


def test_bodies_may_be_compressed_and_bombs_cost_their_limit(send):
    packed = gzip.compress(json.dumps([reading()]).encode())
    assert send(None, raw=packed, **{"Content-Encoding": "gzip"}).status_code == 202
    bomb = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
    assert send(None, raw=bomb, **{"Content-Encoding": "gzip"}).status_code == 413
    assert send(None, raw=b"x" * 300_000).status_code == 413


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"{", 400), (b'{"metric": "temperature", "value": NaN}', 400), (b'{"metric": "temperature", "value": 1e999}', 400),
        (b"\xff\xfe", 400), (b"[" * 10_000, 400), (b"[]", 422), (b"7", 422), (b"null", 422), (b'{"readings": 5}', 422),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_words_and_counted(send, raw, status):
    answer = send(None, raw=raw)
    assert answer.status_code == status and answer.headers["Content-Type"] == "application/problem+json"
    assert Stream().standing()["entries"] == 0
    if status == 400:
        assert DeadReading.objects.get().why == "unreadable"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"metric": "radiation", "value": 1}, "unknown_metric"),
        ({"value": 1}, "no_metric"),
        ({"values": {}}, "no_metric"),
        ({"values": [1]}, "no_metric"),
        (reading("21"), "not_a_number"),
        (reading(True), "not_a_number"),
        (reading(None), "not_a_number"),
        (reading(at="yesterday"), "no_time"),
        (reading(at="2026-03-02T09:00:05"), "no_time"),
        (reading(at=True), "no_time"),
        (reading(at=[1]), "no_time"),
        (reading(at=1e300), "no_time"),
        (reading(at=0), "too_old"),
        (reading(at="1970-01-01T00:00:00Z"), "too_old"),
        (reading(at="2099-01-01T00:00:00Z"), "future"),
        (5, "not_an_object"),
    ],
)
def test_each_thing_that_is_wrong_has_its_word(send, row, code):
    answer = send([row, reading()])
    assert answer.status_code == 202
    assert [result["code"] for result in answer.json()["results"]] == [code] and answer.json()["accepted"] == 1
    alone = send([row])
    assert alone.status_code == 422 and alone.json()["errors"][0]["code"] == code
    assert sum(dead.n for dead in DeadReading.objects.all()) == 2


def test_a_device_speaks_for_itself_alone(send, sensors):
    for body in ({**reading(), "device": "AIR-2"}, {"device": "AIR-2", "readings": [reading()]}, [{**reading(), "device": "NOT-THERE"}]):
        assert send(body).status_code == 404
    assert send({**reading(), "device": "AIR-1"}).status_code == 202
    assert Stream().standing()["readings"] == 1


def test_no_key_a_wrong_key_a_revoked_and_an_ended_one_are_all_401(send, sensors, cast):
    assert Client().post(URL, reading(), content_type="application/json").status_code == 401
    for wrong in ("", "kd_12345678_x", sensors.key[:-1] + "x", "kd__", "kd_é_x", "x" * 5_000):
        assert Client().post(URL, reading(), content_type="application/json", headers={"X-Device-Key": wrong}).status_code == 401
    credential = DeviceCredential.objects.get(device=sensors.salmiya)
    revoke_credential(credential=credential, by=cast.supervisor, reason="Lost")
    assert send(reading()).status_code == 401
    ended, secret = issue_device_key(device=sensors.salmiya, by=None, not_after=sensors.now + timedelta(hours=1))
    assert send(reading(), key=secret).status_code == 202
    DeviceCredential.objects.filter(pk=ended.pk).update(not_after=sensors.now)
    assert send(reading(), key=secret).status_code == 401


def test_a_suspended_device_is_known_and_not_heard(send, sensors, cast):
    suspend_device(device=sensors.salmiya, by=cast.supervisor, reason="Tampered with")
    answer = send(reading())
    assert answer.status_code == 403 and answer.json()["type"].endswith("not_in_use")


def test_a_partners_key_and_a_person_are_no_device(cast):
    client = Client()
    client.force_login(cast.superadmin, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(URL, reading(), content_type="application/json").status_code == 401


def test_one_that_floods_is_limited_counted_and_harms_nobody(send, sensors):
    DeviceProfile.objects.update(most_per_min=1)  # its allowance does not come back while the test runs
    whole = [reading(at=sensors.ago(seconds=n).isoformat()) for n in range(MOST_ROWS)]
    assert send(whole).status_code == 202
    for body in (whole, reading(), b"{"):
        answer = send(body) if not isinstance(body, bytes) else send(None, raw=body)
        assert answer.status_code == 429 and int(answer.headers["Retry-After"]) >= 1
    assert send(reading(), key=sensors.sharq_key).status_code == 202
    assert not DeadReading.objects.exists()
    assert write_down_limited(now=sensors.now) >= 3
    assert DeadReading.objects.get().why == "too_many" and write_down_limited(now=sensors.now) == 0


def test_more_than_a_batch_holds_is_refused_whole(send):
    assert send([reading()] * (MOST_ROWS + 1)).status_code == 422
    assert send([{"values": {"temperature": 1, "humidity": 2}}] * 600).status_code == 422


def test_a_full_stream_says_later(send, settings):
    settings.IOT_STREAM_MOST = 1
    assert send(reading()).status_code == 202
    answer = send(reading())
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "5" and answer.json()["type"].endswith("busy")


def test_no_redis_says_later_and_keeps_nothing(send, settings):
    settings.STREAMS_URL = "redis://127.0.0.1:1/0"
    answer = send(reading())
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "5"
