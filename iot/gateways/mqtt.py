"""Sensors that speak MQTT. A message is acknowledged when what it says is on the disk of the stream, and not before.

    khareetaty/sensors/CODE/up      readings, in our own form or in the profile's
    khareetaty/sensors/CODE/status  "online" or "offline"; the last will says the latter
    khareetaty/sensors/CODE/ack     what became of a command
    khareetaty/sensors/CODE/down    commands

One thread does everything with a batch at a time: read what is there, judge it, offer it, acknowledge it. While Redis is away or full
nothing is read and nothing acknowledged: the broker holds it. While PostgreSQL is away known devices are taken in as before.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import redis
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.utils import timezone

from iot.decoders.errors import Undecodable
from iot.decoders.measurement import Measurement
from iot.gateways import mqtt_cameras
from iot.gateways.mqtt_commands import Commands, answer, to_devices
from iot.gateways.mqtt_session import GROUP, Gateway
from iot.gateways.mqtt_wire import Publish, Wire
from iot.models import DeadReading
from iot.services.dying import Dead, bury
from iot.services.outages import note_gone, sweep, who_is_gone
from iot.services.speakers import Speakers
from iot.services.speaking import note_many_limited
from iot.services.taking import Taken, read_messages
from iot.stream import Envelope, StreamAway, StreamFull, offer

logger = logging.getLogger("telemetry")

DOOR = "mqtt"
CAMERAS = "frigate"
ROOT = "khareetaty/sensors/"
FILTERS = (ROOT + "+/up", ROOT + "+/status", ROOT + "+/ack", mqtt_cameras.PREFIX + "/#")
CLIENT_ID = "_khareetaty-sensors"  # no device's code begins so: none can take our session
KEPT_S = 7 * 86_400
MOST_UNACKNOWLEDGED = 8_000
MOST = 2_000  # of one batch
GATHER_S = 0.05  # a little company for each offer: it costs a write to the disk
LONGEST_REST_S = 5.0
REPORT_EVERY_S = 60.0
LOOK_EVERY_S = 2.0
COMPANY_S = 3.0
MOST_DEATHS = 10_000
AWAY = (DatabaseError, InterfaceError)


class SensorGateway(Gateway):
    """``shared``: several gateways split what comes. Only for a broker that keeps a shared subscription over its own restart."""

    def __init__(self, url: str, *, client_id: str = CLIENT_ID, shared: bool = False, cafile: str = "") -> None:
        super().__init__(Wire(url, client_id=client_id, kept_s=KEPT_S, most=MOST_UNACKNOWLEDGED, cafile=cafile))
        self.filters = [GROUP + name if shared else name for name in FILTERS]
        self.commands = Commands(self.wire, to_devices(ROOT))
        self.speakers = Speakers()
        self.counts: Counter[str] = Counter()
        self._names: dict[bytes, tuple[str, str]] = {}
        self._held: list[Publish] = []  # of devices nobody could look up while PostgreSQL was away
        self._deaths: list[Dead] = []
        self._gone: set[int] = set()
        self._sweep_at = self._looked_at = 0.0
        self._reported_at = time.monotonic()

    def start(self) -> None:
        """Connect and subscribe. What an earlier connection left open is delivered again, under numbers of its own."""
        self._held = []
        had_session = self.wire.connect()
        self.commands.begin()
        self.wire.subscribe(self.filters)
        logger.info("connected to the broker at %s:%d%s", self.wire.host, self.wire.port, ", where messages waited" if had_session else "")

    def step(self, *, wait_s: float = 0.5) -> int:
        """One batch; how many messages were finished. Raises ``Lost``."""
        messages = self.wire.read(wait_s=wait_s)
        if messages:
            until = time.monotonic() + GATHER_S
            while len(messages) < MOST and (rest := until - time.monotonic()) > 0:
                messages += self.wire.read(wait_s=rest)
        messages = self._held + messages
        self._held = []
        finished = 0
        for start in range(0, len(messages), MOST):
            finished += self._finish(messages[start : start + MOST])
        if self._deaths:
            self._bury([])
        self._look_after()
        self._report()
        return finished

    def _finish(self, messages: Sequence[Publish]) -> int:
        now = timezone.now()
        named = [(message, *self._name(message.topic)) for message in messages]
        cameras, unreadable = self._of_cameras([message for message, _code, kind in named if kind == CAMERAS], now)
        if not self._learn({code for _message, code, _kind in named if code} | {camera for camera, _said in cameras}):
            waits = [row for row in named if row[2] == CAMERAS or (row[1] and not self.speakers.knows(row[1]))]
            self._held += [message for message, _code, _kind in waits]
            named = [row for row in named if row not in waits]
            cameras, unreadable = [], []
        said = [(code, message.payload) for message, code, kind in named if kind == "up"]
        taken = read_messages(said, speakers=self.speakers, door=DOOR, now=now)
        taken.dead += unreadable
        mqtt_cameras.take(cameras, taken, speakers=self.speakers, now=now)
        for message in (message for message, code, kind in named if not code and kind != CAMERAS):
            detail = f"topic {message.topic[:120].decode(errors='replace')}"
            taken.dead.append(Dead(DOOR, DeadReading.Why.UNREADABLE, message.payload, now, detail=detail))
        left, heard = self._statuses([row for row in named if row[1]], taken, now)
        if not self._answers([row for row in named if row[2] == "ack"], taken, now):
            self._held += [message for message, _code, kind in named if kind == "ack"]
            named = [row for row in named if row[2] != "ack"]
        if not self._offer(taken.envelopes):
            return 0  # told to stop: the broker delivers it again
        self._note_gone(left, heard)
        if taken.limited:
            note_many_limited(taken.limited, door=DOOR)
        self._bury(taken.dead)
        self.wire.acknowledge([message.mid for message, _code, _kind in named])
        self._count(taken, len(named))
        return len(named)

    def _of_cameras(self, messages: Sequence[Publish], now: datetime) -> tuple[list[tuple[str, list[Measurement]]], list[Dead]]:
        said, dead = [], []
        for message in messages:
            try:
                if (one := mqtt_cameras.read(message)) is not None:
                    said.append(one)
            except Undecodable as error:
                dead.append(Dead(mqtt_cameras.DOOR, DeadReading.Why.UNREADABLE, b"", now, detail=error.reason))
        return said, dead

    def _statuses(self, named: Sequence[tuple[Publish, str, str]], taken: Taken, now: datetime) -> tuple[dict[int, datetime], set[int]]:
        """Who left without a word, and who of those that had left is here again. Who says ``online`` is seen, as if it had said more."""
        left: dict[int, datetime] = {}
        heard: set[int] = set()
        for message, code, kind in named:
            speaker = self.speakers.get(code)
            if speaker is None or not (speaker.sender.may_speak and speaker.is_let_in):
                continue
            device_id = speaker.sender.device_id
            word = message.payload[:16].strip().lower() if kind == "status" else b""
            if word == b"offline":
                left[device_id] = now
                heard.discard(device_id)
            elif kind != "status" or word == b"online":
                left.pop(device_id, None)
                if device_id in self._gone:
                    heard.add(device_id)
                if word:
                    taken.envelopes.append(Envelope(device_id, DOOR, now, []))
            else:
                detail = "a status is online or offline"
                taken.dead.append(Dead(DOOR, DeadReading.Why.UNREADABLE, message.payload, now, device_id, detail=detail))
        return left, heard

    def _answers(self, named: Sequence[tuple[Publish, str, str]], taken: Taken, now: datetime) -> bool:
        """What devices say of commands; ``False`` while it cannot be written down."""
        for message, code, _kind in named:
            speaker = self.speakers.get(code)
            if speaker is None or not speaker.is_let_in:
                continue
            try:
                wrong = answer(message.payload, device_id=speaker.sender.device_id, now=now)
            except AWAY:
                self._forget_connection()
                return False
            if wrong:
                taken.dead.append(Dead(DOOR, DeadReading.Why.UNREADABLE, message.payload, now, speaker.sender.device_id, detail=wrong))
        return True

    def _note_gone(self, left: dict[int, datetime], heard: set[int]) -> None:
        if left or heard:
            with contextlib.suppress(redis.RedisError):  # silence tells as well, later
                note_gone(left=left, heard=heard)
            self._gone = (self._gone | left.keys()) - heard
            # Many that go with one mast are said together: so long the sweep waits for the others.
            self._sweep_at = self._sweep_at or time.monotonic() + COMPANY_S

    def _look_after(self) -> None:
        """What is done beside the messages, now and then."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            self._gone = set(who_is_gone(now=timezone.now()))  # others may have noted some
        try:
            self.commands.look()
            if self._sweep_at and now >= self._sweep_at:
                self._sweep_at = 0.0
                sweep(now=timezone.now())
        except AWAY:
            self._forget_connection()

    def _name(self, topic: bytes) -> tuple[str, str]:
        """The device's code and the kind of message; no code for what a recorder says, and neither for a topic that is none of ours."""
        known = self._names.get(topic)
        if known is None:
            parts = topic.decode(errors="replace").split("/")
            fits = len(parts) == 4 and parts[:2] == ["khareetaty", "sensors"] and 0 < len(parts[2]) <= 64
            known = (parts[2], parts[3]) if fits else ("", CAMERAS if parts[:2] == ["khareetaty", "frigate"] else "")
            if len(self._names) >= 50_000:
                self._names.clear()
            self._names[topic] = known
        return known

    def _learn(self, codes: set[str]) -> bool:
        try:
            self.speakers.learn(codes)
        except AWAY as error:
            logger.warning("the database is away (%s); known devices are taken in all the same", str(error).strip().split("\n")[0])
            self._forget_connection()
            return False
        return True

    def _offer(self, envelopes: Sequence[Envelope]) -> bool:
        """Until they are on the disk: ``True``; or until we are told to stop."""
        rest_s = 0.1
        while True:
            try:
                offer(envelopes)
            except (StreamAway, StreamFull) as away:
                if rest_s == 0.1:
                    logger.warning("nothing is taken, and nothing acknowledged: %s", away)
                self.wire.keep_alive()
                if self.stop.wait(rest_s):
                    return False
                rest_s = min(rest_s * 2, LONGEST_REST_S)
            else:
                return True

    def _bury(self, dead: list[Dead]) -> None:
        """Count them now; while PostgreSQL is away, later."""
        self._deaths = (self._deaths + dead)[-MOST_DEATHS:]
        if not self._deaths:
            return
        try:
            bury(self._deaths)
            self._deaths = []
        except AWAY:
            self._forget_connection()

    def _forget_connection(self) -> None:
        if not connection.in_atomic_block:
            connection.close()

    def _count(self, taken: Taken, messages: int) -> None:
        self.counts["messages"] += messages
        self.counts["kept"] += len(taken.envelopes)
        self.counts["dead"] += sum(row.n for row in taken.dead)
        self.counts["limited"] += taken.limited.total()

    def _report(self) -> None:
        if time.monotonic() - self._reported_at >= REPORT_EVERY_S:
            self._reported_at = time.monotonic()
            close_old_connections()
            if self.counts:
                logger.info("%s", dict(self.counts))
