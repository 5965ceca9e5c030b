"""What a LoRaWAN network server's messages come down to, whichever server it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from iot.decoders.errors import Undecodable
from iot.decoders.json_path import JsonPath
from iot.decoders.measurement import Measurement
from iot.decoders.values import number_of

MAX_RECEPTIONS = 64
MAX_COUNTER = 2**32 - 1
_EUI = re.compile(r"[0-9a-fA-F]{16}\Z")


@dataclass(frozen=True, slots=True)
class Reception:
    """One gateway that heard the frame; dBm and dB, ``None`` where it did not say."""

    gateway: str
    rssi_dbm: float | None
    snr_db: float | None


@dataclass(frozen=True, slots=True)
class Uplink:
    """A frame from a device.

    Attributes
    ----------
    dev_eui : str
        Sixteen hexadecimal digits in lower case.
    dedup_id : str
        The same for each copy of the frame the server hands on.
    counter : int
        Counts up with each frame of a session; 0 where the message leaves it out, as both servers do with a zero.
    port : int
    at : datetime or None
    receptions : tuple of Reception
        Strongest first.
    payload : bytes
        Empty for a frame without data.
    decoded : dict or None
        What the server's own codec made of it.
    is_simulated : bool
        The server says it made the frame up.
    session : str
        Changes when the device joins anew; empty where the server does not tell.
    """

    dev_eui: str
    dedup_id: str
    counter: int
    port: int
    at: datetime | None
    receptions: tuple[Reception, ...]
    payload: bytes
    decoded: dict[str, Any] | None = None
    is_simulated: bool = False
    session: str = ""


@dataclass(frozen=True, slots=True)
class DeviceNews:
    """What the server says of a device that is no reading: ``status``, ``join``, ``ack``, ``txack``, ``log``, ``location`` …

    ``battery_pct`` and ``margin_db`` come with ``status`` alone; ``code`` is the server's own word where it reports a fault.
    """

    kind: str
    dev_eui: str
    dedup_id: str
    at: datetime | None
    battery_pct: float | None = None
    margin_db: float | None = None
    code: str = ""
    session: str = ""


def measured(uplink: Uplink, decoder: Callable[[object], list[Measurement]]) -> list[Measurement]:
    """The readings of a frame: by paths out of the server's decoded object where there is one, by the bytes otherwise.

    A reading that does not say when gets the time of the frame.
    """
    payload: object = uplink.decoded if isinstance(decoder, JsonPath) and uplink.decoded is not None else uplink.payload
    return [one if one.at is not None else replace(one, at=uplink.at) for one in decoder(payload)]


def eui_of(value: object) -> str:
    if not isinstance(value, str) or not _EUI.match(value):
        raise Undecodable("no device EUI of sixteen hexadecimal digits")
    return value.lower()


def whole_of(value: object, name: str, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise Undecodable(f"{name}: not a whole number from 0 to {most}")
    return value


def receptions_of(rows: object, read: Callable[[dict[str, Any]], Reception]) -> tuple[Reception, ...]:
    if not isinstance(rows, list) or len(rows) > MAX_RECEPTIONS or not all(isinstance(row, dict) for row in rows):
        raise Undecodable("no list of gateways")
    return tuple(sorted((read(row) for row in rows), key=lambda one: -(one.rssi_dbm if one.rssi_dbm is not None else -999.0)))


def optional_number(value: object, name: str) -> float | None:
    return None if value is None else number_of(value, name)
