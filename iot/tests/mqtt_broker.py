"""A real broker with a real authority beside it, and devices that speak to it by certificate or password."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
import pytest
from django.utils import timezone
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from deploy.local.layout import Layout
from deploy.local.mosquitto import Mosquitto
from iot.gateways.mqtt import SensorGateway
from iot.gateways.mqtt_session import Gateway
from iot.services import issue_certificate
from iot.services.broker import bring_up_to_date
from iot.services.certificates import Issued


def until(holds: Callable[[], bool], patience_s: float = 20.0) -> bool:
    deadline = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture(scope="module")
def layout(tmp_path_factory: Any) -> Layout:
    made = Layout(tmp_path_factory.mktemp("broker"))
    made.make()
    return made


@pytest.fixture(scope="module")
def broker(layout: Layout) -> Iterator[Mosquitto]:
    server = Mosquitto(layout)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def beside(broker: Mosquitto, settings: Any) -> Mosquitto:
    """The broker whose files and authority this site's are."""
    settings.IOT_CA_DIR = broker.layout.ca
    settings.IOT_BROKER_DIR = broker.sensors
    settings.IOT_BROKER_PID_FILE = broker.pid_file
    settings.KEYS_KNOWN_S = 0.0
    return broker


def read_again(broker: Mosquitto) -> None:
    """The broker has read what the table says by the time this returns."""
    if bring_up_to_date(now=timezone.now()):
        time.sleep(0.15)  # a signal has no answer


class Client:
    """A device's end. ``state`` is what it was told on connecting, ``got`` what came down, ``answers`` the reasons of its publications."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.got: list[bytes] = []
        self.states: list[str] = []
        self.settled = threading.Event()
        self.answers: dict[int, int] = {}
        self.paho = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"anything-{code}", protocol=MQTTProtocolVersion.MQTTv5)
        self.paho.on_connect = lambda _c, _d, _f, reason, _p: self._state(str(reason))
        self.paho.on_connect_fail = lambda *_: self._state("no handshake")
        self.paho.on_disconnect = lambda _c, _d, _f, reason, _p: self._state(f"gone: {reason}")
        self.paho.on_publish = lambda _c, _d, mid, reason, _p: self.answers.__setitem__(mid, reason.value)
        self.paho.on_message = lambda _c, _d, message: self.got.append(bytes(message.payload))

    def _state(self, text: str) -> None:
        self.states.append(text)
        self.settled.set()

    def go(self, host: str, port: int) -> Client:
        try:
            self.paho.connect(host, port, 20)
        except OSError as error:
            self._state(f"no handshake: {error}")
            return self
        self.paho.loop_start()
        assert self.settled.wait(20), "the broker never answered"
        return self

    @property
    def is_in(self) -> bool:
        return self.states[-1:] == ["Success"]

    def say(self, body: Any, *, topic: str = "up", of: str = "", wait: bool = True) -> int:
        return self.publish(f"khareetaty/sensors/{of or self.code}/{topic}", body, wait=wait)

    def publish(self, topic: str, body: Any, *, wait: bool = True, retain: bool = False) -> int:
        """What the broker answered: 0, or its reason."""
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = self.paho.publish(topic, payload, qos=1, retain=retain)
        if wait:
            assert until(lambda: sent.mid in self.answers), "the broker never had it"
        return self.answers.get(sent.mid, -1)

    def listen(self, name: str) -> None:
        told = threading.Event()
        self.paho.on_subscribe = lambda *_: told.set()
        self.paho.subscribe(name, qos=1)
        assert told.wait(20), "the broker never answered"

    def cut(self) -> None:
        """The line is dead: no goodbye."""
        line: Any = self.paho.socket()
        self.paho.reconnect_delay_set(60, 60)
        line.shutdown(socket.SHUT_RDWR)

    def leave(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()


@contextmanager
def by_certificate(broker: Mosquitto, issued: Issued, folder: Path, *, key_pem: str | None = None) -> Iterator[Client]:
    (folder / "device.pem").write_text(issued.pem)
    (folder / "device.key").write_text(key_pem or issued.key_pem or "")
    client = Client(issued.credential.device.code)
    client.paho.tls_set(str(broker.sensors / "ca.pem"), str(folder / "device.pem"), str(folder / "device.key"), ssl.CERT_REQUIRED)
    try:
        yield client.go("127.0.0.1", broker.tls_port)
    finally:
        client.leave()


@contextmanager
def by_password(url: str, *, will: bytes = b"") -> Iterator[Client]:
    parts = urlsplit(url)
    client = Client(unquote(parts.username or ""))
    if will:
        client.paho.will_set(f"khareetaty/sensors/{client.code}/status", will, qos=1)
    client.paho.username_pw_set(unquote(parts.username or ""), unquote(parts.password or ""))
    try:
        yield client.go(parts.hostname or "", parts.port or 0)
    finally:
        client.leave()


@contextmanager
def by_network(broker: Mosquitto, account: str, password: str) -> Iterator[Client]:
    """A LoRaWAN server's end: TLS, and a password."""
    client = Client(account)
    client.paho.tls_set(str(broker.sensors / "ca.pem"))
    client.paho.username_pw_set(account, password)
    try:
        yield client.go("localhost", broker.network_port)
    finally:
        client.leave()


@pytest.fixture
def gateway(beside: Mosquitto, request: Any) -> Iterator[SensorGateway]:
    """With a session of its own; ``work`` takes what comes here, in the test's own transaction."""
    made = SensorGateway(beside.gateway_url, client_id=f"_test-{request.node.name[:40]}-{time.monotonic_ns()}")
    made.start()
    yield made
    made.wire.leave(for_good=True)


def work(gateway: Gateway, *, expected: int, patience_s: float = 20.0) -> int:
    deadline, finished = time.monotonic() + patience_s, 0
    while finished < expected and time.monotonic() < deadline:
        finished += gateway.step(wait_s=0.05)
    return finished


def certified(device: Any, **options: Any) -> Issued:
    return issue_certificate(device=device, by=None, **options)
