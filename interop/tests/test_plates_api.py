"""IOT-4: plate readers' messages in, numbers out. After all of it no plate is in a table, in Redis, in a log, on a disk or in an answer."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test import Client

from interop.services import issue_key
from iot.models import DeadReading, PlateHour
from iot.services.plates import write_down_plates
from iot.stream import Stream

pytestmark = pytest.mark.django_db
PLATE = "77XQZ31415"
SPELLINGS = ("77XQZ31415", "77xqz31415", "77-XQZ 31415", "77 XQZ/31415")


@pytest.fixture(autouse=True)
def _own_salts(settings, tmp_path):
    settings.IOT_SALT_DIR = str(tmp_path)


@pytest.fixture
def partner(police_system, places, standard):
    return issue_key(partner=police_system, name="lpr", scopes=["telemetry:write"], by=None, governorates=[places.hawalli])[1]


def plate_recognizer(plate, camera="S-PLATES"):
    return {"hook": {"id": "1"}, "data": {"camera_id": camera, "results": [{"plate": plate, "score": 0.9, "vehicle": {"type": "Sedan"}}]}}


def verkada(plate):
    return {"webhook_type": "lpr", "data": {"camera_id": "x", "license_plate_number": plate, "confidence": 0.98}}


def openalpr(plate):
    return {"data_type": "alpr_results", "camera_id": 7, "results": [{"plate": plate, "confidence": 91.2}]}


def everything_kept(tmp_path):
    """Every row of every table, every key and value of both Redis servers, every file of the salts, as one text."""
    parts: list[str] = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT schemaname || '.\"' || tablename || '\"' FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT t::text FROM {table} t")
            for (row,) in cursor.fetchall():
                parts.append(row)
                if "\\\\x" in row or "\\x" in row:  # bytes are shown in hexadecimal
                    parts += [bytes.fromhex(piece).decode("latin-1") for piece in _hex_in(row)]
    stream = Stream()
    servers: list[Any] = [stream.client, redis.Redis.from_url(settings.REDIS_URL)]
    for client in servers:
        for key in client.scan_iter("*", count=1_000):
            parts.append(key.decode("latin-1"))
            dumped = client.dump(key)
            parts.append(dumped.decode("latin-1") if dumped else "")
            kind = client.type(key)
            value = {b"string": client.get, b"set": client.smembers, b"hash": client.hgetall, b"stream": client.xrange}.get(kind)
            parts.append(str(value(key)) if value else "")
    parts += [path.read_bytes().decode("latin-1") for path in Path(tmp_path).rglob("*") if path.is_file()]
    return "\n".join(parts)


def _hex_in(row):
    return [piece for piece in re.findall(r"\\x([0-9a-f]+)", row) if len(piece) % 2 == 0]


@pytest.mark.parametrize(
    "said", [plate_recognizer, verkada, openalpr, lambda plate: {"plate": plate}, lambda plate: {"hits": [{"plate": plate}]}]
)
def test_each_makers_message_ends_as_numbers(standard, drain, said):
    answer = standard.post("lpr-hits", said(PLATE), as_="plates")
    assert answer.status_code == 202 and answer.json()["accepted"] == 3
    drain()
    values = {stream.metric.code: stream.last_value for stream in standard.devices["plates"].datastreams.select_related("metric")}
    assert values == {"vehicles_read": 1, "vehicles_distinct": 1, "vehicles_distinct_hour": 1}


def form(message, *, picture=b"", boundary="b0undary", name="json", as_file=False):
    """As Plate Recognizer Stream posts it: the message in one part, a picture in another."""
    kind = '; filename="x.json"\r\nContent-Type: application/json' if as_file else ""
    message = message if isinstance(message, bytes) else json.dumps(message).encode()
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{kind}\r\n\r\n'.encode() + message + b"\r\n"]
    if picture:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="upload"; filename="p.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        parts.append(head.encode() + picture + b"\r\n")
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])


def post_form(standard, raw, *, key="", boundary="b0undary", path="lpr-hits"):
    headers = {"X-API-Key": key} if key else {"X-Device-Key": standard.keys["plates"]}
    return Client().post(f"/api/v1/iot/{path}", raw, content_type=f"multipart/form-data; boundary={boundary}", headers=headers)


@pytest.mark.parametrize("as_file", [False, True])
def test_a_form_with_a_picture_is_its_message_alone(standard, partner, drain, as_file):
    picture = b"\xff\xd8" + bytes(range(256)) * 4_000  # a megabyte
    answer = post_form(standard, form(plate_recognizer(PLATE), picture=picture, as_file=as_file))
    assert answer.status_code == 202 and answer.json()["accepted"] == 3
    assert post_form(standard, form(plate_recognizer("2")), key=partner).json()["accepted"] == 3
    drain()
    values = {stream.metric.code: stream.last_value for stream in standard.devices["plates"].datastreams.select_related("metric")}
    assert values["vehicles_distinct_hour"] == 2


FORMS = {
    "no part json": (form({"plate": PLATE}, name="other"), 400), "no JSON": (form(PLATE.encode()), 400), "nothing": (b"", 422),
    "cut off in its message": (form({"hits": [{"plate": PLATE}]})[:90], 400), "no form": (PLATE.encode(), 400),
    "another boundary": (form({"plate": PLATE}, boundary="other"), 400), "a list": (form([PLATE]), 422),
    "a message that is too long": (form(b'{"plate": "' + PLATE.encode() + b'"}' + b" " * 300_000), 413),
    "a file that is too long": (form(b'{"plate": "' + PLATE.encode() + b'"}' + b" " * 300_000, as_file=True), 413),
    "a thousand parts": (form({"plate": PLATE}, name="x").replace(b"--b0undary--\r\n", b"") * 1_100 + form({"plate": PLATE}), 400),
}  # fmt: skip


@pytest.mark.parametrize("what", FORMS)
def test_a_form_that_is_none_is_refused_and_counted(standard, what):
    raw, status = FORMS[what]
    assert post_form(standard, raw).status_code == status
    assert DeadReading.objects.count() == (0 if status == 413 else 1)


def test_a_form_larger_than_what_is_kept_in_memory_is_refused_unread(standard, settings):
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10_000
    assert post_form(standard, form(plate_recognizer(PLATE), picture=b"x" * 10_000)).status_code == 413
    assert post_form(standard, form(plate_recognizer(PLATE), picture=b"x" * 5_000)).status_code == 202


def test_a_partner_names_the_device_or_the_message_names_its_camera(standard, partner, sensors):
    assert standard.post("lpr-hits", plate_recognizer("1"), key=partner).json()["accepted"] == 3
    assert standard.post("lpr-hits?device=S-PLATES", verkada("1"), key=partner).json()["accepted"] == 3
    assert standard.post("lpr-hits", {"device": "S-PLATES", "plate": "1"}, key=partner).json()["accepted"] == 3
    for unknown in (plate_recognizer("1", camera="NONE"), {"plate": "1", "device": "AIR-2"}):
        assert standard.post("lpr-hits", unknown, key=partner).status_code == 404
    assert standard.post("lpr-hits?device=S-MOTION", {"plate": "1"}, as_="plates").status_code == 404


def test_a_device_that_counts_no_vehicles_is_told_so(standard):
    answer = standard.post("lpr-hits", {"plate": PLATE}, as_="water")
    assert answer.status_code == 422 and answer.json()["errors"][0]["code"] == "unknown_metric"


def test_no_plate_is_anywhere_afterwards(standard, partner, drain, sensors, caplog, capfd, tmp_path):
    """Sent well, broken, too large, misspelt, to the wrong door, by a stranger: what is scanned is everything there is."""
    caplog.set_level(logging.DEBUG)
    answers = []

    def send(path, body, **how):
        answers.append(standard.post(path, body, **how))
        return answers[-1]

    for spelling in SPELLINGS:
        for said in (plate_recognizer, verkada, openalpr):
            send("lpr-hits", said(spelling), as_="plates")
        send("lpr-hits?device=S-PLATES", verkada(spelling), key=partner)
    whole = json.dumps({"hits": [{"plate": PLATE}]})
    broken = [
        whole[:-1].encode(),  # cut off
        f'{{"{PLATE}": 1, "{PLATE}": 2}}'.encode(),  # a name twice
        f'{{"plate": {PLATE}}}'.encode(),
        f'{{"plate": "{PLATE}", "at": 1e999}}'.encode(),
        f'{{"plate": "{PLATE}\\u0000"}}'.encode(),
        f'{{"plate": "{PLATE}\\ud800"}}'.encode(),
        (whole + " " * 300_000).encode(),
    ]
    for raw in broken:
        assert send("lpr-hits", None, raw=raw, as_="plates").status_code in (400, 413, 422), raw
        send("lpr-hits", None, raw=raw, key=partner)
        send("lpr-hits", None, raw=raw, key="nobody")
        send("readings", None, raw=raw, as_="plates")
    picture = f"a picture with {PLATE} in it".encode()
    answers += [post_form(standard, form(plate_recognizer(spelling), picture=picture)) for spelling in SPELLINGS]
    for raw, _status in FORMS.values():
        answers += [post_form(standard, raw + picture, key=key) for key in ("", partner, "nobody")]
        post_form(standard, raw, path="readings")
    wrong = [
        {"plate": [PLATE]}, {"plate": PLATE * 4}, {PLATE: "x"}, {"plate": PLATE, "at": PLATE}, {"plate": PLATE, "confidence": PLATE},
        {"hits": [{"plate": PLATE, "confidence": 7}]}, {"hits": PLATE}, [PLATE], PLATE, {"data_type": "alpr_results", "results": PLATE},
        {"plate": PLATE, "at": "2099-01-01T00:00:00Z"}, {"plate": PLATE, "at": 0}, {"plate": PLATE, "device": PLATE},
        plate_recognizer(PLATE, camera=PLATE),
    ]  # fmt: skip
    for body in wrong:
        send("lpr-hits", body, as_="plates")
        send("lpr-hits", body, key=partner)
        for door in ("readings", "motion", "crowd-density", "camera-status", "environmental"):
            send(door, body, as_="plates")
            send(door, body, as_="camera")
    for row in (
        {"metric": PLATE, "value": 1},
        {"metric": "vehicles_read", "value": PLATE},
        {"values": {PLATE: 1}},
        {"values": {"motion": PLATE}},
    ):
        send("readings", row, as_="plates")
        send("devices/S-PLATES/readings", row, key=partner)
    send("camera-status", {"status": PLATE}, as_="camera")
    assert Client().post("/api/v1/iot/lpr-hits", whole, content_type="application/json").status_code == 401
    drain()
    write_down_plates(now=sensors.now)
    assert PlateHour.objects.exists() and DeadReading.objects.exists()
    found = everything_kept(tmp_path) + caplog.text + "".join(capfd.readouterr())
    found += "".join(answer.content.decode() for answer in answers if "lpr-hits" in answer.wsgi_request.path)
    for spelling in (*SPELLINGS, PLATE.lower()):
        assert spelling not in found, found[max(0, found.index(spelling) - 300) : found.index(spelling) + 100]
    assert all(answer.status_code < 500 for answer in answers)
