"""What a Frigate beside cameras tells by MQTT: it speaks for them, by an account of its own, under ``khareetaty/frigate`` (its
``topic_prefix``). A camera there is the device here whose code is the camera's name, and whose profile is a camera's.

What cannot be read is counted without a byte of it: it may hold a plate or a name.
"""

from __future__ import annotations

from datetime import datetime

import orjson

from iot.decoders import frigate
from iot.decoders.errors import Undecodable
from iot.decoders.measurement import Measurement
from iot.gateways.mqtt_wire import Publish
from iot.models import DeadReading
from iot.models.profiles import DeviceKind
from iot.services.dying import Dead
from iot.services.speakers import Speakers
from iot.services.speaking import TooMany, allow
from iot.services.taking import Taken
from iot.stream import Envelope

DOOR = "frigate"
PREFIX = "khareetaty/frigate"
Why = DeadReading.Why


def read(message: Publish) -> tuple[str, list[Measurement]] | None:
    """The camera and what is said of it; ``None`` for what is nothing to us (pictures, settings). Raises ``Undecodable``."""
    topic = message.topic.decode(errors="replace")
    if topic != f"{PREFIX}/events":
        said = frigate.told(topic.removeprefix("khareetaty/"), message.payload)
        return said if said is not None and said[0] else None
    try:
        event = frigate.event(orjson.loads(message.payload))
    except orjson.JSONDecodeError as error:
        raise Undecodable("no JSON") from error
    return event.camera, event.measurements()


def take(said: list[tuple[str, list[Measurement]]], taken: Taken, *, speakers: Speakers, now: datetime) -> None:
    """``speakers`` has learned the cameras' names."""
    for camera, measurements in said:
        speaker = speakers.get(camera)
        if speaker is None or speaker.kind != DeviceKind.CAMERA:
            taken.dead.append(Dead(DOOR, Why.UNKNOWN_DEVICE, b"", now, detail=camera))
        elif not speaker.sender.may_speak:
            taken.dead.append(Dead(DOOR, Why.NOT_IN_USE, b"", now, speaker.sender.device_id))
        elif measurements:
            try:
                allow(speaker.sender, readings=len(measurements), door=DOOR)
            except TooMany:  # counted by it
                continue
            taken.envelopes.append(Envelope(speaker.sender.device_id, DOOR, now, measurements))
