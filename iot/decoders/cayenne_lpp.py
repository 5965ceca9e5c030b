"""Cayenne Low Power Payload: channel, type, value, again and again.

The types of myDevices' description (IPSO object id less 3200) and the extended ones in general use. A metric is named after the type and
the channel (``temperature_1``); settings may rename them: ``{"names": {"temperature_1": "water_temp_c"}, "only_named": false}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from iot.decoders.errors import Undecodable
from iot.decoders.measurement import Measurement
from iot.decoders.settings import METRIC, Settings
from iot.decoders.values import checked_size


@dataclass(frozen=True, slots=True)
class _Type:
    """``parts`` are (suffix, bytes, resolution) in the order they lie in the frame, most significant byte first."""

    name: str
    parts: tuple[tuple[str, int, float], ...]
    is_signed: bool = False


def _axes(name: str, resolution: float) -> _Type:
    return _Type(name, tuple((f"_{axis}", 2, resolution) for axis in "xyz"), True)


TYPES: Mapping[int, _Type] = {
    0: _Type("digital_in", (("", 1, 1.0),)),
    1: _Type("digital_out", (("", 1, 1.0),)),
    2: _Type("analog_in", (("", 2, 0.01),), True),
    3: _Type("analog_out", (("", 2, 0.01),), True),
    100: _Type("generic", (("", 4, 1.0),)),
    101: _Type("illuminance_lux", (("", 2, 1.0),)),
    102: _Type("presence", (("", 1, 1.0),)),
    103: _Type("temperature_c", (("", 2, 0.1),), True),
    104: _Type("humidity_pct", (("", 1, 0.5),)),
    113: _axes("acceleration_g", 0.001),
    115: _Type("pressure_hpa", (("", 2, 0.1),)),
    116: _Type("voltage_v", (("", 2, 0.01),)),
    117: _Type("current_a", (("", 2, 0.001),)),
    118: _Type("frequency_hz", (("", 4, 1.0),)),
    120: _Type("percentage", (("", 1, 1.0),)),
    121: _Type("altitude_m", (("", 2, 1.0),), True),
    125: _Type("concentration_ppm", (("", 2, 1.0),)),
    128: _Type("power_w", (("", 2, 1.0),)),
    130: _Type("distance_m", (("", 4, 0.001),)),
    131: _Type("energy_kwh", (("", 4, 0.001),)),
    132: _Type("direction_deg", (("", 2, 1.0),)),
    134: _axes("rotation_dps", 0.01),
    136: _Type("position", (("_lat", 3, 0.0001), ("_lon", 3, 0.0001), ("_altitude_m", 3, 0.01)), True),
    142: _Type("switch", (("", 1, 1.0),)),
}
_NAMES = "|".join(re.escape(kind.name + suffix) for kind in TYPES.values() for suffix, _size, _resolution in kind.parts)
NAMED = re.compile(rf"(?:{_NAMES})_(\d{{1,3}})\Z")


class CayenneLpp:
    """See the module."""

    def __init__(self, settings: object) -> None:
        given = Settings(settings)
        self._only_named = given.flag("only_named", False)
        names = given.raw("names", {})
        named = Settings(names, "names")
        for metric in named:
            match = NAMED.match(metric)
            if match is None or int(match.group(1)) > 255:
                raise named.wrong(metric, "is no type and channel, like temperature_c_1")
            if not METRIC.match(named.text(metric)):
                raise named.wrong(metric, "must become lower-case letters, digits and underscores")
        self._names: dict[str, str] = dict(names)
        given.done()

    def __call__(self, payload: object) -> list[Measurement]:
        if not isinstance(payload, bytes | bytearray | memoryview):
            raise Undecodable("not a binary frame")
        frame = checked_size(bytes(payload))
        found: dict[str, Measurement] = {}
        position = 0
        while position < len(frame):
            if position + 2 > len(frame):
                raise Undecodable("the frame ends after a channel")
            channel, kind = frame[position], TYPES.get(frame[position + 1])
            if kind is None:
                raise Undecodable(f"no type {frame[position + 1]}")
            position += 2
            for suffix, size, resolution in kind.parts:
                raw = frame[position : position + size]
                if len(raw) < size:
                    raise Undecodable(f"{kind.name}: the frame ends within it")
                position += size
                metric = f"{kind.name}{suffix}_{channel}"
                name = self._names.get(metric)
                if name is None and self._only_named:
                    continue
                name = name or metric
                if name in found:
                    raise Undecodable(f"{name}: twice in one frame")
                whole = int.from_bytes(raw, "big", signed=kind.is_signed)
                found[name] = Measurement(name, round(whole * resolution, 6))
        if not found:
            raise Undecodable("nothing in the frame")
        return list(found.values())
