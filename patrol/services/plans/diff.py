"""What differs between two versions of a plan, unit by unit: stops added, removed, retimed, or given to another unit."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from patrol.models import Plan, PlanStop

RETIMED_FROM_S = 60


@dataclass(frozen=True)
class Change:
    """``kind`` is added, removed, retimed or moved; ``was_unit`` and ``unit`` are call signs."""

    kind: str
    place: str
    area: str
    unit: str
    was_unit: str
    at: datetime | None
    was_at: datetime | None


@dataclass
class Diff:
    changes: list[Change] = field(default_factory=list)

    def count(self, kind: str) -> int:
        return sum(1 for change in self.changes if change.kind == kind)

    @property
    def counts(self) -> dict[str, int]:
        return {kind: self.count(kind) for kind in ("moved", "retimed", "added", "removed")}

    def by_unit(self) -> list[tuple[str, list[Change]]]:
        groups: dict[str, list[Change]] = defaultdict(list)
        for change in self.changes:
            groups[change.unit or change.was_unit].append(change)
        return sorted(groups.items())


def diff(before: Plan, after: Plan) -> Diff:
    """Visits of one place are matched with the nearest in time: by the same unit first, then by any."""
    old, new = _by_place(before), _by_place(after)
    found: list[Change] = []
    for place in sorted(set(old) | set(new)):
        left, came = list(old.get(place, [])), list(new.get(place, []))
        for same_unit in (True, False):
            pairs = sorted(
                (abs((a.arrive_at - b.arrive_at).total_seconds()), a.pk, b.pk, a, b)
                for a in left
                for b in came
                if not same_unit or a.route.unit_id == b.route.unit_id
            )
            for gap, _pk, _other, a, b in pairs:
                if a not in left or b not in came:
                    continue
                left.remove(a)
                came.remove(b)
                kind = "moved" if a.route.unit_id != b.route.unit_id else "retimed" if gap >= RETIMED_FROM_S else ""
                if kind:
                    found.append(_change(kind, a, b))
        found += [_change("removed", a, None) for a in left] + [_change("added", None, b) for b in came]
    found.sort(key=lambda one: (one.unit or one.was_unit, one.at or one.was_at))
    return Diff(found)


def _by_place(plan: Plan) -> dict[str, list[PlanStop]]:
    rows: dict[str, list[PlanStop]] = defaultdict(list)
    for stop in plan.stops.select_related("route__unit", "area").defer("area__boundary"):
        rows[stop.place].append(stop)
    return rows


def _change(kind: str, a: PlanStop | None, b: PlanStop | None) -> Change:
    shown = b or a
    assert shown is not None
    return Change(
        kind=kind,
        place=shown.place,
        area=shown.area.name if shown.area else "",
        unit=b.route.unit.call_sign if b else "",
        was_unit=a.route.unit.call_sign if a else "",
        at=b.arrive_at if b else None,
        was_at=a.arrive_at if a else None,
    )
