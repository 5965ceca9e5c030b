"""Coverage in shape: gaps by zone and hour, a study's hours as a chart, before and after side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dashboard.plans import PARTS, say_note
from patrol.models import CoverageStudy
from patrol.services.coverage import Gaps
from patrol.services.travel.words import provider_name, travel_note

STEPS = (0.95, 0.75, 0.5)  # shares from which a gap is none, small, middling
HOURS_AHEAD = 8
NOTES = {
    "more_units_than_posts": gettext_lazy("There are more units than places for them."),
    "unreachable_cells": gettext_lazy("Some cells can be reached from nowhere."),
    "out_of_time": gettext_lazy("The time budget ran out before the gap was closed."),
    "kept_greedy": gettext_lazy("The simple choice was not improved upon."),
    "no_demand": gettext_lazy("Nothing is expected."),
    "no_free_units": gettext_lazy("No unit is free to be moved."),
    "no_move_helps": gettext_lazy("No move brings more into reach than it takes out of it."),
}


def window_of(when: str, now: datetime, clock: Any) -> tuple[datetime, datetime]:
    """``tomorrow``: the local day; else the hours ahead from this one."""
    if when == "tomorrow":
        start = datetime.combine(now.astimezone(clock).date() + timedelta(days=1), time(), clock)
        return start, start + timedelta(days=1)
    start = now.replace(minute=0, second=0, microsecond=0)
    return start, start + timedelta(hours=HOURS_AHEAD)


def say_sources(source: str) -> str:
    words = {
        "live": _("this hour: units as they are now"),
        "plan": _("published plans"),
        "roster": _("the roster, units at their stations"),
        "none": _("nobody is planned or on the roster"),
    }
    return ", ".join(words[one] for one in source.split("+") if one in words)


@dataclass(frozen=True)
class GapRow:
    name: str
    cells: list[dict[str, Any]]
    missed: float


def gap_rows(gaps: Gaps) -> list[GapRow]:
    """Areas by what is missed in all, each with its hours."""
    rows = []
    for number, zone in enumerate(gaps.areas):
        shares, expected = gaps.shares[number], gaps.expected[number]
        if not expected.sum() > 0:
            continue
        cells = [
            {"text": f"{100 * share:.0f}" if math.isfinite(share) else "–", "step": _step(share), "expected": f"{amount:.2f}"}
            for share, amount in zip(shares.tolist(), expected.tolist(), strict=True)
        ]
        missed = sum(amount * (1 - share) for share, amount in zip(shares.tolist(), expected.tolist(), strict=True) if math.isfinite(share))
        rows.append(GapRow(zone.name if zone else _("No area"), cells, missed))
    return sorted(rows, key=lambda row: -row.missed)


def _step(share: float) -> int:
    return next((step for step, least in enumerate(STEPS) if math.isfinite(share) and share >= least), len(STEPS))


class StudyShown:
    """A coverage study, as its page shows it."""

    def __init__(self, study: CoverageStudy, clock: Any) -> None:
        self.study = study
        self.clock = clock
        self.result: dict[str, Any] = study.result
        self.inputs: dict[str, Any] = study.inputs

    @property
    def minutes(self) -> int:
        return round(self.inputs["limit_s"] / 60)

    @property
    def travel(self) -> str:
        return f"{provider_name(self.study.provider)}. {travel_note(self.inputs.get('travel', {}))}".strip()

    @property
    def notes(self) -> list[str]:
        said = [str(NOTES.get(code, code)) for code in self.result.get("notes", [])]
        return said + [say_note(one) for one in self.inputs.get("demand", {}).get("notes", [])]

    @property
    def weights(self) -> str:
        given = self.inputs.get("demand", {}).get("weights", {})
        return ", ".join(f"{PARTS.get(name, name)} {100 * weight:.0f} %" for name, weight in given.items())

    @property
    def gap_percent(self) -> str:
        return "–" if self.study.gap is None else f"{100 * self.study.gap:.2f} %"

    @cached_property
    def chart(self) -> dict[str, Any]:
        """Bars of demand by hour, and the share within reach as two lines; in a box of 720 by 160."""
        hours = self.result.get("hours", [])
        width, height, left = 720, 120, 34
        step = (width - left) / max(len(hours), 1)
        most = max((row["expected"] for row in hours), default=0) or 1
        bars = []
        for index, row in enumerate(hours):
            tall = height * row["expected"] / most
            bars.append(
                {
                    "x": f"{left + index * step + 1:.1f}",
                    "y": f"{10 + height - tall:.1f}",
                    "width": f"{max(step - 2, 1):.1f}",
                    "height": f"{tall:.1f}",
                    "hour": f"{datetime.fromisoformat(row['at']).astimezone(self.clock):%H:%M}",
                    "middle": f"{left + (index + 0.5) * step:.1f}",
                    "has_label": len(hours) <= 12 or index % 3 == 0,
                }
            )

        def line(name: str) -> str:
            points = [(left + (i + 0.5) * step, 10 + height * (1 - row[name])) for i, row in enumerate(hours) if row.get(name) is not None]
            return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)

        return {"bars": bars, "proposed": line("proposed"), "today": line("today")}

    def geojson(self) -> dict[str, Any]:
        limit = self.inputs["limit_s"]
        most = max((cell[2] for cell in self.result.get("cells", [])), default=0) or 1
        cells = [
            {"type": "Feature", "geometry": {"type": "Point", "coordinates": cell[:2]},
             "properties": {"kind": "cell", "size": round(math.sqrt(cell[2] / most), 3), "held": cell[3] is not None and cell[3] <= limit}}
            for cell in self.result.get("cells", [])
        ]  # fmt: skip
        posts = [
            {"type": "Feature", "geometry": {"type": "Point", "coordinates": [post["lon"], post["lat"]]},
             "properties": {"kind": "post", "label": str(post["units"]), "name": post["name"], "is_station": post["kind"] == "station"}}
            for post in self.result.get("posts", [])
        ]  # fmt: skip
        return {"type": "FeatureCollection", "features": cells + posts}

    @property
    def beside(self) -> list[dict[str, Any]]:
        """What changes: today's figure, the other, and whether that is better."""
        before, after = self.result["before"], self.result["after"]
        lines = (
            ("units", _("Units"), lambda value: f"{value:.0f}", 0),
            ("covered_share", _("Calls reached in time by a free unit"), lambda value: f"{100 * value:.1f} %", 1),
            ("mean_s", _("Expected travel, mean"), lambda value: f"{value / 60:.1f} min", -1),
            ("p90_s", _("Expected travel, nine in ten"), lambda value: f"{value / 60:.1f} min", -1),
            ("busy_share", _("Time taken by calls"), lambda value: f"{100 * value:.1f} %", -1),
            ("waits", _("Calls that find nobody free"), lambda value: f"{100 * value:.2f} %", -1),
        )
        shown = []
        for name, words, text, better in lines:
            was, now = before.get(name), after.get(name)
            change = (now - was) * better if was is not None and now is not None else 0
            shown.append(
                {
                    "name": words,
                    "before": text(was) if was is not None else "–",
                    "after": text(now) if now is not None else "–",
                    "mark": "is-better" if change > 1e-9 else "is-worse" if change < -1e-9 or (now is None and was is not None) else "",
                }
            )
        return shown

    @property
    def is_overworked(self) -> bool:
        """Calls take more than the two thirds of the time that are theirs."""
        busy = self.result["after"].get("busy_share")
        return busy is None or busy > 2 / 3
