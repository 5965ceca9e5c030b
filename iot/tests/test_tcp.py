"""IOT-1: sensors that keep a TCP connection: who they are first, then lines and frames, each answered when it is on the disk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from iot.gateways import tcp, tcp_frame
from iot.gateways.tcp import TcpGateway
from iot.gateways.tls import tls_of_settings
from iot.models import DeadReading, DeviceCredential, Reading
from iot.services import issue_certificate, revoke_certificate, revoke_credential, suspend_device
from iot.stream import Stream

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Client:
    """A device's end of the wire."""

    wire: socket.socket

    def say(self, *lines: Any) -> None:
        self.wire.sendall(b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines))

    def line(self) -> str:
        """The next line; empty when the other side has closed."""
        found = b""
        while not found.endswith(b"\n"):
            more = self.wire.recv(1)
            if not more:
                return found.decode()
            found += more
        return found.decode().strip()

    def ask(self, line: Any) -> str:
        self.say(line)
        return self.line()

    def frame(self, raw: bytes) -> tuple[int, int, int]:
        self.wire.sendall(raw)
        found = b""
        while len(found) < tcp_frame.ANSWER_BYTES:
            more = self.wire.recv(tcp_frame.ANSWER_BYTES - len(found))
            assert more, "closed"
            found += more
        return tcp_frame.read_answer(found)


class Gateways:
    """Each runs in a thread of its own. ``connect()`` gives a wire, ``connect(key)`` one that has said it is AIR-1."""

    def __init__(self) -> None:
        self._running: list[tuple[asyncio.AbstractEventLoop, asyncio.Event, threading.Thread]] = []
        self._wires: list[socket.socket] = []
        self.default = self()

    def __call__(self, **how: Any) -> TcpGateway:
        made, ready = TcpGateway("127.0.0.1", 0, **how), threading.Event()

        def started(port: int) -> None:
            made.port = port
            ready.set()

        async def main() -> None:
            stop = asyncio.Event()
            self._running.append((asyncio.get_running_loop(), stop, threading.current_thread()))
            await made.run(stop, started)

        threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
        assert ready.wait(20)
        return made

    def connect(self, key: str = "", *, to: TcpGateway | None = None) -> Client:
        wire = socket.create_connection(("127.0.0.1", (to or self.default).port), timeout=20)
        self._wires.append(wire)
        client = Client(wire)
        if key:
            assert client.ask(f"AUTH {key}".encode()) == "OK AIR-1 humidity,temperature"
        return client

    def end(self) -> None:
        for wire in self._wires:
            wire.close()
        for loop, stop, thread in self._running:
            loop.call_soon_threadsafe(stop.set)
            thread.join(20)


@pytest.fixture
def gateway(sensors, monkeypatch):
    monkeypatch.setattr(tcp, "LOOK_EVERY_S", 0.1)
    gateways = Gateways()
    yield gateways
    gateways.end()


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def test_lines_are_answered_when_they_are_on_the_disk(gateway, sensors, drain):
    client = gateway.connect(sensors.key)
    at = sensors.ago(seconds=5).isoformat()
    assert client.ask({"metric": "temperature", "value": 21.5, "at": at}) == "OK 1"
    assert Stream().standing()["readings"] == 1
    assert client.ask({"values": {"temperature": 22, "humidity": 40}, "battery_pct": 81}) == "OK 2"
    assert client.ask([{"metric": "temperature", "value": 1, "at": 0}, {"metric": "temperature", "value": 23}]) == "OK 1 refused 1 too_old"
    client.say(*[{"metric": "humidity", "value": n, "at": (sensors.now - timedelta(seconds=100 - n)).isoformat()} for n in range(50)])
    assert [client.line() for _n in range(50)] == ["OK 1"] * 50
    drain()
    assert Reading.objects.count() == 54
    sensors.salmiya.refresh_from_db()
    assert sensors.salmiya.battery_pct == 81


def test_who_it_is_may_be_said_as_json_and_must_be_said_first(gateway, sensors):
    assert gateway.connect().ask({"auth": sensors.key}).startswith("OK AIR-1")
    for wrong in (b"AUTH kd_12345678_x", b"AUTH", b"{", {"metric": "temperature", "value": 1}, b"\xff\xfe", b"x" * 600):
        client = gateway.connect()
        assert client.ask(wrong) == "ERR unauthorized" and client.line() == ""


def test_one_that_says_nothing_is_let_go(gateway, monkeypatch):
    monkeypatch.setattr(tcp, "HELLO_WITHIN_S", 0.2)
    client = gateway.connect()
    assert client.line() == "ERR unauthorized" and client.line() == ""


def test_one_that_drips_is_let_go(gateway, sensors, monkeypatch):
    monkeypatch.setattr(tcp, "WHOLE_WITHIN_S", 0.3)
    client = gateway.connect(sensors.key)
    client.wire.sendall(b'{"metric": ')
    assert client.line() == "ERR too_slow"


def test_one_that_is_idle_for_too_long_is_let_go(gateway, sensors):
    client = gateway.connect(to=gateway(idle_s=0.3))
    assert client.ask(f"AUTH {sensors.key}".encode()).startswith("OK") and client.line() == "ERR idle"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", "unreadable"), (b'{"metric": "temperature", "value": NaN}', "unreadable"), (b"\xff\xff", "unreadable"),
        (b'{"metric": "temperature", "value": 1e999}', "unreadable"), (b"5", "not_an_object"),
        ({"metric": "radiation", "value": 1}, "unknown_metric"), ({"metric": "temperature", "value": 1, "at": 0}, "too_old"),
        ({"metric": "temperature", "value": 1, "at": "2099-01-01T00:00:00Z"}, "future"),
        ({"metric": "temperature", "value": 1, "device": "AIR-2"}, "no_such_device"),
        ([{"metric": "temperature", "value": 1}] * 1_001, "too_long"),
    ],
)  # fmt: skip
def test_each_thing_that_is_wrong_has_its_word_and_the_next_line_is_taken(gateway, sensors, line, code):
    client = gateway.connect(sensors.key)
    assert client.ask(line) == f"ERR {code}"
    assert client.ask({"metric": "temperature", "value": 1}) == "OK 1"
    until(lambda: DeadReading.objects.filter(door="tcp", device=sensors.salmiya).exists())


def test_a_line_without_end_is_refused_and_the_connection_with_it(gateway, sensors):
    client = gateway.connect(sensors.key)
    with contextlib.suppress(OSError):  # closed while we wrote
        client.wire.sendall(b"x" * 1_000_000)
    with contextlib.suppress(ConnectionResetError):
        assert client.line() in ("ERR too_long", "")
    assert gateway.default.counts["too_long"] == 1
    assert gateway.connect(sensors.key).ask({"metric": "temperature", "value": 1}) == "OK 1"


# -- frames ------------------------------------------------------------------------------------------------------------------------------
VECTOR = bytes.fromhex("a74b0100000a0000002a0000019cadc784e000422000000141ac00001163acf9")


def test_the_frame_of_the_documentation():
    found = tcp_frame.read(VECTOR, ("humidity", "temperature"))
    at = datetime(2026, 3, 2, 9, 1, tzinfo=UTC)
    assert [(one.metric, one.value, one.at) for one in found] == [("humidity", 40, at), ("temperature", 21.5, at)]
    assert tcp_frame.write(42, 1772442060000, [(0, 40.0), (1, 21.5)]) == VECTOR
    assert tcp_frame.answer(42, "", 2) == bytes.fromhex("a74b01000000002a0002e3b74680")


def test_frames_and_lines_on_one_wire(gateway, sensors, drain):
    client = gateway.connect(sensors.key)
    at_ms = int(sensors.ago(seconds=3).timestamp() * 1000)
    frame = tcp_frame.write(7, at_ms, [(0, 40.0), (1, 21.5)])
    assert client.frame(frame) == (0, 7, 2)
    assert client.frame(frame) == (0, 7, 2)  # told again: harmless
    assert client.ask({"metric": "temperature", "value": 20}) == "OK 1"
    assert client.frame(tcp_frame.write(8, 0, [(1, 22.0)])) == (0, 8, 1)
    for part in (frame[:1], frame[1:9], frame[9:]):  # in pieces
        client.wire.sendall(part)
        time.sleep(0.02)
    assert client.frame(b"")[1] == 7
    drain()
    assert Reading.objects.count() == 4


def test_broken_frames_are_answered_by_their_status(gateway, sensors):
    client = gateway.connect(sensors.key)
    good = tcp_frame.write(9, 0, [(1, 22.0)])
    nan, far = tcp_frame.write(9, 0, [(1, float("nan"))]), tcp_frame.write(9, 0, [(7, 1.0)])
    past, late = tcp_frame.write(9, 1, [(1, 1.0)]), tcp_frame.write(9, 4_070_908_800_000, [(1, 1.0)])
    endless = tcp_frame.write(9, 2**63, [(1, 1.0)])
    empty = tcp_frame.write(9, 0, [])
    said = [client.frame(frame) for frame in (good[:-1] + bytes([good[-1] ^ 1]), nan, far, empty, past, late, endless, good)]
    assert [status for status, _seq, _taken in said] == [1, 2, 2, 2, 5, 5, 2, 0] and {seq for _status, seq, _taken in said} == {9}
    client.wire.sendall(b"\xa7\x00")  # not our magic
    assert client.line() == "ERR unreadable" and client.line() == ""


def test_a_length_that_lies_holds_nobody_up(gateway, sensors, monkeypatch):
    monkeypatch.setattr(tcp, "WHOLE_WITHIN_S", 0.3)
    client = gateway.connect(sensors.key)
    client.wire.sendall(tcp_frame.MAGIC + b"\x01\x00" + struct.pack(">H", 65_535))
    assert client.line() == "ERR too_slow"


# -- keys, limits, company ---------------------------------------------------------------------------------------------------------------
def test_a_key_that_is_revoked_ends_the_session(gateway, sensors, cast):
    client = gateway.connect(sensors.key)
    assert client.ask({"metric": "temperature", "value": 1}) == "OK 1"
    revoke_credential(credential=DeviceCredential.objects.get(device=sensors.salmiya), by=cast.supervisor, reason="Lost")
    assert client.line() == "ERR unauthorized" and client.line() == ""
    assert gateway.connect().ask(f"AUTH {sensors.key}".encode()) == "ERR unauthorized"


def test_a_device_that_is_suspended_is_let_go(gateway, sensors, cast):
    client = gateway.connect(sensors.key)
    suspend_device(device=sensors.salmiya, by=cast.supervisor, reason="Tampered with")
    assert client.line() == "ERR not_in_use"
    assert gateway.connect().ask(f"AUTH {sensors.key}".encode()) == "ERR not_in_use"


def test_a_device_has_two_connections_and_a_third_takes_the_place_of_the_first(gateway, sensors):
    first, second, third = (gateway.connect(sensors.key) for _n in range(3))
    assert first.line() == "ERR another_connection"
    assert second.ask({"metric": "temperature", "value": 1}) == third.ask({"metric": "temperature", "value": 1}) == "OK 1"


def test_more_connections_than_there_may_be_are_told_so(gateway, sensors):
    small = gateway(most=1)
    kept = gateway.connect(to=small)
    assert gateway.connect(to=small).line() == "ERR busy"
    assert kept.ask(f"AUTH {sensors.key}".encode()).startswith("OK")


def test_one_that_floods_is_limited_and_another_unharmed(gateway, sensors):
    flood, other = gateway.connect(sensors.key), gateway.connect()
    assert other.ask(f"AUTH {sensors.sharq_key}".encode()).startswith("OK AIR-2")
    flood.say(*[{"metric": "temperature", "value": n} for n in range(1_500)])
    answers = [flood.line() for _n in range(1_500)]
    assert 990 <= answers.count("OK 1") <= 1_010 and set(answers) == {"OK 1", "ERR too_many"}
    assert other.ask({"metric": "temperature", "value": 1}) == "OK 1"


def test_while_the_stream_is_full_or_away_it_says_later(gateway, sensors, settings):
    client = gateway.connect(sensors.key)
    url = settings.STREAMS_URL
    settings.STREAMS_URL = "redis://127.0.0.1:1/0"
    assert client.ask({"metric": "temperature", "value": 1}) == "ERR later"
    settings.STREAMS_URL = url
    assert client.ask({"metric": "temperature", "value": 1}) == "OK 1"
    settings.IOT_STREAM_MOST = 1
    assert client.frame(tcp_frame.write(1, 0, [(1, 22.0)])) == (4, 1, 0)


def test_one_that_does_not_read_its_answers_holds_up_nobody_else_and_is_let_go(gateway, sensors, monkeypatch):
    monkeypatch.setattr(tcp, "READ_WITHIN_S", 0.3)
    deaf = gateway.connect(sensors.key)
    deaf.wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    deaf.wire.settimeout(1)
    with contextlib.suppress(OSError):  # it is read no further, or closed
        for _n in range(20):
            deaf.wire.sendall(b"{}\n" * 20_000)
    until(lambda: gateway.default.counts["unread"] == 1)
    assert gateway.connect(sensors.key).ask({"metric": "temperature", "value": 1}) in ("OK 1", "ERR too_many")


def test_over_tls(gateway, sensors, tmp_path, settings):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(sensors.ago(days=1)).not_valid_after(sensors.ago(days=-1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False).sign(key, hashes.SHA256())
    )  # fmt: skip
    (tmp_path / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "k.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    settings.IOT_TCP_CERTIFICATE, settings.IOT_TCP_KEY = str(tmp_path / "c.pem"), str(tmp_path / "k.pem")
    settings.IOT_CA_DIR = tmp_path / "ca"
    secure = gateway(tls=tls_of_settings())
    context = ssl.create_default_context(cafile=settings.IOT_TCP_CERTIFICATE)
    plain = socket.create_connection(("127.0.0.1", secure.port), timeout=20)
    with context.wrap_socket(plain, server_hostname="localhost") as wire:
        client = Client(wire)
        assert client.ask(f"AUTH {sensors.key}".encode()).startswith("OK AIR-1")
        assert client.ask({"metric": "temperature", "value": 1}) == "OK 1"


@contextlib.contextmanager
def wrapped(port, issued, folder, *, name="localhost", shows=True):
    context = ssl.create_default_context(cadata=issued.authority_pem)
    if shows:
        (folder / "device.pem").write_text(issued.pem + issued.key_pem)
        context.load_cert_chain(folder / "device.pem")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain, context.wrap_socket(plain, server_hostname=name) as wire:
        yield Client(wire)


def test_by_our_own_authority_a_certificate_says_who_it_is_and_a_key_may_all_the_same(gateway, sensors, tmp_path, settings):
    settings.IOT_CA_DIR, settings.IOT_TCP_TLS = tmp_path / "ca", "on"
    issued = issue_certificate(device=sensors.salmiya, by=None)
    secure = gateway(tls=tls_of_settings())
    with wrapped(secure.port, issued, tmp_path) as client:
        assert client.line() == "OK AIR-1 humidity,temperature"
        assert client.ask({"metric": "temperature", "value": 1}) == "OK 1"
        with wrapped(secure.port, issued, tmp_path, shows=False) as other:
            assert other.ask(f"AUTH {sensors.sharq_key}".encode()).startswith("OK AIR-2")
            revoke_certificate(credential=issued.credential, by=None, reason="Lost")
            assert client.line() == "ERR unauthorized" and client.line() == ""
            assert other.ask({"metric": "temperature", "value": 1}) == "OK 1"
    with wrapped(secure.port, issued, tmp_path) as again:
        assert again.line() == "ERR unauthorized"


def test_a_certificate_of_another_authority_does_not_get_in(gateway, sensors, tmp_path, settings):
    settings.IOT_CA_DIR, settings.IOT_TCP_TLS = tmp_path / "other", "on"
    foreign = issue_certificate(device=sensors.salmiya, by=None)
    settings.IOT_CA_DIR = tmp_path / "ca"
    mine = issue_certificate(device=sensors.sharq, by=None)
    secure = gateway(tls=tls_of_settings())
    mixed = type(foreign)(foreign.credential, foreign.pem, foreign.key_pem, mine.authority_pem)
    with contextlib.suppress(ssl.SSLError, ConnectionError), wrapped(secure.port, mixed, tmp_path) as client:
        assert client.line() == ""
    assert not secure.open and not secure.counts["taken"]


def test_in_the_clear_for_this_machine_alone_unless_it_is_said(settings, tmp_path):
    settings.IOT_CA_DIR = tmp_path / "ca"
    for host, said, is_secret in (
        ("127.0.0.1", "", False), ("localhost", "", False), ("192.0.2.1", "", True), ("::", "", True), ("10.1.2.3", "off", False),
        ("127.0.0.1", "on", True),
    ):  # fmt: skip
        settings.IOT_TCP_HOST, settings.IOT_TCP_TLS = host, said
        assert (tls_of_settings() is not None) is is_secret, (host, said)
