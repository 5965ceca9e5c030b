"""The risk scores of all zones, reckoned and kept: a row when what they are made from has changed or they have moved, else one an hour."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection, transaction

from core.version import code_version
from iot.analytics.risk import CAMERAS, CROWD, FIRE, NIGHT_MOTION, Evidence, Making, Score, left_of, risk
from iot.models import RiskMaking, ZoneRisk
from iot.models.profiles import DeviceKind
from iot.services.risk import evidence as gathering
from iot.services.risk.evidence import Gathered, Placed, gather
from iot.services.risk.levels import CROWD_KINDS, LEAST_NIGHTS, LEAST_WEEKS, MOTION_KINDS

HELD_FOR = timedelta(hours=1)
MOVED_BY = 0.1
NAMED = 100  # of a part's evidence, with its own line in the row; the rest is one sum
LOCK = 0x4B48_494F_5253
WATCHED_BY: Mapping[str, frozenset[Any]] = {
    CROWD: CROWD_KINDS,
    NIGHT_MOTION: MOTION_KINDS,
    CAMERAS: frozenset({DeviceKind.CAMERA}),
    FIRE: frozenset({DeviceKind.SMOKE}),
}


@dataclass(frozen=True)
class Scored:
    """What was found for the sensors of one agency in one zone."""

    agency_id: int
    zone_id: int
    governorate_id: int
    devices: tuple[Placed, ...]
    evidence: tuple[Evidence, ...]
    score: Score
    spread: float
    notes: list[dict[str, Any]]

    @property
    def heard(self) -> int:
        return sum(device.is_heard for device in self.devices)

    @property
    def value(self) -> float | None:
        """Nothing heard and nothing known is no safety: no score."""
        return round(self.score.score, 2) if self.heard or self.evidence else None


def score_zones(*, now: datetime, making: Making | None = None) -> int:
    """Reckon every zone with sensors at ``now``; how many rows were written. Whoever comes second at the same moment leaves it alone."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
            if not cursor.fetchone()[0]:
                return 0
        making = making or Making()
        return _keep(scored_zones(gather(at=now, making=making), at=now, making=making), now, making)


def scored_zones(gathered: Gathered, *, at: datetime, making: Making) -> list[Scored]:
    groups: dict[tuple[int, int], list[Placed]] = defaultdict(list)
    for device in gathered.devices.values():
        groups[device.agency_id, device.governorate_id].append(device)
        if device.area_id is not None:
            groups[device.agency_id, device.area_id].append(device)
    return [_scored(zone, agency, devices, gathered, at, making) for (agency, zone), devices in sorted(groups.items())]


def _scored(zone: int, agency: int, devices: list[Placed], gathered: Gathered, at: datetime, making: Making) -> Scored:
    known = tuple(one for device in devices for one in gathered.evidence.get(device.pk, ()))
    # A governorate with many areas needs more of everything for the same points; an area is one.
    areas = len({device.area_id for device in devices if device.area_id is not None})
    spread = math.sqrt(max(areas, 1)) if zone == devices[0].governorate_id else 1.0
    return Scored(
        agency_id=agency,
        zone_id=zone,
        governorate_id=devices[0].governorate_id,
        devices=tuple(devices),
        evidence=known,
        score=risk(known, now_s=at.timestamp(), making=making, spread=spread),
        spread=spread,
        notes=_notes(devices, gathered),
    )


def _notes(devices: Sequence[Placed], gathered: Gathered) -> list[dict[str, Any]]:
    notes: list[dict[str, Any]] = []
    if not any(device.is_heard for device in devices):
        notes.append({"code": gathering.SILENT, "devices": len(devices)})
    for code, needs in ((gathering.TOO_LITTLE_CROWD, LEAST_WEEKS), (gathering.TOO_LITTLE_MOTION, LEAST_NIGHTS)):
        mine = [known for device in devices if (known := gathered.unready[code].get(device.pk)) is not None]
        if mine:
            notes.append({"code": code, "sensors": len(mine), "known": max(mine), "needs": needs})
    return notes


def parts_of(found: Scored, making: Making, at: datetime) -> list[dict[str, Any]]:
    """The parts as they are kept: points, and each thing that gave them with what is left of it."""
    kinds = {device.kind for device in found.devices}
    stored = []
    for part in found.score.parts:
        how = making.parts[part.kind]
        shares = dict(part.of)
        named = [_line(one, left_of(one, at.timestamp(), how.half_life_s), shares[one.key]) for one in part.evidence[:NAMED]]
        more = part.evidence[NAMED:]
        stored.append(
            {
                "name": part.kind,
                "points": round(part.points, 4),
                "most": how.most,
                "scale": how.scale,
                "half_life_s": how.half_life_s,
                "value": part.value,
                "is_watched": part.kind not in WATCHED_BY or bool(kinds & WATCHED_BY[part.kind]),
                "evidence": named,
                "more": {"count": len(more), "value": sum(left_of(one, at.timestamp(), how.half_life_s) for one in more)},
            }
        )
    return stored


def _line(one: Evidence, left: float, points: float) -> dict[str, Any]:
    return {"key": one.key, "at": one.at_s, "until": one.until_s, "amount": one.amount, "left": left, "points": round(points, 4)}


def digest_of(found: Scored, making_digest: str) -> str:
    """The same when the score is made from the same: whatever the moment."""
    rows = sorted([one.kind, one.key, one.at_s, one.amount, one.until_s] for one in found.evidence)
    return _digest([making_digest, found.spread, rows, _kinds(found.devices), found.heard > 0, found.notes])


def _digest(content: Any) -> str:
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _kinds(devices: Iterable[Placed]) -> dict[str, int]:
    return dict(sorted(Counter(device.kind for device in devices).items()))


def _keep(found: Sequence[Scored], now: datetime, making: Making) -> int:
    content = making.as_dict()
    how, _made = RiskMaking.objects.get_or_create(digest=_digest(content), defaults={"content": content, "code_version": code_version()})
    standing = {(row.agency_id, row.zone_id): row for row in ZoneRisk.objects.current().defer("parts")}
    held, gone, rows = [], [row.pk for key, row in standing.items() if key not in {(one.agency_id, one.zone_id) for one in found}], []
    for one in found:
        before, digest = standing.get((one.agency_id, one.zone_id)), digest_of(one, how.digest)
        if before is not None and before.at >= now:
            continue  # somebody's later look stands
        if before is not None and before.digest == digest and now - before.at < HELD_FOR and _is_near(before.score, one.value):
            held.append(before.pk)
            continue
        if before is not None:
            gone.append(before.pk)
        rows.append(
            ZoneRisk(
                agency_id=one.agency_id,
                zone_id=one.zone_id,
                governorate_id=one.governorate_id,
                at=now,
                checked_at=now,
                score=one.value,
                points={part.kind: round(part.points, 4) for part in one.score.parts},
                parts=parts_of(one, making, now),
                notes=one.notes,
                devices=_kinds(one.devices),
                heard=one.heard,
                spread=one.spread,
                making=how,
                digest=digest,
                is_synthetic=any(device.is_synthetic for device in one.devices),
            )
        )
    ZoneRisk.objects.filter(pk__in=held).update(checked_at=now)
    ZoneRisk.objects.filter(pk__in=gone).update(is_current=False)
    ZoneRisk.objects.bulk_create(rows, batch_size=200)
    return len(rows)


def _is_near(before: float | None, now: float | None) -> bool:
    if before is None or now is None:
        return before is now
    return abs(before - now) < MOVED_BY


def forget_old_scores(*, now: datetime, keep_days: int) -> int:
    deleted, _by_model = ZoneRisk.objects.filter(at__lt=now - timedelta(days=keep_days), is_current=False).delete()
    return deleted
