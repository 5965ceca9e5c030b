"""IOT-3, OPS-1: the demo's devices are labelled synthetic, believable, faulty where they should be, and speak through the real door."""

from __future__ import annotations

import io
import json
import socket
import stat
import threading
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from demo.devices.device import Measured, SyntheticDevice
from demo.devices.driver import Driver
from demo.devices.faults import EVERY_S, GAP_S, STUCK_S, Fault, fault_of, faults_from
from demo.devices.protocols import DOORS, Away, Refused
from demo.devices.protocols.tcp import Tcp
from demo.services import devices as demo_devices
from demo.services.devices import Fleet, add_devices, create_demo_devices, keys_file, known_keys, synthetic
from iot.models import DeadReading, Device, Reading, RollupHour
from iot.quality import BAD
from iot.services.partitions import keep_days_ready

DAY = np.arange(1_760_000_000, 1_760_086_400, 300, dtype=np.float64)
TEMPERATURE = Measured("temperature", -20, 80)


def device(pk: int = 7, fault: Fault | None = None, **facts) -> SyntheticDevice:
    return SyntheticDevice(pk=pk, code=f"D-{pk}", key="k", every_s=300, metrics=[TEMPERATURE], fault=fault, **facts)


@pytest.fixture
def few(cast, places, settings, tmp_path, monkeypatch):
    """A demo of three kinds and nine devices."""
    settings.VAR_DIR = tmp_path
    fleets = (
        Fleet("gateway", "fire", "GW", 1, ("is_online",)),
        Fleet("air", "fire", "AIR", 5, ("temperature", "humidity"), is_behind_gateway=True),
        Fleet("water", "police", "WTR", 3, ("pressure",)),
    )
    monkeypatch.setattr(demo_devices, "FLEETS", fleets)
    keep_days_ready(now=datetime.now(UTC))
    return places


def test_a_value_follows_from_the_device_and_the_instant_alone():
    first, again = device().readings(DAY), device().readings(DAY[100:])
    assert (first["temperature"][100:] == again["temperature"]).all(), "live values go on where the history ended"
    assert (device(8).readings(DAY)["temperature"] != first["temperature"]).mean() > 0.9


def test_a_day_is_warmer_in_the_afternoon_than_at_night_and_stays_in_its_range():
    told = device().readings(DAY)["temperature"]
    hour = (DAY + 3 * 3600) % 86_400 // 3600
    assert told[(hour >= 13) & (hour < 17)].mean() > told[(hour >= 1) & (hour < 5)].mean() + 5
    assert told.min() >= -20 and told.max() <= 80


@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_does_what_its_name_says(fault):
    told, well = device(fault=fault).readings(DAY)["temperature"], device().readings(DAY)["temperature"]
    heard = device(fault=fault).is_heard(DAY)
    if fault == Fault.SPIKE:
        assert 0 < (told - well > 20).sum() < len(DAY) / 10
    elif fault == Fault.STUCK:
        still = np.diff(told) == 0
        assert still.sum() >= (STUCK_S // 300 - 1) * (86_400 // EVERY_S - 1)
    elif fault == Fault.DRIFT:
        assert (told - well).max() > 10
    assert heard.all() == (fault != Fault.GAP)
    if fault == Fault.GAP:
        assert (~heard).sum() * 300 == pytest.approx(GAP_S * 86_400 / EVERY_S, rel=0.3)


def test_only_a_share_of_the_devices_has_a_fault_and_no_unknown_fault_is_named():
    hit = [fault_of(pk, list(Fault), 0.05) for pk in range(4_000)]
    assert 0.03 < sum(fault is not None for fault in hit) / 4_000 < 0.07 and set(hit) == {None, *Fault}
    assert faults_from("spike, gap") == [Fault.SPIKE, Fault.GAP] and faults_from("") == []
    with pytest.raises(ValueError, match="melting"):
        faults_from("melting")


def test_the_demo_makes_devices_once_all_synthetic_in_their_areas_with_a_day_of_readings(few):
    now = datetime.now(UTC)
    assert create_demo_devices(region=few.region, now=now) == 9
    assert create_demo_devices(region=few.region, now=now) == 0
    rows = Device.objects.all()
    assert all(row.is_synthetic and row.area is not None and row.governorate_id == row.area.parent_id for row in rows)
    assert all(row.area.boundary.contains(row.location) for row in rows)
    assert rows.filter(profile__code="air", gateway__code="GW-001").count() == 5
    told = Reading.objects.filter(datastream__device__code="AIR-001", datastream__metric__code="temperature")
    assert 250 <= told.count() <= 289 and not told.filter(at__gt=now).exists()
    assert RollupHour.objects.filter(datastream__device__code="AIR-001").count() >= 24
    assert not Reading.objects.filter(quality=BAD).exists() and not DeadReading.objects.exists()
    assert rows.filter(status=Device.Status.ONLINE).count() >= 8
    assert stat.S_IMODE(keys_file().stat().st_mode) == 0o600
    assert rows.get(code="AIR-001").battery_pct is not None and rows.get(code="GW-001").battery_pct is None


def test_what_a_synthetic_device_says_is_taken_by_the_devices_own_door(few, client, drain):
    add_devices(4, region=few.region)
    keys = known_keys()
    assert len(keys) == 4
    speaking = synthetic(keys=keys, faults=())
    assert [one.code for one in speaking] == sorted(keys)
    for one in speaking:
        body = one.body(datetime.now(UTC).timestamp())
        answer = client.post(
            "/api/v1/iot/readings", json.dumps(body), content_type="application/json", headers={"Authorization": f"Device {one.key}"}
        )
        assert answer.status_code == 202, answer.content
        assert answer.json()["refused"] == 0 and answer.json()["accepted"] == len(one.metrics)
    drain()
    assert Reading.objects.filter(datastream__device__code=speaking[0].code).count() == len(speaking[0].metrics)


class Recording:
    """A door that takes every second message."""

    def __init__(self, heard: list[str]) -> None:
        self.heard = heard

    def send(self, device: SyntheticDevice, body: dict[str, object]) -> None:
        self.heard.append(device.code)
        if len(self.heard) % 2:
            raise Away("busy")

    def close(self) -> None:
        self.heard.append("closed")


def test_the_driver_keeps_its_rate_over_all_devices_and_counts_what_became_of_the_messages(monkeypatch):
    monkeypatch.setattr("demo.devices.driver.AGAIN_AFTER_S", 0.0)
    heard: list[str] = []
    tally = Driver([device(1), device(2)], lambda: Recording(heard), rate=100).run(threading.Event(), seconds=0.5)
    assert heard.pop() == "closed" and set(heard) == {"D-1", "D-2"}
    assert 30 <= len(heard) <= 60 and tally.sent + tally.away == len(heard) and abs(tally.sent - tally.away) <= 1


def test_the_command_refuses_what_it_cannot_do(few):
    for asked, why in ((["--faults", "melting"], "melting"), (["--rate", "0"], "above nothing"), ([], "no synthetic devices")):
        with pytest.raises(CommandError, match=why):
            call_command("simulate_devices", *asked, stdout=io.StringIO())
    assert "http" in DOORS


def test_a_device_that_keeps_a_connection_is_answered_line_by_line():
    """A door that says what the TCP gateway says (``docs/iot.md``): the words are the gateway's, the socket is real."""
    heard: list[str] = []

    def serve(listening: socket.socket) -> None:
        for _connection in range(2):
            connection, _address = listening.accept()
            with connection, connection.makefile("rwb", buffering=0) as lines:
                while line := lines.readline():
                    heard.append(line.decode().strip())
                    if heard[-1].startswith("AUTH"):
                        lines.write(b"OK D-7 temperature\n" if heard[-1] == "AUTH k" else b"ERR wrong_key\n")
                    else:
                        lines.write(b"OK 1\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        door = Tcp("http://127.0.0.1:1")
        door._where = listening.getsockname()
        door.send(device(), {"values": {"temperature": 21.5}})
        door.send(device(), {"values": {"temperature": 22.0}})
        assert heard == ["AUTH k", '{"values":{"temperature":21.5}}', '{"values":{"temperature":22.0}}']
        door.close()
        with pytest.raises(Refused, match="wrong_key"):
            door.send(replace(device(8), key="other"), {"values": {}})
        thread.join(10)
    with pytest.raises(Away):
        door.send(device(), {"values": {}})
