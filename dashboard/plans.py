"""The planning board in shape: lanes with their stops as shares of the day, figures beside the plain plan, what was left out and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.db.models import Count, Q
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from dashboard.filters import category_names
from dashboard.words import TACTICS, said
from geography.models import Zone
from patrol.models import Plan, PlanStop, Shift
from patrol.services.plans.storing import routes_of
from patrol.services.plans.words import SHORTFALLS, minutes, say_violation

PARTS = {
    "history": gettext_lazy("History"),
    "trend": gettext_lazy("Trend"),
    "forecast": gettext_lazy("Forecast"),
    "risk": gettext_lazy("Risk surface"),
    "sensors": gettext_lazy("Sensors"),
}
DAYS_BACK, DAYS_AHEAD = 2, 4


@dataclass(frozen=True)
class Bar:
    """Something on a lane, in per cent of its width."""

    x: str
    width: str


def _per_cent(share: float) -> str:
    return f"{100 * share:.3f}%"


@dataclass(frozen=True)
class StopShown:
    stop: PlanStop
    bar: Bar
    way: Bar
    middle: str
    area: str
    why: str
    category: str
    tactics: str
    is_wrong: bool
    minutes: int


class Board:
    """One plan, as the page shows it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.clock: ZoneInfo = plan.governorate.region.zone_info
        self.facts: dict[str, Any] = plan.parameters

    @cached_property
    def is_made(self) -> bool:
        return self.plan.making == Plan.Making.MADE and "units" in self.facts

    @cached_property
    def start(self) -> datetime:
        return datetime.fromisoformat(self.facts["origin"])

    @cached_property
    def end(self) -> datetime:
        return datetime.fromisoformat(self.facts["until"])

    @cached_property
    def names(self) -> dict[int, str]:
        return {int(key): unit["call_sign"] for key, unit in self.facts["units"].items()}

    @cached_property
    def routes(self) -> list[Any]:
        return routes_of(self.plan)

    def share(self, at: datetime) -> float:
        return (at - self.start).total_seconds() / max((self.end - self.start).total_seconds(), 1)

    def bar(self, start: datetime, end: datetime) -> Bar:
        left, right = max(self.share(start), 0.0), min(self.share(end), 1.0)
        return Bar(_per_cent(left), _per_cent(max(right - left, 0.0)))

    @property
    def ticks(self) -> list[dict[str, str]]:
        """The whole hours on the region's clock."""
        local = self.start.astimezone(self.clock)
        at = local.replace(minute=0, second=0, microsecond=0)
        if at < local:
            at += timedelta(hours=1)
        found = []
        while at <= self.end:
            found.append({"x": _per_cent(self.share(at)), "label": f"{at.astimezone(self.clock):%H:%M}"})
            at += timedelta(hours=1)
        return found

    @property
    def now(self) -> str:
        from django.utils import timezone

        share = self.share(timezone.now())
        return _per_cent(share) if 0 <= share <= 1 else ""

    @cached_property
    def lanes(self) -> list[dict[str, Any]]:
        wrong = {(one["unit"], one["stop"], one["at"]) for one in self.plan.verdict}
        categories = category_names()
        lanes = []
        for route in self.routes:
            stops = [self._shown(route, stop, wrong, categories) for stop in route.planned]
            unit = self.facts["units"].get(str(route.unit_id), {})
            budget = unit.get("patrol_s") or 1
            lanes.append(
                {
                    "route": route,
                    "stops": stops,
                    "shift": self.bar(route.starts_at, route.ends_at),
                    "rest": self.bar(route.break_from, route.break_to) if route.break_from and route.break_to else None,
                    "km": route.distance_m / 1000,
                    "minutes": round(route.dosage_s / 60),
                    "load": (route.drive_s + route.dosage_s) / budget,
                    "dropped": unit.get("dropped", False),
                    "violations": [one for one in self.plan.verdict if one["unit"] == route.unit_id],
                }
            )
        return lanes

    def _shown(self, route: Any, stop: PlanStop, wrong: set[tuple[Any, Any, Any]], categories: dict[str, str]) -> StopShown:
        bar = self.bar(stop.arrive_at, stop.leave_at)
        begun = stop.arrive_at - timedelta(seconds=min(stop.travel_s, 7200))
        return StopShown(
            stop=stop,
            bar=bar,
            way=self.bar(begun, stop.arrive_at),
            middle=_per_cent(self.share(stop.arrive_at + (stop.leave_at - stop.arrive_at) / 2)),
            area=stop.area.name if stop.area else _("No area"),
            why={"explore": _("Drawn by chance"), "person": _("Added by a person")}.get(stop.reason, _("High risk")),
            category=categories.get(stop.category, stop.category),
            tactics=" · ".join(said(TACTICS, code) for code in stop.tactics),
            is_wrong=any(unit == route.unit_id and place == stop.place for unit, place, _at in wrong),
            minutes=round((stop.leave_at - stop.arrive_at).total_seconds() / 60),
        )

    @property
    def violations(self) -> list[str]:
        return [say_violation(one, self.names, self.clock) for one in self.plan.verdict]

    @property
    def gain(self) -> float | None:
        """How much more risk-weighted presence a kilometre brings than cutting the sorted list does, as a share."""
        ours, plain = self.plan.figures.get("dosage_per_km"), self.plan.figures.get("plain", {}).get("dosage_per_km")
        return ours / plain - 1 if ours and plain else None

    @property
    def unserved(self) -> list[dict[str, Any]]:
        """What was left out, by reason: how often, and where."""
        groups: dict[str, list[dict[str, Any]]] = {}
        for one in self.plan.unserved:
            groups.setdefault(one["code"], []).append(one)
        shown = []
        for code, rows in sorted(groups.items(), key=lambda pair: -len(pair[1])):
            places = Counter(self.area_of(one["stop"]) for one in rows if one.get("stop"))
            shorts = [one["short_by_s"] for one in rows if one.get("short_by_s")]
            shown.append(
                {
                    "words": str(SHORTFALLS.get(code, code)),
                    "count": len(rows),
                    "places": ", ".join(name for name, _n in places.most_common(4)),
                    "units": ", ".join(sorted({self.names[one["unit"]] for one in rows if one.get("unit") in self.names})[:6]),
                    "least": minutes(min(shorts)) if shorts else None,
                }
            )
        return shown

    @cached_property
    def _areas(self) -> dict[int, str]:
        ids = {stop["area"] for stop in self.facts["stops"].values() if stop["area"]}
        return {zone.pk: zone.name for zone in Zone.objects.filter(pk__in=ids).defer("boundary")}

    def area_of(self, place: str) -> str:
        return self._areas.get(self.facts["stops"].get(place, {}).get("area"), _("No area"))

    @property
    def places(self) -> list[tuple[str, str]]:
        """The places of the list, the heaviest first, for the form that adds a stop."""
        stops = sorted(self.facts["stops"].items(), key=lambda pair: -pair[1]["weight"])
        return [(key, f"{self.area_of(key)} · {stop['weight']:.1f} %") for key, stop in stops]

    @property
    def parts(self) -> list[dict[str, Any]]:
        """The parts of the demand: sum over the shift and weight in the mean."""
        given = self.plan.demand
        return [
            {"name": str(PARTS.get(name, name)), "total": sum(map(sum, table)), "weight": given["weights"].get(name, 0.0)}
            for name, table in given.get("parts", {}).items()
        ]

    @property
    def demand_total(self) -> float:
        return float(sum(map(sum, self.plan.demand.get("expected", []))))

    @property
    def notes(self) -> list[str]:
        return [say_note(one) for one in self.plan.demand.get("notes", [])]

    @property
    def left_out(self) -> list[str]:
        listed, out = self.facts.get("list", {}), self.facts.get("left_out", {})
        by_people = listed.get("suppressed", 0) + out.get("by_people", 0)
        by_trial = listed.get("held_out", 0) + out.get("by_trial", 0)
        capped = listed.get("capped", 0)
        lines = [
            (capped, ngettext("%(n)d place rests by the exposure cap.", "%(n)d places rest by the exposure cap.", capped)),
            (by_people, ngettext("%(n)d place is held back by people.", "%(n)d places are held back by people.", by_people)),
            (by_trial, ngettext("%(n)d place is a control cell of a trial.", "%(n)d places are control cells of a trial.", by_trial)),
        ]
        return [text % {"n": n} for n, text in lines if n]

    def geojson(self) -> dict[str, Any]:
        """Routes as lines from station through the stops and back, stops as points."""
        features: list[dict[str, Any]] = []
        for lane in self.lanes:
            route = lane["route"]
            if not lane["stops"]:
                continue
            line = [list(route.start_station.location.coords)]
            for shown in lane["stops"]:
                stop = shown.stop
                line.append(list(stop.location.coords))
                features.append(
                    {
                        "type": "Feature",
                        "geometry": {"type": "Point", "coordinates": list(stop.location.coords)},
                        "properties": {
                            "stop": stop.pk,
                            "unit": route.unit_id,
                            "label": str(stop.sequence),
                            "call_sign": route.unit.call_sign,
                            "reason": stop.reason,
                            "area": shown.area,
                            "at": f"{stop.arrive_at.astimezone(self.clock):%H:%M}",
                            "until": f"{stop.leave_at.astimezone(self.clock):%H:%M}",
                            "wrong": shown.is_wrong,
                        },
                    }
                )
            line.append(list(route.end_station.location.coords))
            features.append(
                {
                    "type": "Feature",
                    "geometry": {"type": "LineString", "coordinates": line},
                    "properties": {"unit": route.unit_id, "call_sign": route.unit.call_sign},
                }
            )
        return {"type": "FeatureCollection", "features": features}

    @property
    def bounds(self) -> str:
        points = [stop.location.coords for route in self.routes for stop in route.planned]
        if not points:
            return ""
        x, y = [point[0] for point in points], [point[1] for point in points]
        return orjson.dumps([min(x), min(y), max(x), max(y)]).decode()


def say_note(one: dict[str, Any]) -> str:
    """What is missing in a demand, in words."""
    code = one.get("code", "")
    if code == "too_little_history":
        return _("Too little history: %(days)d days, needs %(needs)d.") % one
    if code == "no_forecast":
        return _("No forecast stands for that day.")
    if code == "no_surface":
        return _("No risk surface is published for that time.")
    if code == "no_sensors":
        return _("No sensors of this agency speak here.")
    if code == "nothing_known":
        return _("Nothing is known of the demand here.")
    return str(code)


def shifts_around(agency: Any, governorate: Any, now: datetime) -> list[dict[str, Any]]:
    """The shifts of these days with their crews and the versions of their plans."""
    rows = Shift.objects.filter(
        agency=agency, governorate=governorate, ends_at__gt=now - timedelta(days=DAYS_BACK), starts_at__lt=now + timedelta(days=DAYS_AHEAD)
    ).select_related("pattern")
    standing = Q(entries__is_cancelled=False, entries__unit__isnull=False)
    rows = rows.annotate(crews=Count("entries__unit", filter=standing, distinct=True)).order_by("starts_at", "pk")
    plans: dict[int, list[Plan]] = {}
    for plan in Plan.objects.filter(shift__in=[row.pk for row in rows]).order_by("-version").select_related("created_by"):
        plans.setdefault(plan.shift_id, []).append(plan)
    shown = [
        {
            "shift": row,
            "crews": row.crews,
            "plans": plans.get(row.pk, []),
            "is_over": row.ends_at <= now,
            "is_on": row.starts_at <= now < row.ends_at,
            "is_busy": any(plan.making in (Plan.Making.WAITING, Plan.Making.MAKING) for plan in plans.get(row.pk, [])),
        }
        for row in rows
    ]
    coming = [one for one in shown if not one["is_over"]]
    return coming + [one for one in reversed(shown) if one["is_over"] and one["plans"]]
