"""Commands on their way to devices that speak MQTT, and what the devices answer.

Down goes ``{"id": …, "command": {…}, "expires_at": …}``; the device answers on ``…/ack`` with ``{"id": …, "ok": true}`` or ``"ok": false``
and a ``detail``. A broker that has nobody listening for it says so, and it is tried again until it is of no use any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

import orjson
from django.utils import timezone

from iot.gateways.mqtt_wire import Wire
from iot.models import DeviceCommand
from iot.services.commands import note_answered, note_not_sent, note_sent, take_commands

LOOK_EVERY_S = 0.5
NOBODY_LISTENS = 0x10


class Down(NamedTuple):
    """A command as it is published: ``command`` is its row's number."""

    command: int
    topic: str
    payload: bytes
    expires_at: datetime


class Commands:
    """``take`` claims what is due. Raises ``django.db.DatabaseError`` while PostgreSQL is away; what was handed over and not noted is
    handed over again."""

    def __init__(self, wire: Wire, take: Callable[[datetime], Iterable[Down]]) -> None:
        self.wire, self.take = wire, take
        self._on_their_way: dict[int, int] = {}
        self._looked_at = 0.0

    def begin(self) -> None:
        """A new connection: what the last one had not been told of is tried again when its time comes."""
        self._on_their_way.clear()

    def look(self) -> None:
        answered, self.wire.answered = self.wire.answered, []
        for mid, reason in answered:
            pk = self._on_their_way.pop(mid, None)
            if pk is None:
                continue
            if reason == 0:
                note_sent(pk=pk, now=timezone.now())
            else:
                note_not_sent(pk=pk, problem="it is not connected" if reason == NOBODY_LISTENS else f"the broker: {reason:#x}")
        if time.monotonic() - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = time.monotonic()
        now = timezone.now()
        for down in self.take(now):
            lasts = int((down.expires_at - now).total_seconds())
            self._on_their_way[self.wire.publish(down.topic, down.payload, expires_s=lasts)] = down.command


def to_devices(root: str) -> Callable[[datetime], Iterable[Down]]:
    """Commands for devices that listen at the broker themselves."""

    def take(now: datetime) -> Iterable[Down]:
        for command in take_commands(transport=DeviceCommand.Transport.MQTT, now=now):
            said = {"id": str(command.reference), "command": command.payload, "expires_at": command.expires_at.isoformat()}
            yield Down(command.pk, f"{root}{command.device.code}/down", orjson.dumps(said), command.expires_at)

    return take


def answer(payload: bytes, *, device_id: int, now: datetime) -> str:
    """What a device said of a command; why it could not be taken, or nothing."""
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return "no JSON"
    if not isinstance(body, dict) or not isinstance(body.get("id"), str) or not isinstance(body.get("ok"), bool):
        return "an answer is {id, ok, detail}"
    detail = body.get("detail")
    known = note_answered(
        reference=body["id"], device_id=device_id, is_done=body["ok"], detail=detail if isinstance(detail, str) else "", now=now
    )
    return "" if known else "no command of its own waits for this answer"
