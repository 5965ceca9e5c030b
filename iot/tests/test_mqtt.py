"""IOT-1 over MQTT, on a real broker: each device under its own name, by its certificate; nothing acknowledged before it is on the disk."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.db import OperationalError
from django.utils import timezone

from core.errors import Conflict, Invalid, NotAllowed
from core.limits import Rate, limiter
from core.models import Event
from iot.ca import Authority
from iot.gateways.mqtt import SensorGateway
from iot.gateways.mqtt_wire import Lost, Wire, sized
from iot.models import DeadReading, Device, DeviceCommand, DeviceCredential, DeviceProfile, Metric, Reading
from iot.services import (
    issue_certificate,
    issue_mqtt_password,
    register_device,
    resume_device,
    retire_device,
    revoke_certificate,
    send_command,
    suspend_device,
    tell_of_ending,
)  # fmt: skip
from iot.services.certificates import Issued
from iot.services.commands import take_commands
from iot.services.outages import note_gone, sweep
from iot.services.speaking import write_down_limited
from iot.services.taking import read_messages
from iot.stream import Envelope, offer, stream_of
from iot.tests.mqtt_broker import beside, broker, by_certificate, by_password, certified, gateway, layout, read_again, until, work

__all__ = ["beside", "broker", "gateway", "layout"]
pytestmark = [
    pytest.mark.skipif(shutil.which("mosquitto", path="/usr/bin:/usr/sbin") is None, reason="Mosquitto is not installed here"),
    pytest.mark.django_db,
]
Why = DeadReading.Why


@pytest.fixture
def salmiya(beside, sensors, tmp_path):
    """AIR-1 of the cast, connected by its certificate."""
    with by_certificate(beside, certified(sensors.salmiya), tmp_path) as device:
        assert device.is_in
        yield device


def why(device=None):
    rows = DeadReading.objects.filter(device=device) if device is not None else DeadReading.objects.all()
    return {row.why: row.n for row in rows}


def test_a_reading_by_certificate_becomes_a_row(salmiya, gateway, sensors, drain):
    salmiya.say({"metric": "temperature", "value": 41.5, "battery_pct": 88})
    salmiya.say({"readings": [{"values": {"temperature": 42, "humidity": 10}, "at": (sensors.now - timedelta(minutes=1)).isoformat()}]})
    assert work(gateway, expected=2) == 2
    drain()
    assert sorted(Reading.objects.values_list("value", flat=True)) == [10, 41.5, 42]
    sensors.salmiya.refresh_from_db()
    assert sensors.salmiya.battery_pct == 88 and why() == {}


def test_a_device_writes_under_its_own_name_only_and_reads_only_its_commands(salmiya, gateway, beside, sensors, drain):
    read_again(beside)
    assert salmiya.say({"metric": "temperature", "value": 1}, of="AIR-2") == 0x87
    assert salmiya.say({"metric": "temperature", "value": 1}, topic="down") == 0x87
    assert salmiya.say({"metric": "temperature", "value": 1}, topic="up/more") == 0x87
    for name in ("khareetaty/sensors/+/up", "khareetaty/sensors/AIR-2/down", "khareetaty/sensors/AIR-1/down", "#"):
        salmiya.listen(name)
    for code in ("AIR-2", "AIR-1"):
        gateway.wire.publish(f"khareetaty/sensors/{code}/down", code.encode(), expires_s=10)
    salmiya.say({"metric": "temperature", "value": 2})
    assert work(gateway, expected=1) == 1
    assert until(lambda: b"AIR-1" in salmiya.got)
    assert set(salmiya.got) == {b"AIR-1"}  # twice, as it asked twice


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"{", {Why.UNREADABLE: 1}),
        (b"", {Why.UNREADABLE: 1}),
        (b"\xff\xfe\x00", {Why.UNREADABLE: 1}),
        (b"[" * 5_000, {Why.UNREADABLE: 1}),
        (b'{"metric": "temperature", "value": NaN}', {Why.UNREADABLE: 1}),
        (b'{"metric": "temperature", "value": null}', {Why.NOT_FINITE: 1}),
        (b'{"metric": "temperature", "value": 1e999}', {Why.UNREADABLE: 1}),
        (b'{"metric": "temperature", "value": 5, "device": "AIR-2"}', {Why.UNREADABLE: 1}),
        (b'{"metric": "pressure", "value": 5}', {Why.UNKNOWN_METRIC: 1}),
        (b'{"metric": "temperature", "value": 5, "at": 12}', {Why.TOO_OLD: 1}),
        (b'{"metric": "temperature", "value": 5, "at": "2099-01-01T00:00:00Z"}', {Why.FUTURE: 1}),
        (b'[{"metric": "temperature", "value": 1}' + b', {"metric": "temperature", "value": 1}' * 1_000 + b"]", {Why.UNREADABLE: 1}),
    ],
)
def test_what_cannot_be_kept_is_counted_with_its_reason_and_never_comes_again(said, expected, salmiya, gateway, sensors):
    salmiya.say(said)
    assert work(gateway, expected=1) == 1
    assert why(sensors.salmiya) == expected
    gateway.start()  # a message that was not acknowledged would come again
    assert work(gateway, expected=1, patience_s=0.3) == 0
    assert stream_of().standing()["readings"] == 0


def test_a_megabyte_never_gets_past_the_broker(salmiya, gateway, sensors):
    salmiya.paho.publish("khareetaty/sensors/AIR-1/up", b"x" * 1_000_000, qos=1)
    assert until(lambda: any(state.startswith("gone") for state in salmiya.states))
    assert work(gateway, expected=1, patience_s=0.3) == 0


def test_only_our_own_certificates_that_hold_are_let_in(beside, sensors, tmp_path):
    """Expired, from another authority, signed by itself, a server's, and one for another key."""
    now, device = timezone.now(), sensors.salmiya
    ours = Authority.kept_in(beside.layout.ca, now=now)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    credential = DeviceCredential(device=device)
    later = now + timedelta(days=1)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "AIR-1")])
    by_itself = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now).not_valid_after(later).sign(key, hashes.SHA256())
    )  # fmt: skip
    server_pem, server_key = ours.for_server(["AIR-1"], now=now)
    wrong = {
        "expired": (ours.for_device("AIR-1", key.public_key(), now=now - timedelta(days=9), not_after=now - timedelta(days=1)), pem),
        "foreign": (Authority.made(now=now).for_device("AIR-1", key.public_key(), now=now, not_after=later), pem),
        "by itself": (by_itself, pem),
        "a server's": (x509.load_pem_x509_certificate(server_pem), server_key.decode()),
    }
    for what, (certificate, secret) in wrong.items():
        issued = Issued(credential, certificate.public_bytes(serialization.Encoding.PEM).decode(), secret, "")
        with by_certificate(beside, issued, tmp_path) as client:
            assert not client.is_in, what


def test_a_revoked_certificate_is_refused_by_the_broker_and_its_open_session_by_us(beside, salmiya, gateway, sensors, tmp_path):
    held = DeviceCredential.objects.get(device=sensors.salmiya, kind="certificate")
    revoke_certificate(credential=held, by=None, reason="lost")
    salmiya.say({"metric": "temperature", "value": 5})
    assert work(gateway, expected=1) == 1
    assert why(sensors.salmiya) == {Why.NOT_IN_USE: 1}
    pem, key = (tmp_path / "device.pem").read_text(), (tmp_path / "device.key").read_text()
    read_again(beside)
    with by_certificate(beside, Issued(held, pem, key, ""), tmp_path) as again:
        assert not again.is_in
    (tmp_path / "new").mkdir()
    with by_certificate(beside, certified(sensors.salmiya), tmp_path / "new") as renewed:
        assert renewed.is_in
        assert until(lambda: any(state.startswith("gone") for state in salmiya.states)), "one name has one session"


def test_a_suspended_device_is_out_until_it_is_resumed_and_a_retired_one_for_good(beside, sensors, tmp_path):
    issued, device = certified(sensors.salmiya), sensors.salmiya
    for change, is_in in ((suspend_device, False), (resume_device, True), (retire_device, False)):
        change(device=device, by=None, reason="x")
        read_again(beside)
        with by_certificate(beside, issued, tmp_path) as client:
            assert client.is_in is is_in, change.__name__
    with pytest.raises(Conflict):
        issue_certificate(device=device, by=None)


def test_a_password_opens_its_own_name_and_ends_with_the_device(beside, gateway, sensors):
    secret = issue_mqtt_password(device=sensors.salmiya, by=None)[1]
    read_again(beside)
    url = beside.sensor_url("AIR-1", secret)
    with by_password(beside.sensor_url("AIR-2", secret)) as other, by_password(beside.url("AIR-1", secret)) as tracker:
        assert not other.is_in and not tracker.is_in
    with by_password(url) as client:
        assert client.is_in and client.say({"metric": "temperature", "value": 5}) == 0
        assert client.say({"metric": "temperature", "value": 5}, of="AIR-2") == 0x87
        assert work(gateway, expected=1) == 1
        suspend_device(device=sensors.salmiya, by=None, reason="x")
        read_again(beside)
        assert until(lambda: any(state.startswith("gone") for state in client.states)), "it is thrown out"
    with by_password(url) as client:
        assert not client.is_in
    assert secret not in (beside.sensors / "accounts").read_text()


def test_of_a_request_only_the_key_is_taken(sensors, settings, tmp_path):
    settings.IOT_CA_DIR = tmp_path / "ca"
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "AIR-2"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Elsewhere")])
    wanted = x509.BasicConstraints(ca=True, path_length=3)
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(wanted, critical=True).sign(key, hashes.SHA256())
    issued = issue_certificate(device=sensors.salmiya, by=None, csr=request.public_bytes(serialization.Encoding.PEM), days=10)
    made = x509.load_pem_x509_certificate(issued.pem.encode())
    assert made.subject.rfc4514_string() == "CN=AIR-1" and issued.key_pem is None
    assert made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert issued.credential.serial == f"{made.serial_number:x}" and issued.credential.not_after == made.not_valid_after_utc
    assert (tmp_path / "ca/root.key").stat().st_mode & 0o077 == 0


def test_a_request_that_proves_nothing_is_refused(sensors, settings, tmp_path):
    settings.IOT_CA_DIR = tmp_path / "ca"
    key = ec.generate_private_key(ec.SECP256R1())
    good = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    der = bytearray(good.public_bytes(serialization.Encoding.DER))
    der[-3] ^= 1
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)
    weak = (
        x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(ec.generate_private_key(ec.SECP224R1()), hashes.SHA256())
    )
    for csr in (b"nonsense", forged, weak.public_bytes(serialization.Encoding.PEM), b"x" * 20_000):
        with pytest.raises(Invalid):
            issue_certificate(device=sensors.salmiya, by=None, csr=csr)
    with pytest.raises(Invalid):
        issue_certificate(device=sensors.salmiya, by=None, days=0)


def test_our_own_programs_names_are_nobodys(sensors, cast, settings, tmp_path):
    settings.IOT_CA_DIR = tmp_path / "ca"
    device = register_device(code="khareetaty-positions", profile=sensors.air, agency=cast.police, by=None)
    for give in (issue_certificate, issue_mqtt_password):
        with pytest.raises(Conflict):
            give(device=device, by=None)


def test_a_flooding_device_is_limited_and_counted_and_others_are_unharmed(beside, gateway, sensors, drain, tmp_path):
    flood, calm = issue_mqtt_password(device=sensors.salmiya, by=None)[1], issue_mqtt_password(device=sensors.sharq, by=None)[1]
    read_again(beside)
    with by_password(beside.sensor_url("AIR-1", flood)) as loud, by_password(beside.sensor_url("AIR-2", calm)) as other:
        for number in range(3_000):
            loud.say({"metric": "temperature", "value": 1, "at": (sensors.now - timedelta(seconds=number)).timestamp()}, wait=False)
            if number % 300 == 0:
                other.say({"metric": "temperature", "value": 2, "at": (sensors.now - timedelta(seconds=number)).timestamp()}, wait=False)
        assert work(gateway, expected=3_010, patience_s=60) == 3_010
    drain()
    assert Reading.objects.filter(datastream__device=sensors.sharq).count() == 10
    kept = Reading.objects.filter(datastream__device=sensors.salmiya).count()
    assert 1_000 <= kept <= 1_120 and kept + gateway.counts["limited"] == 3_000
    assert write_down_limited(now=sensors.now) == 3_000 - kept and why(sensors.salmiya) == {Why.TOO_MANY: 3_000 - kept}


def test_nothing_is_acknowledged_while_the_stream_is_full(salmiya, gateway, sensors, settings, drain):
    """The gateway is killed while it waits; the next one gets the same messages."""
    salmiya.say({"metric": "temperature", "value": 5})
    gateway.stop.set()

    settings.IOT_STREAM_MOST = 1
    assert offer([Envelope(sensors.sharq.pk, "http", timezone.now(), (), {})])
    assert gateway.step(wait_s=5) == 0
    settings.IOT_STREAM_MOST = 100_000
    gateway.wire.close()
    gateway.stop.clear()
    gateway.start()
    assert work(gateway, expected=1) == 1
    drain()
    assert Reading.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_while_the_database_is_away_known_devices_are_taken_in_and_others_wait(database_wire, beside, gateway, sensors, drain):
    passwords = [issue_mqtt_password(device=device, by=None)[1] for device in (sensors.salmiya, sensors.sharq)]
    read_again(beside)
    with by_password(beside.sensor_url("AIR-1", passwords[0])) as known, by_password(beside.sensor_url("AIR-2", passwords[1])) as new:
        known.say({"metric": "temperature", "value": 1})
        assert work(gateway, expected=1) == 1
        database_wire.cut()
        with pytest.raises(OperationalError):
            Device.objects.count()
        known.say({"metric": "temperature", "value": 2})
        known.say(b"{")
        new.say({"metric": "temperature", "value": 3})
        assert work(gateway, expected=2) == 2
        assert work(gateway, expected=1, patience_s=0.3) == 0
        database_wire.mend()
        assert work(gateway, expected=1) == 1
    drain()
    assert sorted(Reading.objects.values_list("value", flat=True)) == [1, 2, 3]
    assert why() == {Why.UNREADABLE: 1}, "what could not be read is counted once the database is there"


def test_what_was_not_acknowledged_comes_again_and_a_program_that_is_away_misses_nothing(beside, salmiya, sensors, drain):
    """Not even over a restart of the broker, after which it was told to read its files again."""
    first = SensorGateway(beside.gateway_url, client_id="_test-away")
    first.start()
    first.wire.leave()
    at = (sensors.now - timedelta(seconds=30)).timestamp()
    salmiya.say({"metric": "temperature", "value": 1, "at": at})
    beside.stop()
    beside.start()
    assert until(lambda: salmiya.is_in)
    certified(sensors.sharq)
    suspend_device(device=sensors.sharq, by=None, reason="so that the list of revocations changes")
    read_again(beside)
    salmiya.say({"metric": "temperature", "value": 2, "at": at + 1})
    second = SensorGateway(beside.gateway_url, client_id="_test-away")
    second.start()
    assert work(second, expected=2) == 2
    second.wire.leave(for_good=True)
    drain()
    assert sorted(Reading.objects.values_list("value", flat=True)) == [1, 2]


def test_the_brokers_own_files_are_its_owners_alone(beside, sensors):
    Device.objects.all()
    read_again(beside)
    for path in beside.sensors.iterdir():
        assert path.stat().st_mode & 0o077 == 0 or path.name == "lock", path
    assert beside.inside_accounts.stat().st_mode & 0o077 == 0


def test_a_last_will_takes_a_device_off_at_once_and_its_next_word_brings_it_back(beside, gateway, sensors, drain):
    """Only the sweep changes the status, in its own words; many that go together are one announcement, as ever."""
    secret = issue_mqtt_password(device=sensors.salmiya, by=None)[1]
    read_again(beside)
    url = beside.sensor_url("AIR-1", secret)

    def stands(sweeping=True):
        drain()
        if sweeping:
            sweep(now=timezone.now())
        sensors.salmiya.refresh_from_db()
        return sensors.salmiya.status

    with by_password(url, will=b"offline") as client:
        client.say({"metric": "temperature", "value": 1})
        assert work(gateway, expected=1) == 1 and stands() == "online"
        client.cut()
        assert work(gateway, expected=1) == 1
        assert stands(sweeping=False) == "online" and stands() == "offline" and stands() == "offline"
    with by_password(url) as client:
        client.say(b"online", topic="status")
        assert work(gateway, expected=1) == 1 and stands() == "online"
        client.say(b"whatever", topic="status")
        assert work(gateway, expected=1) == 1 and why(sensors.salmiya) == {Why.UNREADABLE: 1}
    types = set(Event.objects.filter(subject_id=str(sensors.salmiya.pk), type__startswith="device.o").values_list("type", flat=True))
    assert types == {"device.offline", "device.online"}


def test_a_will_that_came_before_the_last_reading_says_nothing(sensors, drain):
    stream_of().offer([sensors.envelope(("temperature", 1.0, None))])
    drain()
    note_gone(left={sensors.salmiya.pk: sensors.ago(seconds=1)})
    sweep(now=timezone.now())
    sensors.salmiya.refresh_from_db()
    assert sensors.salmiya.status == "online"


def test_a_command_waits_until_the_device_listens_and_is_answered_by_itself_alone(beside, gateway, sensors):
    passwords = [issue_mqtt_password(device=device, by=None)[1] for device in (sensors.salmiya, sensors.sharq)]
    read_again(beside)
    command = send_command(device=sensors.salmiya, payload={"valve": "shut"}, by=None, cause="a leak")

    def stands(state):
        gateway.step(wait_s=0.05)
        command.refresh_from_db()
        return command.state == state

    assert until(lambda: stands("queued") and command.problem == "it is not connected")
    with by_password(beside.sensor_url("AIR-1", passwords[0])) as valve, by_password(beside.sensor_url("AIR-2", passwords[1])) as other:
        valve.listen("khareetaty/sensors/AIR-1/down")
        DeviceCommand.objects.update(next_try_at=sensors.now)
        assert until(lambda: stands("sent") and bool(valve.got))
        came = json.loads(valve.got[0])
        assert came["command"] == {"valve": "shut"} and came["id"] == str(command.reference)
        other.say({"id": came["id"], "ok": True}, topic="ack")
        valve.say(b"{", topic="ack")
        assert work(gateway, expected=2) == 2 and stands("sent")
        valve.say({"id": came["id"], "ok": False, "detail": "stuck half way"}, topic="ack")
        assert until(lambda: stands("failed")) and command.problem == "stuck half way"
        assert why(sensors.salmiya) == why(sensors.sharq) == {Why.UNREADABLE: 1}


def test_a_command_that_came_too_late_fails_and_many_are_refused(sensors, cast):
    send_command(device=sensors.salmiya, payload={"a": 1}, by=None)
    assert len(take_commands(transport="mqtt", now=sensors.now + timedelta(minutes=1))) == 1
    assert take_commands(transport="mqtt", now=sensors.now + timedelta(minutes=1)) == []
    take_commands(transport="mqtt", now=sensors.now + timedelta(hours=2))
    assert DeviceCommand.objects.get().state == "failed"
    wrong: list[Any] = [{}, [1], {"a": "x" * 5_000}, {"a": object()}]
    for payload in wrong:
        with pytest.raises(Invalid):
            send_command(device=sensors.salmiya, payload=payload, by=None)
    with pytest.raises(NotAllowed):
        send_command(device=sensors.salmiya, payload={"a": 1}, by=cast.analyst)
    suspend_device(device=sensors.salmiya, by=None, reason="x")
    with pytest.raises(Conflict):
        send_command(device=sensors.salmiya, payload={"a": 1}, by=None)


def test_a_certificate_about_to_end_is_announced_once_unless_there_is_another(sensors, settings, tmp_path):
    settings.IOT_CA_DIR = tmp_path / "ca"
    for device in (sensors.salmiya, sensors.sharq):
        certified(device, days=20)
    certified(sensors.sharq)
    assert [tell_of_ending(now=timezone.now()) for _again in range(2)] == [1, 0]
    assert Event.objects.get(type="device.certificate_ending").data["code"] == "AIR-1"


def test_a_gateway_that_is_killed_loses_nothing(beside, gateway, sensors, drain, settings):
    """Again and again, before and after it acknowledged: what it had taken comes to the next one, and each instant is there once."""
    sensors.air.most_per_min = 10_000
    sensors.air.save(update_fields=["most_per_min"])
    secret = issue_mqtt_password(device=sensors.salmiya, by=None)[1]
    read_again(beside)
    with by_password(beside.sensor_url("AIR-1", secret)) as device:
        for number in range(600):
            device.say({"metric": "temperature", "value": 1, "at": (sensors.now - timedelta(seconds=number)).timestamp()}, wait=False)
        assert until(lambda: len(device.answers) == 600), "acknowledged to the device"
    gateway.speakers.learn({"AIR-1"})
    for _again in range(5):
        messages = gateway.wire.read(wait_s=5)
        gateway.wire.acknowledge([])
        assert messages
        gateway._offer(
            read_messages([("AIR-1", m.payload) for m in messages], speakers=gateway.speakers, door="mqtt", now=sensors.now).envelopes
        )
        gateway.wire.close()  # no goodbye
        gateway.start()
    assert until(lambda: gateway.step(wait_s=0.3) == 0)
    drain()
    assert Reading.objects.count() == 600 and why() == {}


def test_gateways_that_share_get_each_message_once_among_them(beside, sensors, drain):
    secret = issue_mqtt_password(device=sensors.salmiya, by=None)[1]
    read_again(beside)
    both = [SensorGateway(beside.gateway_url, client_id=f"_shared-{place}", shared=True) for place in range(2)]
    for one in both:
        one.start()
    with by_password(beside.sensor_url("AIR-1", secret)) as device:
        for number in range(60):
            device.say({"metric": "temperature", "value": 1, "at": (sensors.now - timedelta(seconds=number)).timestamp()}, wait=False)
        assert until(lambda: sum(one.step(wait_s=0.05) for one in both) == 0 and sum(one.counts["messages"] for one in both) == 60)
    assert min(one.counts["messages"] for one in both) > 0
    for one in both:
        one.wire.leave(for_good=True)
    drain()
    assert Reading.objects.count() == 60


def test_a_recorder_speaks_for_its_cameras_and_a_plate_is_kept_nowhere(beside, gateway, sensors, cast, drain):
    profile = DeviceProfile.objects.create(code="cam-t", name_en="C", name_ar="C", kind="camera", expected_every_s=60)
    Metric.objects.create(profile=profile, code="motion", name_en="M", name_ar="M")
    camera = register_device(code="gate_1", profile=profile, agency=cast.police, by=None)
    with by_password(beside.cameras_url) as recorder:
        topics = {
            "gate_1/motion": b"ON", "AIR-1/motion": b"ON", "nobody/motion": b"ON", "gate_1/car/snapshot": b"\xff" * 50,
            "events": b'{"type": "new", "after": {"recognized_license_plate": "12-34567", "camera": 7}}',
        }  # fmt: skip
        for topic, payload in topics.items():
            recorder.paho.publish(f"khareetaty/frigate/{topic}", payload, qos=1).wait_for_publish(20)
        assert recorder.say({"metric": "motion", "value": 1}, of="gate_1") == 0x87
        assert work(gateway, expected=5) == 5
    drain()
    assert list(Reading.objects.values_list("datastream__device", "value")) == [(camera.pk, 1.0)]
    assert {(row.door, row.why, bytes(row.raw)) for row in DeadReading.objects.all()} == {
        ("frigate", Why.UNKNOWN_DEVICE, b""),
        ("frigate", Why.UNREADABLE, b""),
    }


def test_packets_cut_anywhere_are_put_together_again():
    wire = Wire("mqtt://x", client_id="x", kept_s=0, most=1)
    topic = b"khareetaty/sensors/A/up"
    packets = b""
    for number, payload in enumerate((b"", b"x" * 120, b"y" * 20_000), start=1):
        body = len(topic).to_bytes(2, "big") + topic + number.to_bytes(2, "big") + b"\x00" + payload
        packets += b"\x32" + sized(body) + b"\xd0\x00"
    for size in (1, 2, 3, 7, 997):
        wire._inbox, wire._rest = [], b""
        for at in range(0, len(packets), size):
            wire._rest = wire._parse(wire._rest + packets[at : at + size])
        assert [(m.mid, len(m.payload)) for m in wire._inbox] == [(1, 0), (2, 120), (3, 20_000)] and wire._rest == b""
    with pytest.raises(Lost):
        wire._parse(b"\x30\xff\xff\xff\xff\x01")


def test_of_many_buckets_each_gives_what_it_has_left():
    few, many = Rate(60, 5), Rate(60, 100)
    names = [uuid4().hex for _ in range(3)]
    assert limiter.take_some([(names[0], few, 3), (names[1], many, 80), (names[2], few, 50)]) == [3, 80, 5]
    assert limiter.take_some([(names[0], few, 3), (names[1], many, 80)]) == [2, 20]
    assert not limiter.take(names[0], few).allowed and limiter.take_some([]) == []
