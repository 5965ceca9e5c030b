"""IOT-1: LoRaWAN servers by MQTT, on a real broker: each under its own prefix, its messages taken as by webhook, nothing acknowledged
before it is on the disk."""

from __future__ import annotations

import base64
import json
import shutil
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from django.urls import reverse

from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.models import AuditEntry
from deploy.local.mosquitto import Mosquitto
from iot.gateways.mqtt_networks import NetworkGateway, listen
from iot.models import DeadReading, Device, DeviceCommand, DeviceNetwork, DeviceProfile, LoraSession, Reading
from iot.services import issue_mqtt_password, register_device, send_command
from iot.services.networks import issue_broker_password, keep_network, withdraw_broker_password
from iot.services.standard_profiles import ensure_profiles
from iot.stream import Stream
from iot.tests.decoders.test_envelopes import PAYLOADS, needs_payloads
from iot.tests.mqtt_broker import Client, beside, broker, by_network, layout, read_again, until, work
from iot.tests.test_lorawan import EUI, join, up

__all__ = ["beside", "broker", "layout"]
pytestmark = [
    pytest.mark.skipif(shutil.which("mosquitto", path="/usr/bin:/usr/sbin") is None, reason="Mosquitto is not installed here"),
    pytest.mark.django_db,
]
NOT_AUTHORISED = 0x87
TTN_EUI = "0004A30B001C0530"
AIR = bytes.fromhex("0167010e026850")


@dataclass
class Servers:
    """A ChirpStack and a Things Stack of the police, with passwords; a device on each."""

    broker: Mosquitto
    networks: dict[str, DeviceNetwork]
    passwords: dict[str, str]

    @contextmanager
    def __call__(self, kind):
        network = self.networks[kind]
        with by_network(self.broker, network.broker_account, self.passwords[kind]) as client:
            assert client.is_in, client.states
            yield client

    def prefix(self, kind):
        return f"khareetaty/networks/{self.networks[kind].broker_account}/"

    def topic(self, event="up", *, eui=EUI, of="chirpstack", application="app"):
        return f"{self.prefix(of)}application/{application}/device/{eui}/event/{event}"

    def things(self, name="up", *, device="dev1", application="air@ttn"):
        return f"{self.prefix('ttn')}v3/{application}/devices/{device}/{name}"


@pytest.fixture
def servers(beside, sensors, cast, places):
    ensure_profiles()
    profile = DeviceProfile.objects.get(code="air_lora")
    networks = {
        kind: keep_network(network=DeviceNetwork(agency=cast.police, name=kind, kind=kind, application="air"), by=cast.superadmin)
        for kind in ("chirpstack", "ttn")
    }
    passwords = {kind: issue_broker_password(network=network, by=cast.superadmin) for kind, network in networks.items()}
    for code, eui in (("L-1", EUI), ("L-2", TTN_EUI)):
        register_device(code=code, profile=profile, agency=cast.police, by=None, location=places.in_salmiya, identities={"dev_eui": eui})
    read_again(beside)
    return Servers(beside, networks, passwords)


@pytest.fixture
def listening(beside, request):
    made = NetworkGateway(beside.gateway_url, client_id=f"_test-{request.node.name[:40]}-{time.monotonic_ns()}")
    made.start()
    yield made
    made.wire.leave(for_good=True)


def told(counter, at, *, device="dev1", application="air", session="one", **more):
    """An uplink of The Things Stack."""
    return {
        "end_device_ids": {"device_id": device, "dev_eui": TTN_EUI, "application_ids": {"application_id": application}},
        "received_at": at.isoformat(),
        "uplink_message": {
            "session_key_id": session, "f_cnt": counter, "frm_payload": base64.b64encode(AIR).decode(), "received_at": at.isoformat(),
        },
        **more,
    }  # fmt: skip


def dead():
    return {(row.why, row.detail): row.n for row in DeadReading.objects.all()}


def test_frames_of_both_servers_become_rows_once_and_never_backwards(servers, listening, sensors, drain):
    with servers("chirpstack") as chirpstack, servers("ttn") as ttn:
        for body in (up(5, sensors.ago(seconds=9)), up(5, sensors.ago(seconds=9)), up(4, sensors.ago(seconds=9))):
            assert chirpstack.publish(servers.topic(eui=EUI.upper()), body) == 0
        assert chirpstack.publish(servers.topic("join"), join(sensors.ago(seconds=8), "01aa")) == 0
        assert chirpstack.publish(servers.topic(), up(0, sensors.ago(seconds=7), session="01aa")) == 0
        assert ttn.publish(servers.things(), told(3, sensors.ago(seconds=6))) == 0
        assert ttn.publish(servers.prefix("ttn") + "up", told(4, sensors.ago(seconds=5))) == 0  # Pub/Sub
        assert work(listening, expected=7) == 7
    drain()
    assert Reading.objects.filter(datastream__device__code="L-1").count() == 4
    assert Reading.objects.filter(datastream__device__code="L-2").count() == 4
    assert dead() == {("replayed", "a frame counter that does not climb"): 1}
    assert listening.counts["taken"] == 4 and listening.counts["repeated"] == 1
    assert {row.last_heard_at is not None for row in DeviceNetwork.objects.all()} == {True}
    # Acknowledged is done with: nothing of it comes again.
    listening.start()
    assert work(listening, expected=1, patience_s=0.3) == 0


def test_a_network_writes_under_its_own_prefix_alone_and_hears_no_other(servers, listening, sensors):
    body = up(1, sensors.ago(seconds=9))
    with servers("chirpstack") as client, servers("ttn") as other:
        for topic in (
            servers.things(), servers.topic("up/more"), servers.prefix("chirpstack") + "anything", "khareetaty/sensors/L-1/up",
            servers.topic().replace("/event/up", "/command/down"), "khareetaty/positions/L-1", "khareetaty/frigate/events",
        ):  # fmt: skip
            assert client.publish(topic, body) == NOT_AUTHORISED, topic
        for name in ("khareetaty/#", "#", servers.prefix("ttn") + "down/push", servers.things("up")):
            client.listen(name)
        other.publish(servers.things(), told(1, sensors.ago(seconds=9)))
        listening.wire.publish(servers.prefix("ttn") + "down/push", b"theirs", expires_s=10)
        listening.wire.publish(servers.prefix("chirpstack") + "down/push", b"ours", expires_s=10)
        assert work(listening, expected=1) == 1
        assert until(lambda: bool(client.got)) and set(client.got) == {b"ours"}


def test_nobody_else_comes_in_by_the_networks_port(servers, beside, sensors):
    secret = issue_mqtt_password(device=sensors.salmiya, by=None)[1]
    read_again(beside)
    chirpstack, ttn = (servers.networks[kind].broker_account for kind in ("chirpstack", "ttn"))
    password = servers.passwords["chirpstack"]
    for account, shown in (("AIR-1", secret), (ttn, password), (chirpstack, password + "x"), (chirpstack, ""), ("gateway", password)):
        with by_network(beside, account, shown) as client:
            assert not client.is_in, account
    plain = Client(chirpstack)
    plain.paho.username_pw_set(chirpstack, password)
    assert not plain.go("127.0.0.1", beside.sensor_port).is_in, "a network's name means nothing at the sensors' port"
    plain.leave()


def test_a_password_is_renewed_and_withdrawn_and_ends_with_the_network(servers, beside, listening, cast, sensors):
    network = servers.networks["chirpstack"]
    before = servers.passwords["chirpstack"]
    with servers("chirpstack") as client:
        servers.passwords["chirpstack"] = issue_broker_password(network=network, by=cast.superadmin)
        read_again(beside)
        assert until(lambda: any(state.startswith("gone") for state in client.states)), "the old password's connection is ended"
    with by_network(beside, network.broker_account, before) as old:
        assert not old.is_in
    with servers("chirpstack") as client:
        # What comes by a connection that stands, before the broker has read that it is over, is not taken.
        withdraw_broker_password(network=network, by=cast.superadmin)
        client.publish(servers.topic(), up(1, sensors.ago(seconds=9)))
        assert work(listening, expected=1) == 1 and Stream().standing()["entries"] == 0
        assert dead() == {("unknown_device", f"no network of {network.broker_account}"): 1}
        read_again(beside)
        assert until(lambda: any(state.startswith("gone") for state in client.states))
    with pytest.raises(Conflict):
        withdraw_broker_password(network=network, by=cast.superadmin)
    other = servers.networks["ttn"]
    other.is_active = False
    keep_network(network=other, by=cast.superadmin)
    read_again(beside)
    with by_network(beside, other.broker_account, servers.passwords["ttn"]) as client:
        assert not client.is_in
    with pytest.raises(Conflict):
        issue_broker_password(network=other, by=cast.superadmin)
    assert (beside.sensors / "networks").read_text() == ""


def test_who_may_give_one_and_to_what(servers, cast):
    network = servers.networks["chirpstack"]
    for person, refusal in ((cast.officer, NotAllowed), (cast.firefighter, NotFound)):
        for verb in (issue_broker_password, withdraw_broker_password):
            with pytest.raises(refusal):
                verb(network=network, by=person)
    with pytest.raises(Invalid):
        issue_broker_password(network=keep_network(network=DeviceNetwork(agency=cast.police, name="s", kind="sms"), by=None), by=None)


def test_the_command_centre_shows_it_once_and_says_who_gave_and_withdrew_it(servers, client, cast):
    network = servers.networks["chirpstack"]
    client.force_login(cast.superadmin)
    page = reverse("admin:iot_devicenetwork_change", args=[network.pk])
    assert network.broker_account in client.get(page).content.decode()
    listed = reverse("admin:iot_devicenetwork_changelist")
    asked = {"_selected_action": [network.pk], "apply": "1"}
    shown = client.post(listed, asked | {"action": "give_broker_password"})
    secret = shown.context["secrets"][1][1]
    assert "no-store" in shown.headers["Cache-Control"] and servers.prefix("chirpstack") in shown.content.decode()
    network.refresh_from_db()
    assert secret not in network.broker_digest and network.broker_since is not None
    assert secret not in client.get(page).content.decode()
    client.post(listed, asked | {"action": "withdraw_broker_password"})
    network.refresh_from_db()
    assert network.broker_digest == "" and network.broker_since is None
    done = AuditEntry.objects.filter(verb__startswith="device_network.broker", actor_id=cast.superadmin.pk).order_by("pk")
    assert [entry.verb for entry in done][-2:] == ["device_network.broker_password", "device_network.broker_withdraw"]
    assert secret not in str(list(done.values()))


@pytest.mark.parametrize(
    ("place", "said", "why"),
    [
        (("topic", {}), b"{", "no JSON"),
        (("topic", {}), b"", "no JSON"),
        (("topic", {}), b"[" * 5_000, "no JSON"),
        (("topic", {}), b"[]", "not a JSON object"),
        (("topic", {"event": "none"}), {}, "no event of ChirpStack"),
        (("topic", {"eui": "02" * 8}), {}, "the topic names another device"),
        (("topic", {}), {"deviceInfo": {"devEui": EUI, "applicationId": "other"}}, "the topic names another application"),
        (("topic", {}), {"deduplicationId": "a\0b"}, "deduplicationId: not a text"),
        (("things", {}), b"{}", "end_device_ids: missing"),
        (("things", {"device": "dev2"}), {}, "the topic names another device"),
        (("things", {"application": "water@ttn"}), {}, "the topic names another application"),
        (("things", {"name": "join"}), {}, "the topic names another message"),
        (("things", {}), {"join_accept": {}}, "the topic names another message"),
    ],
)  # fmt: skip
def test_what_does_not_fit_its_topic_is_counted_without_a_word_of_it(place, said, why, servers, listening, sensors):
    name, options = place
    kind = "ttn" if name == "things" else "chirpstack"
    at = sensors.ago(seconds=9)
    whole = told(1, at) if kind == "ttn" else up(1, at)
    with servers(kind) as client:
        assert client.publish(getattr(servers, name)(**options), said if isinstance(said, bytes) else whole | said) == 0
        assert work(listening, expected=1) == 1
    (row,) = DeadReading.objects.all()
    assert row.why == "unreadable" and row.detail.endswith(why) and bytes(row.raw) == b"" and row.device is None
    assert Stream().standing()["entries"] == 0 and not LoraSession.objects.exists()


def test_a_message_that_is_too_long_ends_its_connection_and_what_is_retained_is_not_heard_again(servers, listening, beside, sensors):
    with servers("chirpstack") as client:
        client.paho.publish(servers.topic(), b"x" * 1_000_000, qos=1)
        assert until(lambda: any(state.startswith("gone") for state in client.states))
    with servers("chirpstack") as client:
        status = {"deviceInfo": {"devEui": EUI}, "margin": 10, "batteryLevel": 88}
        client.publish(servers.topic("status"), status, retain=True)
        assert work(listening, expected=1) == 1
        listening.start()
        assert work(listening, expected=1, patience_s=0.3) == 0
        client.publish(servers.topic("status"), b"", retain=True)


def test_another_agencys_device_and_a_strangers_are_the_webhooks_strangers(servers, listening, cast, places, sensors):
    profile = DeviceProfile.objects.get(code="air_lora")
    register_device(code="F-1", profile=profile, agency=cast.fire, by=None, location=places.in_sharq, identities={"dev_eui": "bb" * 8})
    with servers("chirpstack") as client:
        for eui in ("bb" * 8, "cc" * 8):
            client.publish(servers.topic(eui=eui), up(1, sensors.ago(seconds=9), eui=eui))
        assert work(listening, expected=2) == 2
    assert {row.why: row.n for row in DeadReading.objects.all()} == {"unknown_device": 2}
    assert Stream().standing()["entries"] == 0 and not Device.objects.filter(dev_eui="cc" * 8).exists()


def test_one_server_that_floods_us_is_limited_and_counted_and_the_other_unharmed(servers, listening, sensors, settings, drain):
    settings.IOT_NETWORK_MOST_PER_MIN = 5
    with servers("chirpstack") as loud, servers("ttn") as quiet:
        for counter in range(40):
            loud.publish(servers.topic(), up(counter, sensors.ago(seconds=50 - counter)), wait=False)
        assert until(lambda: len(loud.answers) == 40)
        quiet.publish(servers.things(), told(1, sensors.ago(seconds=9)))
        assert work(listening, expected=41) == 41
    account = servers.networks["chirpstack"].broker_account
    counted = dead()
    assert 34 <= counted[("too_many", f"more than the limit of {account}")] <= 35  # the bucket fills a little while it is read
    drain()
    assert Reading.objects.filter(datastream__device__code="L-2").count() == 2


def test_while_the_stream_is_away_nothing_is_acknowledged_and_it_comes_when_it_is_back(servers, listening, sensors, settings, drain):
    url = settings.STREAMS_URL
    with servers("chirpstack") as client:
        client.publish(servers.topic(), up(1, sensors.ago(seconds=9)))
        settings.STREAMS_URL = "redis://127.0.0.1:1/0"
        listening.stop = threading.Event()
        threading.Timer(0.5, listening.stop.set).start()
        assert work(listening, expected=1, patience_s=0.2) == 0, "told to stop, it goes without a word"
        settings.STREAMS_URL = url
        listening.wire.leave()
        listening.stop = threading.Event()
        listening.start()
        assert work(listening, expected=1) == 1
    drain()
    assert Reading.objects.count() == 2 and dead() == {}


def test_commands_go_down_by_the_topics_of_the_server_and_its_word_finds_them(servers, listening, sensors):
    down = {"hex": "01ff", "port": 10, "confirmed": True}
    first, second = Device.objects.get(code="L-1"), Device.objects.get(code="L-2")
    with servers("chirpstack") as chirpstack, servers("ttn") as ttn:
        chirpstack.listen(servers.prefix("chirpstack") + f"application/app/device/{EUI}/command/down")
        for name in (servers.things("down/push"), servers.prefix("ttn") + "down/push"):
            ttn.listen(name)
        chirpstack.publish(servers.topic(), up(1, sensors.ago(seconds=9)))
        ttn.publish(servers.things(), told(1, sensors.ago(seconds=9)))
        assert work(listening, expected=2) == 2
        commands = [send_command(device=device, payload=down, by=None) for device in (first, second)]
        assert {command.transport for command in commands} == {"lorawan"}
        assert until(lambda: work(listening, expected=1, patience_s=0.1) == 0 and chirpstack.got and ttn.got)
        data = base64.b64encode(b"\x01\xff").decode()
        assert json.loads(chirpstack.got[0]) == {
            "id": str(commands[0].reference), "devEui": EUI, "confirmed": True, "fPort": 10, "data": data,
        }  # fmt: skip
        (row,) = json.loads(ttn.got[0])["downlinks"]
        assert (row["frm_payload"], row["f_port"], row["confirmed"]) == (data, 10, True)
        assert until(lambda: not work(listening, expected=1, patience_s=0.1) and states() == ["sent", "sent"])

        chirpstack.publish(servers.topic("ack"), {
            "deduplicationId": "a", "deviceInfo": {"devEui": EUI}, "queueItemId": str(commands[0].reference), "acknowledged": True,
        })  # fmt: skip
        word = {"end_device_ids": told(0, sensors.now)["end_device_ids"], "correlation_ids": row["correlation_ids"]}
        ttn.publish(servers.things("down/nack"), word | {"downlink_nack": {}})
        assert work(listening, expected=2) == 2 and states() == ["acknowledged", "failed"]
        # Heard by Pub/Sub, the server is told which device is meant.
        ttn.publish(servers.prefix("ttn") + "up", told(2, sensors.ago(seconds=5)))
        assert work(listening, expected=1) == 1
        send_command(device=second, payload=down, by=None)
        assert until(lambda: work(listening, expected=1, patience_s=0.1) == 0 and len(ttn.got) > 1)
        assert json.loads(ttn.got[1])["end_device_ids"] == {"device_id": "dev1", "application_ids": {"application_id": "air"}}


def states():
    return list(DeviceCommand.objects.order_by("pk").values_list("state", flat=True))


def test_a_command_waits_while_its_server_does_not_listen_and_one_that_is_none_says_why(servers, listening, sensors):
    with servers("chirpstack") as client:
        client.publish(servers.topic(), up(1, sensors.ago(seconds=9)))
        assert work(listening, expected=1) == 1
    device = Device.objects.get(code="L-1")
    for payload in ({"hex": "01"}, {"hex": "zz"}):
        send_command(device=device, payload=payload, by=None)
    assert until(lambda: not work(listening, expected=1, patience_s=0.1) and all(problems()))
    assert states() == ["queued", "queued"] and problems() == ["it is not connected", "hex or base64 of 1 to 242 bytes"]


def problems():
    return list(DeviceCommand.objects.order_by("pk").values_list("problem", flat=True))


@pytest.mark.django_db(transaction=True)
def test_one_process_listens_at_a_time_and_the_next_takes_up_what_waits(servers, beside, sensors, drain, caplog, monkeypatch):
    """In the order they came: a counter never runs backwards."""
    caplog.set_level("INFO")
    monkeypatch.setattr("core.leadership.LOOK_EVERY_S", 0.1)
    stops = [threading.Event() for _process in range(2)]
    threads = [threading.Thread(target=listen, args=(stop, beside.gateway_url), daemon=True) for stop in stops]
    with servers("chirpstack") as client:
        threads[0].start()
        assert until(lambda: caplog.text.count("listening to networks") == 1)
        threads[1].start()
        for counter in range(10):
            client.publish(servers.topic(), up(counter, sensors.ago(seconds=40 - counter)), wait=False)
        assert until(lambda: counter_of() == 9)
        assert caplog.text.count("listening to networks") == 1, "the second stands by"
        stops[0].set()
        threads[0].join(20)
        client.publish(servers.topic(), up(10, sensors.ago(seconds=20)))
        assert until(lambda: counter_of() == 10)
        assert "where messages waited" in caplog.text
    stops[1].set()
    threads[1].join(20)
    assert not any(thread.is_alive() for thread in threads)
    drain()
    assert Reading.objects.count() == 22 and dead() == {}


def counter_of():
    return LoraSession.objects.values_list("counter", flat=True).first()


@needs_payloads
def test_real_messages_of_both_servers(servers, listening):
    with servers("chirpstack") as chirpstack, servers("ttn") as ttn:
        n = 0
        for event in ("up", "join", "status", "ack", "txack", "log", "location", "integration"):
            raw = (PAYLOADS / f"chirpstack-v4/event_{event}.json").read_bytes()
            info = json.loads(raw)["deviceInfo"]
            assert chirpstack.publish(servers.topic(event, eui=info["devEui"], application=info["applicationId"]), raw) == 0
            n += 1
        for name, kind in (("up", "uplink_message"), ("join", "join_accept"), ("down/ack", "downlink_ack")):
            raw = (PAYLOADS / f"ttn-v3/{kind}.json").read_bytes()
            ids = json.loads(raw)["end_device_ids"]
            application = ids["application_ids"]["application_id"] + "@ttn"
            assert ttn.publish(servers.things(name, device=ids["device_id"], application=application), raw) == 0
            n += 1
        assert work(listening, expected=n) == n
    assert not DeadReading.objects.filter(why="unreadable", detail__contains="topic").exists()
    assert listening.counts["messages"] == n
