"""Devices that speak MQTT, from a process of their own: ``python -m benchmarks.telemetry_mqtt_client HOST PORT RATE SECONDS``, pairs of
name and password on stdin. Prints JSON.

Each device has its own connection and sends at QoS 1 in turn: RATE messages a second of all together; with RATE 0 as many as SECONDS says,
two thousand on their way at once. Packets are put together by hand: the load is to cost little beside what it loads.
"""

from __future__ import annotations

import json
import resource
import select
import socket
import sys
import time
from collections import deque

from iot.gateways.mqtt_wire import sized, text

BYTES = 200
AT_ONCE = 2_000


def connect(host: str, port: int, name: str, password: str) -> socket.socket:
    made = socket.create_connection((host, port), 30)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.sendall(b"\x10" + sized(text("MQTT") + b"\x04\xc2\x03\x84" + text(name) + text(name) + text(password)))
    answer = made.recv(4)
    if answer[:1] != b"\x20" or answer[3]:
        raise SystemExit(f"{name} was refused: {answer.hex()}")
    made.setblocking(False)
    return made


def packet(topic: bytes, mid: int, value: float, at: float) -> bytes:
    said = b'{"metric":"temperature","value":%.2f,"at":%.6f,"site":"' % (value, at)
    return b"\x32" + sized(topic + mid.to_bytes(2, "big") + said + b"x" * (BYTES - 2 - len(said)) + b'"}')


def main(host: str, port: int, rate: float, seconds: float, accounts: list[tuple[str, str]]) -> dict[str, object]:
    sockets = [connect(host, port, name, password) for name, password in accounts]
    topics = [text(f"khareetaty/sensors/{name}/up") for name, _password in accounts]
    poll = select.epoll()
    devices = {made.fileno(): number for number, made in enumerate(sockets)}
    for handle in devices:
        poll.register(handle, select.EPOLLIN)
    sent_at: list[deque[float]] = [deque() for _ in sockets]
    latencies: list[float] = []
    most = int(rate * seconds) if rate else int(seconds)
    sent = acknowledged = 0
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    cpu_before, started = cpu.ru_utime + cpu.ru_stime, time.time()
    deadline = started + (seconds if rate else 600) + 60
    while acknowledged < most and time.time() < deadline:
        now = time.time()
        due = min(int((now - started) * rate) + 1, most) if rate else min(acknowledged + AT_ONCE, most)
        while sent < due:
            device = sent % len(sockets)
            # Never twice the same instant of one device: a repeated reading would be kept once.
            sockets[device].send(packet(topics[device], sent // len(sockets) % 60_000 + 1, 20 + sent % 9, time.time()))
            sent_at[device].append(now)
            sent += 1
        for handle, _event in poll.poll(0.002, 1_000):
            device = devices[handle]
            answers = len(sockets[device].recv(4_096)) // 4
            acknowledged += answers
            now = time.time()
            latencies += [now - sent_at[device].popleft() for _answer in range(answers)]
    took = time.time() - started
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    for made in sockets:
        made.close()
    ordered = sorted(latencies) or [float("nan")]
    return {
        "seconds": took,
        "sent": sent,
        "acknowledged": acknowledged,
        "p95_ms": 1_000 * ordered[int(0.95 * (len(ordered) - 1))],
        "cpu_s": cpu.ru_utime + cpu.ru_stime - cpu_before,
    }


if __name__ == "__main__":
    _program, host, port, rate, seconds = sys.argv
    print(json.dumps(main(host, int(port), float(rate), float(seconds), json.load(sys.stdin))))
