"""IOT-1, IOT-3: nothing that a device was told is kept is lost, by HTTP or MQTT. Real services of the test's own under load: writers and
the gateway are killed again and again, the Redis of the streams is killed and away for a minute, PostgreSQL is killed and away for a
minute. The test keeps a ledger of what was acknowledged and compares it with the rows."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from benchmarks.own import Own, own_services

pytestmark = pytest.mark.faults

AWAY_S = 60
DEVICES = 12
BATCH = 40
SETUP = f"""
from django.utils import timezone
from accounts.models import Agency
from geography.models import Zone
from incidents.services.vocabulary import ensure_vocabulary
from iot.models import Device, DeviceProfile, Metric
from iot.services import issue_device_key, issue_mqtt_password
from iot.services.partitions import keep_days_ready
ensure_vocabulary()
keep_days_ready(now=timezone.now())
police, place = Agency.objects.get(slug="police"), Zone.objects.filter(level="governorate").first()
profile = DeviceProfile.objects.create(code="drill", name_en="D", name_ar="D", kind="environment", expected_every_s=60, most_per_min=600000)
Metric.objects.create(profile=profile, code="temperature", name_en="T", name_ar="T", least=-50, most=1e9)
for n in range({DEVICES}):
    device = Device.objects.create(code=f"D{{n}}", profile=profile, agency=police, governorate=place, state="active", is_synthetic=True)
    print("KEY", issue_device_key(device=device, by=None)[1], issue_mqtt_password(device=device, by=None)[1])
"""
PROGRAMS = {"writer one": "telemetry_writer", "writer two": "telemetry_writer", "gateway": "mqtt_gateway"}


@dataclass
class Ledger:
    """What was acknowledged: (device, microsecond) -> value. By MQTT an answer is 0."""

    acknowledged: dict[tuple[str, int], float] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Device(threading.Thread):
    """Sends a batch, keeps it until it is acknowledged, as a device with a buffer does."""

    def __init__(self, place: int, secret: str, url: str, ledger: Ledger, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.code, self.secret, self.ledger, self.over = f"D{place}", secret, ledger, over
        self.where = urlsplit(url)
        self.value = place * 1_000_000

    def run(self) -> None:
        while not self.over.wait(0.2):
            now = time.time_ns() // 1_000
            rows = {now - n * 1_000: float(self.value + n) for n in range(BATCH)}
            self.value += BATCH
            body = json.dumps({"readings": [{"metric": "temperature", "value": value, "at": at / 1e6} for at, value in rows.items()]})
            while not self.over.is_set() and not self.is_kept(body, rows):
                self.over.wait(0.5)

    def is_kept(self, body: str, rows: dict[int, float]) -> bool:
        raise NotImplementedError

    def note(self, answer: int, rows: dict[int, float], *, is_kept: bool) -> bool:
        with self.ledger.lock:
            self.ledger.answers[answer] += 1
            if is_kept:
                self.ledger.acknowledged.update({(self.code, at): value for at, value in rows.items()})
        return is_kept


class ByHttp(Device):
    def is_kept(self, body: str, rows: dict[int, float]) -> bool:
        status, told = 0, {}
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(self.where.hostname or "", self.where.port, timeout=30)
            headers = {"Content-Type": "application/json", "X-Device-Key": self.secret}
            connection.request("POST", "/api/v1/iot/readings", body, headers)
            answer = connection.getresponse()
            status, told = answer.status, json.loads(answer.read() or b"{}")
            connection.close()
        return self.note(status, rows, is_kept=status == 202 and told.get("accepted") == len(rows))


class ByMqtt(Device):
    def run(self) -> None:
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=self.code, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.username_pw_set(self.code, self.secret)
        self.client.connect(self.where.hostname or "", self.where.port or 0)
        self.client.loop_start()
        super().run()
        self.client.loop_stop()

    def is_kept(self, body: str, rows: dict[int, float]) -> bool:
        message = self.client.publish(f"khareetaty/sensors/{self.code}/up", body, qos=1)
        while not message.is_published() and not self.over.is_set():
            message.wait_for_publish(1)
        return self.note(int(message.rc), rows, is_kept=message.is_published())


@dataclass
class Site:
    """All of the way from a device to its row, and nothing of anybody else."""

    own: Own
    url: str
    secrets: list[tuple[str, str]]  # of each device its key and its password at the broker
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        self.running[name] = self.own.begin(name, PROGRAMS[name])

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def replace(self, *names: str) -> None:
        for name in names:
            self.kill(name)
            self.start(name)

    def rows(self) -> dict[tuple[str, int], float]:
        with psycopg.connect(self.own.database) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # both as they are at one moment: the writer goes on
            found = connection.execute(
                "SELECT d.code, (extract(epoch FROM r.at) * 1000000)::bigint, r.value FROM iot_reading r "
                "JOIN iot_datastream s ON s.id = r.datastream_id JOIN iot_device d ON d.id = s.device_id"
            ).fetchall()
            rolled = connection.execute("SELECT coalesce(sum(n), 0) FROM iot_rollup_1d").fetchone()
        assert rolled is not None and int(rolled[0]) == len(found), "the roll-ups count what the rows are"
        return {(code, at): value for code, at, value in found}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with own_services(tmp_path / "var", "cache", "streams", "broker", DJANGO_SETTINGS_MODULE="khareetaty.settings") as own:
        secrets = [(key, password) for key, password in map(str.split, own.shell(SETUP)["KEY"])]
        with own.web() as (url, _web):
            whole = Site(own, url, secrets)
            for name in PROGRAMS:
                whole.start(name)
            try:
                yield whole
            finally:
                for name in [*whole.running]:
                    whole.kill(name)


def killed(pid: int | None, number: signal.Signals) -> None:
    assert pid is not None, "it was running"
    os.kill(pid, number)


def reaches(condition: Any, patience_s: float = 120) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.2)


def missing(wanted: dict[tuple[str, int], float], kept: dict[tuple[str, int], float]) -> list[tuple[str, int]]:
    return [key for key, value in wanted.items() if kept.get(key) != value]


def lets_in(site: Site) -> bool:
    """The gateway wrote the devices' accounts for the broker."""
    return (site.own.broker.sensors / "accounts").read_text().count("\n") == DEVICES


@pytest.mark.parametrize("door", [ByHttp, ByMqtt])
def test_nothing_acknowledged_is_lost_while_writers_the_gateway_redis_and_postgresql_die(site, door):
    ledger, over = Ledger(), threading.Event()
    reaches(lambda: lets_in(site))
    by_mqtt = door is ByMqtt
    url = site.own.broker.sensor_url("", "") if by_mqtt else site.url
    devices = [door(place, secrets[by_mqtt], url, ledger, over) for place, secrets in enumerate(site.secrets)]
    for device in devices:
        device.start()

    def grows(by: int = 2_000) -> None:
        before = len(ledger.acknowledged)
        reaches(lambda: len(ledger.acknowledged) >= before + by)

    grows()
    for kill in range(6):
        site.replace("writer one" if kill % 2 else "writer two", "gateway")
        grows(500)

    killed(site.own.streams.server(), signal.SIGKILL)
    before = len(ledger.acknowledged)
    time.sleep(AWAY_S)
    if not by_mqtt:
        assert len(ledger.acknowledged) - before <= DEVICES * BATCH, "what was on its way may have been answered, and nothing after it"
    site.replace("writer one", "gateway")
    site.own.streams.start()
    grows()

    killed(site.own.postgres.postmaster(), signal.SIGQUIT)  # an immediate end, as a crash is: it recovers when it comes back
    time.sleep(AWAY_S / 2)
    site.replace("writer two", "gateway")
    time.sleep(AWAY_S / 2)
    site.own.postgres.start()
    grows()

    over.set()
    for device in devices:
        device.join(40)
    wanted = dict(ledger.acknowledged)
    patience = time.monotonic() + 240
    while lost := missing(wanted, site.rows()):
        assert time.monotonic() < patience, f"{len(lost)} of {len(wanted)} acknowledged readings are not there: {lost[:5]}"
        time.sleep(5)
    assert site.own.waiting() == 0 or by_mqtt
    assert by_mqtt or ledger.answers[503], "devices were told to come again"
    assert len(wanted) > 8_000
