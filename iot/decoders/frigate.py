"""What Frigate tells about its cameras over MQTT: what was seen and how long. No picture, no plate, no face, no name.

Only the fields named here are read. ``sub_label`` (a recognised face or vehicle), ``recognized_license_plate``, thumbnails, snapshots and
the descriptions a language model writes are never looked at, so they cannot come out by mistake.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from iot.decoders.errors import Undecodable
from iot.decoders.measurement import Measurement
from iot.decoders.values import instant_of, number_of, object_of, text_of

KINDS = ("new", "update", "end")
# Labels pass into a metric's name, so only those of the detector's own list do; all others count as "object".
LABELS = frozenset(
    [
        "person",
        "car",
        "motorcycle",
        "bicycle",
        "bus",
        "truck",
        "boat",
        "train",
        "airplane",
        "dog",
        "cat",
        "bird",
        "horse",
        "camel",
        "animal",
        "package",
        "fire",
        "smoke",
        "weapon",
        "fall",
    ]
)
_CAMERA = re.compile(r"[\w-]{1,64}\Z", re.ASCII)
_ID = re.compile(r"[\w.\-]{1,64}\Z", re.ASCII)
_HEALTH = {"online": 1.0, "offline": 0.0, "stopped": 0.0, "disabled": 0.0}
_SWITCH = {"ON": 1.0, "OFF": 0.0}


@dataclass(frozen=True, slots=True)
class CameraEvent:
    """One object followed by a camera. ``key`` and ``kind`` together name a message: it may come twice."""

    key: str
    kind: str
    camera: str
    label: str
    score: float
    at: datetime
    started_at: datetime
    ended_at: datetime | None
    zones: tuple[str, ...]
    is_stationary: bool
    is_false: bool

    def measurements(self) -> list[Measurement]:
        """An object counts once, when it is first told of; its stay when it ends. A false positive counts for nothing."""
        if self.is_false:
            return []
        if self.kind == "new":
            return [Measurement(f"{self.label}_seen", 1.0, self.started_at)]
        if self.kind == "end" and self.ended_at is not None:
            return [Measurement(f"{self.label}_stay_s", max(0.0, (self.ended_at - self.started_at).total_seconds()), self.ended_at)]
        return []


def event(body: object) -> CameraEvent:
    """A message of ``frigate/events``; the state after the change is the one that counts."""
    given = object_of(body)
    kind, after = given.get("type"), given.get("after")
    if not isinstance(kind, str) or kind not in KINDS:
        raise Undecodable("type: not new, update or end")
    if not isinstance(after, dict):
        raise Undecodable("after: missing")
    ended = after.get("end_time")
    return CameraEvent(
        key=_matching(after.get("id"), _ID, "id"),
        kind=kind,
        camera=_matching(after.get("camera"), _CAMERA, "camera"),
        label=label_of(after.get("label")),
        score=_share(after.get("top_score", after.get("score"))),
        at=instant_of(after.get("frame_time"), "epoch_s", "frame_time"),
        started_at=instant_of(after.get("start_time"), "epoch_s", "start_time"),
        ended_at=instant_of(ended, "epoch_s", "end_time") if ended is not None else None,
        zones=_zones(after.get("entered_zones", [])),
        is_stationary=after.get("stationary") is True,
        is_false=after.get("false_positive") is True,
    )


def told(topic: str, payload: bytes, *, prefix: str = "frigate") -> tuple[str, list[Measurement]] | None:
    """The camera and what a topic besides ``events`` says of it; ``None`` for topics that hold nothing for us (pictures, settings).

    Read are ``<camera>/motion`` (ON, OFF), ``<camera>/<object>`` (how many are in view), ``<camera>/status/detect`` (online, offline,
    disabled) and ``available`` (camera ``""``: the whole of it).
    """
    parts = topic.split("/")
    if parts[0] != prefix or len(payload) > 64:
        return None
    word = payload.decode("ascii", "replace").strip()
    if parts[1:] == ["available"]:
        return ("", [Measurement("is_online", _HEALTH[word])]) if word in _HEALTH else None
    if len(parts) < 3 or not _CAMERA.match(parts[1]):
        return None
    if parts[2:] == ["motion"]:
        return (parts[1], [Measurement("motion", _SWITCH[word])]) if word in _SWITCH else None
    if parts[2:] == ["status", "detect"]:
        return (parts[1], [Measurement("is_online", _HEALTH[word])]) if word in _HEALTH else None
    if len(parts) == 3 and (parts[2] in LABELS or parts[2] == "all") and word.isdecimal() and len(word) <= 6:
        return parts[1], [Measurement(f"{'objects' if parts[2] == 'all' else parts[2]}_in_view", float(word))]
    return None


def label_of(value: object) -> str:
    text = text_of(value, "label", longest=64)
    return text if text in LABELS else "object"


def _matching(value: object, pattern: re.Pattern[str], name: str) -> str:
    if not isinstance(value, str) or not pattern.match(value):
        raise Undecodable(f"{name}: not a name")
    return value


def _share(value: Any) -> float:
    share = number_of(value, "score")
    if not 0 <= share <= 1:
        raise Undecodable("score: not from 0 to 1")
    return share


def _zones(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > 50:
        raise Undecodable("entered_zones: not a list")
    return tuple(_matching(zone, _CAMERA, "zone") for zone in value)
