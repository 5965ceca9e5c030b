"""PAT-7 over MQTT, on a real broker: each device its own topic, nothing acknowledged before it is committed, nothing lost meanwhile."""

from __future__ import annotations

import json
import shutil
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
import pytest
from django.db import OperationalError
from paho.mqtt.enums import CallbackAPIVersion

from deploy.local.layout import Layout
from deploy.local.mosquitto import Mosquitto
from deploy.local.services import StartFailed
from patrol.gateways.leader import Leadership
from patrol.gateways.mqtt import TOPIC, Broker, Message
from patrol.gateways.positions import FenceFollower, PositionGateway, positions_in
from patrol.models import Geofence, Position, Unit
from patrol.services.positions import Refused

pytestmark = [
    pytest.mark.skipif(shutil.which("mosquitto", path="/usr/bin:/usr/sbin") is None, reason="Mosquitto is not installed here"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    layout = Layout(tmp_path_factory.mktemp("mqtt"))
    layout.make()
    broker = Mosquitto(layout)
    broker.start()
    yield broker
    broker.stop()


def at(seconds=0.0):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@contextmanager
def device(url):
    parts = urlsplit(url)
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(unquote(parts.username or ""), unquote(parts.password or ""))
    client.connect(parts.hostname or "", parts.port or 0)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def send(client, tracker, body, wait=True):
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = client.publish(f"{TOPIC}{tracker}", payload, qos=1)
    if wait:
        sent.wait_for_publish(20)
    return sent


@pytest.fixture
def carried(force):
    for unit in (force.p1, force.p2):
        unit.tracker_id = f"T-{unit.call_sign}"
        unit.save(update_fields=["tracker_id"])
    return force


def start_and_subscribe(broker):
    """What is sent from here on is kept for this session."""
    is_subscribed = threading.Event()
    broker.client.on_subscribe = lambda *_told: is_subscribed.set()
    broker.start()
    assert is_subscribed.wait(30)


@pytest.fixture
def gateway(server, request):
    """A gateway on the broker with a session of its own; ``run_for`` works off what comes, here, in the test's own transaction."""
    made = PositionGateway(Broker(server.gateway_url, client_id=f"test-{request.node.name}"))
    start_and_subscribe(made.broker)
    yield made
    made.broker.stop()


def run_for(gateway, *, expected, patience_s=20.0):
    deadline, taken = time.monotonic() + patience_s, 0
    while taken < expected and time.monotonic() < deadline:
        messages = gateway.broker.take(most=500, wait_s=0.1)
        if messages:
            gateway.keep(messages)
            taken += len(messages)
    return taken


def message(payload, tracker="T-P1"):
    return Message(tracker, payload, 1, 1, 0)


def test_a_message_is_one_position_or_a_list_of_its_own_unit():
    good = {"at": at(), "lon": 47.92, "lat": 29.35}
    assert [getattr(row, "tracker", row) for row in positions_in(message(json.dumps([good, good]).encode()))] == ["T-P1", "T-P1"]
    assert positions_in(message(json.dumps({**good, "tracker": "T-P2"}).encode())) == [Refused.UNKNOWN]
    assert positions_in(message(json.dumps({**good, "unit": "P2"}).encode())) == [Refused.UNKNOWN]


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b"{", b"7", b"[" * 5_000, b'{"at": NaN}', b"null"])
def test_rubbish_is_named_and_kills_nothing(payload):
    assert all(isinstance(row, Refused) for row in positions_in(message(payload)))


@pytest.mark.django_db
def test_a_devices_positions_arrive(server, carried, gateway):
    url = server.url("T-P1", server.give_account("T-P1"))
    time.sleep(0.2)
    with device(url) as car:
        for seconds in range(-20, 0):
            send(car, "T-P1", {"at": at(seconds), "lon": 47.92 + seconds / 1000, "lat": 29.35, "accuracy_m": 5})
        send(car, "T-P1", b"rubbish")
        send(car, "T-P1", {"at": at(900), "lon": 47.92, "lat": 29.35})
    assert run_for(gateway, expected=22) == 22
    assert Position.objects.filter(unit=carried.p1, source="mqtt").count() == 20
    assert gateway.counts == {"accepted": 20, "not_a_number": 1, "in_the_future": 1}


@pytest.mark.django_db
def test_a_device_cannot_speak_for_another_nor_listen(server, carried, gateway):
    heard: list[bytes] = []
    with device(server.url("T-P2", server.give_account("T-P2"))) as car:
        time.sleep(0.2)
        car.on_message = lambda _c, _d, found: heard.append(found.payload)
        car.subscribe(TOPIC + "#", qos=1)
        send(car, "T-P1", {"at": at(), "lon": 47.92, "lat": 29.35})
        send(car, "T-P2", {"at": at(), "lon": 47.92, "lat": 29.35})
        assert run_for(gateway, expected=2, patience_s=1.5) == 1
    assert not heard and set(Position.objects.values_list("unit__call_sign", flat=True)) == {"P2"}


def test_nobody_comes_in_without_a_password(server):
    refused = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set("gateway", "guess")
    client.on_connect = lambda _c, _d, _f, reason, _p: refused.set() if reason.is_failure else None
    client.connect("127.0.0.1", server.port)
    client.loop_start()
    assert refused.wait(5)
    client.loop_stop()


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "T/P1", "T+", "gateway"])
def test_a_name_that_is_no_topic_gets_no_account(server, name):
    with pytest.raises(StartFailed):
        server.give_account(name)


@pytest.mark.django_db
def test_what_was_not_committed_is_delivered_again(server, carried):
    broker = Broker(server.gateway_url, client_id="test-again")
    first = PositionGateway(broker)
    start_and_subscribe(broker)
    with device(server.feeder_url) as feeder:
        for seconds in range(-30, 0):
            send(feeder, "T-P1", {"at": at(seconds), "lon": 47.92 + seconds / 1000, "lat": 29.35})
    assert len(broker.take(most=10, wait_s=2)) == 10  # taken, and then we die without having kept them
    broker.stop()
    with device(server.feeder_url) as feeder:  # and it goes on while nobody listens
        send(feeder, "T-P1", {"at": at(), "lon": 47.92, "lat": 29.35})
    second = PositionGateway(Broker(server.gateway_url, client_id="test-again"))
    second.broker.start()
    assert run_for(second, expected=31) == 31
    second.broker.stop()
    assert Position.objects.filter(unit=carried.p1).count() == 31 and first.counts == {}


@pytest.mark.django_db
def test_while_the_database_is_away_nothing_is_acknowledged(server, carried, gateway, monkeypatch):
    monkeypatch.setattr("patrol.gateways.positions.connection.close", lambda: None)
    calls: list[int] = []

    class Flaky(PositionGateway):
        def keep(self, messages):
            calls.append(len(messages))
            if len(calls) < 3:
                raise OperationalError("the server closed the connection")
            super().keep(messages)

    flaky = Flaky(gateway.broker)
    with device(server.feeder_url) as feeder:
        send(feeder, "T-P1", {"at": at(), "lon": 47.92, "lat": 29.35})
    messages = gateway.broker.take(most=10, wait_s=2)
    flaky._keep_until_done(messages, threading.Event())
    assert calls == [1, 1, 1] and flaky.counts == {"accepted": 1}


@pytest.mark.django_db
def test_the_broker_keeps_what_waits_when_it_is_stopped(tmp_path, carried):
    layout = Layout(tmp_path)
    layout.make()
    server = Mosquitto(layout)
    server.start()
    try:
        waiting = Broker(server.gateway_url, client_id="test-restart")
        start_and_subscribe(waiting)
        waiting.stop()
        with device(server.feeder_url) as feeder:
            for seconds in range(-50, 0):
                send(feeder, "T-P1", {"at": at(seconds), "lon": 47.92, "lat": 29.35})
        server.stop()
        assert not server.is_running()
        server.start()
        gateway = PositionGateway(Broker(server.gateway_url, client_id="test-restart"))
        gateway.broker.start()
        assert run_for(gateway, expected=50) == 50
        gateway.broker.stop()
    finally:
        server.stop()


def test_the_brokers_secrets_are_its_owners_alone(server):
    for path in (server.accounts, server.configuration, Path(server.folder / "rules")):
        assert path.stat().st_mode & 0o077 == 0
    assert server.layout.secrets()["mqtt_feeder_password"] not in server.accounts.read_text()


@pytest.mark.django_db
def test_the_follower_makes_the_stations_fences_and_looks(force):
    assert FenceFollower().look() is False
    assert Geofence.objects.count() == 3 and Unit.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_one_gateway_leads_and_the_next_takes_over():
    first, second, stop = Leadership(), Leadership(), threading.Event()
    assert first.wait(stop) and first.holds()
    found: list[bool] = []
    waiting = threading.Thread(target=lambda: found.append(second.wait(stop)))
    waiting.start()
    time.sleep(0.2)
    assert found == []
    first.give_up()
    waiting.join(8)
    assert found == [True] and not first.holds() and second.holds()
    second.give_up()
