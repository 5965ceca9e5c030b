"""From a shift to what its plan is made of: the demand, the list handed to patrol, the units, as one ``Case``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.utils import timezone
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from core.errors import Conflict
from incidents.models import Handover, Suppression
from incidents.services.trust.boxes import Box, boxes_of
from incidents.services.trust.handover import MOST_CELLS, hand_over
from incidents.services.trust.scoring import cell_keys
from incidents.services.trust.suppressions import mask
from patrol.models import Assignment, Plan, Shift
from patrol.services.demand import Demand, demand_for
from patrol.services.plans.case import RULE
from patrol.services.plans.crews import Crew, areas_of, crews_of
from patrol.services.trials import held_out_cells

STOPS_A_UNIT, LEAST_STOPS = 3, 12
SHORTEST_S, LONGEST_S = 660, 900  # of the 10 to 16 minutes: the quietest cell of the list, the riskiest
RADIUS_M = 125  # half a cell
LEAST_LEFT = timedelta(minutes=30)
REST_FROM, REST_UNTIL = 0.3, 0.75  # the break lies in this part of the shift
LEAST_FOR_REST = 1 / 4  # of what is left of a shift that runs: a longer break is not planned any more


@dataclass(frozen=True)
class Gathered:
    facts: dict[str, Any]
    demand: Demand
    handover: Handover


def gather(plan: Plan, *, stops: int | None, units: int | None) -> Gathered:
    """What the plan of this shift is made from. Raises ``Conflict`` where a plan cannot even be begun, with the reason."""
    shift = Shift.objects.select_related("governorate__region", "agency", "pattern").get(pk=plan.shift_id)
    now = timezone.now()
    crews = [crew for crew in crews_of(shift, most=units) if crew.ends_at - now >= LEAST_LEFT]
    if not crews:
        raise Conflict(_("Too little of this shift is left to plan for."))
    origin = min(shift.starts_at, *(crew.starts_at for crew in crews))
    until = max(shift.ends_at, *(crew.ends_at for crew in crews))
    demand = demand_for(
        governorate=shift.governorate, agency=shift.agency, start=shift.starts_at, end=min(until, shift.starts_at + timedelta(hours=24))
    )
    held = held_out_cells(governorate=shift.governorate, agency=shift.agency, at=shift.starts_at)
    wanted = stops or min(MOST_CELLS, max(LEAST_STOPS, STOPS_A_UNIT * len(crews)))
    handover = hand_over(governorate=shift.governorate, by=None, cells=wanted, shift=(shift.starts_at, shift.ends_at), held_out=held)
    handover = Handover.objects.select_related("surface__region", "governorate").get(pk=handover.pk)
    left_out = _left_out(handover, held, shift)
    chosen = _stops(handover, demand, left_out)
    if not chosen:
        raise Conflict(_("Every place of this shift's list is held back, by people or by a trial: there is nowhere to stop."))
    facts = {
        "origin": origin.isoformat(),
        "until": until.isoformat(),
        "rule": asdict(RULE),
        "units": {str(crew.unit.pk): _unit(crew, shift, origin, now) for crew in crews},
        "stops": chosen,
        "left_out": {name: int(there.sum()) for name, there in left_out.items()},
        "list": {"cells": len(handover.columns), "wanted": wanted, "capped": handover.capped, "suppressed": handover.suppressed,
                 "held_out": handover.parameters.get("held_out", 0), "explore_share": handover.parameters.get("explore_share")},
    }  # fmt: skip
    return Gathered(facts, demand, handover)


def _left_out(handover: Handover, held: set[tuple[int, int]], shift: Shift) -> dict[str, NDArray[np.bool_]]:
    """Of a list drawn up earlier, what people or a trial have taken out since."""
    surface = handover.surface
    columns, rows = np.asarray(handover.columns, np.int64), np.asarray(handover.rows, np.int64)
    pairs = np.array(sorted(held), np.int64).reshape(-1, 2)
    by_trial = np.isin(cell_keys(columns, rows), cell_keys(pairs[:, 0], pairs[:, 1]))
    suppressions = list(Suppression.objects.in_force(at=shift.starts_at).filter(region=surface.region, category=""))
    by_people = mask(
        suppressions,
        region=surface.region,
        west_m=np.asarray(surface.origin_x_m + columns * surface.cell_m, np.float64),
        south_m=np.asarray(surface.origin_y_m + rows * surface.cell_m, np.float64),
        cell_m=surface.cell_m,
        governorate_ids=np.full(len(columns), handover.governorate_id or 0),
    )
    return {"by_people": by_people, "by_trial": by_trial & ~by_people}


def _stops(handover: Handover, demand: Demand, left_out: dict[str, NDArray[np.bool_]]) -> dict[str, dict[str, Any]]:
    """The places to stop at. A weight is the share of the list's expected incidents, in per cent; a place drawn by chance weighs as much
    as the middle one of the others, or nobody would ever go there and nothing could be learnt from it."""
    out = np.logical_or.reduce(list(left_out.values()))
    boxes = boxes_of(handover)
    expected = dict(zip(cell_keys(demand.columns, demand.rows).tolist(), demand.of_cells().tolist(), strict=True))
    keys = cell_keys(np.asarray(handover.columns, np.int64), np.asarray(handover.rows, np.int64)).tolist()
    raw = np.array([expected.get(key, 0.0) for key in keys])
    by_risk = np.array([not box.is_explored for box in boxes])
    risky = raw[by_risk & ~out]
    middle = float(np.median(risky)) if len(risky) else 1.0
    weights = np.where(by_risk, raw, max(middle, 1e-9))[~out]
    total = float(weights.sum())
    shares = 100 * weights / total if total > 0 else np.full(len(weights), 100 / max(len(weights), 1))
    ranks = np.argsort(np.argsort(shares, kind="stable")) / max(len(shares) - 1, 1)
    kept = [(index, box) for index, box in enumerate(boxes) if not out[index]]
    return {
        f"{handover.columns[index]}:{handover.rows[index]}": _stop(box, raw[index], shares[place], ranks[place])
        for place, (index, box) in enumerate(kept)
    }


def _stop(box: Box, expected: float, share: float, rank: float) -> dict[str, Any]:
    return {
        "lon": box.longitude,
        "lat": box.latitude,
        "area": box.area.pk if box.area else None,
        "weight": round(float(share), 4),
        "expected": round(float(expected), 5),
        "dosage_s": int(round((SHORTEST_S + (LONGEST_S - SHORTEST_S) * rank) / 60) * 60),
        "radius_m": RADIUS_M,
        "reason": box.reason,
        "category": box.category,
        "tactics": list(box.tactics),
    }


def _unit(crew: Crew, shift: Shift, origin: datetime, now: datetime) -> dict[str, Any]:
    """In a shift that runs already only what is left of it is planned."""
    from_s = round((max(crew.starts_at, min(now, crew.ends_at)) - origin).total_seconds())
    until_s = round((crew.ends_at - origin).total_seconds())
    length = until_s - from_s
    station = crew.unit.station
    place = [round(station.location.x, 6), round(station.location.y, 6)]
    break_s = shift.pattern.break_minutes * 60
    window = [from_s + round(length * REST_FROM), from_s + max(round(length * REST_UNTIL), round(length * REST_FROM) + break_s)]
    return {
        "call_sign": crew.unit.call_sign,
        "station": station.pk,
        "start": place,
        "end": place,
        "from_s": from_s,
        "until_s": until_s,
        "patrol_s": int(length * RULE.patrol_share),
        "rest": [*window, break_s] if 0 < break_s < length * LEAST_FOR_REST else None,
        "areas": areas_of(crew),
        "commitments": _commitments(crew, origin),
    }


def _commitments(crew: Crew, origin: Any) -> list[list[Any]]:
    """Tasks with a time of their own that the unit has been given already."""
    rows = Assignment.objects.open().filter(
        unit=crew.unit, active_from__lt=crew.ends_at, due_at__gt=crew.starts_at, kind=Assignment.Kind.TASK
    )
    return [
        [
            max(round((row.active_from - origin).total_seconds()), 0),
            round((row.due_at - origin).total_seconds()),
            None,
        ]
        for row in rows.order_by("active_from")
    ]
