"""Is a reported position to be believed? Plain rules over one unit's fixes in the order of their times; no Django, no clock.

A fix is kept whatever comes out; what is doubted never moves a unit on the map:

* ``blunt``: its accuracy is worse than ``blunt_m``.
* ``late``: it is not newer than the last one believed.
* ``jump``: it could only be reached faster than ``fastest_kmh`` (both accuracies granted). A tracker that was moved to another car
  jumps and stays there: after ``jumps_to_believe`` fixes that agree with one another over ``jump_settles_s``, the new place is believed.
* ``jitter``: a standing receiver wanders. Within the wander of the place the unit stands at, and no speed reported to the contrary, the
  time moves on and the place stays. The place is an anchor, so that a slow walk adds up until it leaves the wander.

>>> at_home = Fix(0.0, 47.98, 29.37, 8.0, None)
>>> rule = MotionRule()
>>> judge(Fix(5.0, 47.98003, 29.37, 8.0, 0.4), at_home, rule)
'jitter'
>>> judge(Fix(5.0, 51.0, 29.37, 8.0, 40.0), at_home, rule)
'jump'
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

METRES_A_DEGREE = 111_320.0
EARTH_CIRCUMFERENCE_M = 40_075_000.0


@dataclass(frozen=True, slots=True)
class MotionRule:
    blunt_m: float = 150.0
    fastest_kmh: float = 260.0
    wander_m: float = 12.0
    widest_wander_m: float = 30.0
    standing_kmh: float = 4.0
    jumps_to_believe: int = 4
    jump_settles_s: float = 12.0


@dataclass(frozen=True, slots=True)
class Fix:
    """One fix: seconds since 1970, degrees in WGS 84, the receiver's own radius of error (``None``: not said), km/h."""

    at: float
    lon: float
    lat: float
    accuracy_m: float | None = None
    speed_kmh: float | None = None


def metres_between(lon: float, lat: float, other_lon: float, other_lat: float) -> float:
    """Metres between two points by the local plane: within 0.1 % of the great circle over 300 km at Kuwait's latitude."""
    east = (other_lon - lon + 180.0) % 360.0 - 180.0
    x = east * math.cos(math.radians((lat + other_lat) / 2))
    return METRES_A_DEGREE * math.hypot(x, other_lat - lat)


def judge(fix: Fix, last: Fix | None, rule: MotionRule) -> str:
    """The doubt about ``fix`` after ``last``, the last fix believed; ``""`` for none."""
    if fix.accuracy_m is not None and fix.accuracy_m > rule.blunt_m:
        return "blunt"
    if last is None:
        return ""
    if fix.at <= last.at:
        return "late"
    metres = metres_between(last.lon, last.lat, fix.lon, fix.lat)
    if is_jump(metres, fix, last, rule):
        return "jump"
    wander = max(rule.wander_m, min(fix.accuracy_m or 0.0, rule.widest_wander_m))
    if metres <= wander and (fix.speed_kmh is None or fix.speed_kmh < rule.standing_kmh):
        return "jitter"
    return ""


def is_jump(metres: float, fix: Fix, other: Fix, rule: MotionRule) -> bool:
    granted = (fix.accuracy_m or 0.0) + (other.accuracy_m or 0.0)
    return metres - granted > rule.fastest_kmh / 3.6 * max(abs(fix.at - other.at), 1.0)


def settles(fix: Fix, jumps: Sequence[Fix], rule: MotionRule) -> bool:
    """Whether the doubted fixes before it (oldest first) agree with ``fix`` for long enough to be believed after all."""
    agreeing = [fix]
    for earlier in reversed(jumps):
        newest = agreeing[-1]
        if is_jump(metres_between(earlier.lon, earlier.lat, newest.lon, newest.lat), newest, earlier, rule):
            break
        agreeing.append(earlier)
        if len(agreeing) >= rule.jumps_to_believe and fix.at - earlier.at >= rule.jump_settles_s:
            return True
    return False


@dataclass(frozen=True, slots=True)
class Walk:
    """What became of a unit's fixes: a doubt for each, in the order given; the anchor that stands afterwards (``None``: nothing was
    believed), the index of the fix that anchors it (``None``: the old place stands) and of the newest believed fix."""

    doubts: tuple[str, ...]
    place: int | None
    newest: int | None


def walk(fixes: Sequence[Fix], last: Fix | None, rule: MotionRule, *, jumps: Sequence[Fix] = ()) -> Walk:
    """Judge one unit's fixes, oldest first, after ``last``. ``jumps``: the doubted jumps since ``last``, oldest first."""
    doubts: list[str] = []
    pending = list(jumps)
    place: int | None = None
    newest: int | None = None
    for index, fix in enumerate(fixes):
        doubt = judge(fix, last, rule)
        if doubt == "jump":
            if settles(fix, pending, rule):
                doubt = ""
            else:
                pending.append(fix)
        if doubt == "":
            last, place, newest = fix, index, index
            pending.clear()
        elif doubt == "jitter":
            assert last is not None
            # The anchor stays where it was; only its time moves on.
            last, newest = Fix(fix.at, last.lon, last.lat, last.accuracy_m, fix.speed_kmh), index
            pending.clear()
        doubts.append(doubt)
    return Walk(tuple(doubts), place, newest)
