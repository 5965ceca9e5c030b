"""What the pages of trials show: the draw as a map, the effect as a chart, the finding in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
from django import forms
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dashboard.filters import category_names
from patrol.analytics.effect import expected_detectable
from patrol.models import Trial, TrialCell
from patrol.services.trials import GRACE, Design, due_at, seal_holds

Arm = TrialCell.Arm
VERDICTS = {
    "helped": gettext_lazy("Fewer incidents where patrols went than chance alone would bring"),
    "harmed": gettext_lazy("More incidents where patrols went than chance alone would bring"),
    "none": gettext_lazy("No effect found"),
    "too_few": gettext_lazy("Too few incidents to say"),
}
CAVEATS = {
    "seal_broken": gettext_lazy(
        "The seal does not hold: the trial in the tables is not the one that was sealed. Do not rely on this report."
    ),
    "nothing_planned": gettext_lazy("No stop was planned in the treated cells: there was no treatment whose effect this could be."),
    "hardly_delivered": gettext_lazy(
        "Of the planned minutes less than a quarter was delivered: this says little about patrols that do come."
    ),
    "mostly_unknown": gettext_lazy("Most of the planned minutes are unknown: whether the treatment was given cannot be said."),
    "stops_in_control": gettext_lazy("Stops were planned in cells held out: the two arms differ less than they should."),
    "contaminated": gettext_lazy(
        "Units were in the cells held out at least half as long as in the treated ones: an effect would look smaller than it is."
    ),
    "presence_not_measured": gettext_lazy("Presence was not measured on every day of the period: contamination may have gone unseen."),
}
RINGS = {
    "helped": gettext_lazy("Around the treated cells there were fewer too: the effect spread (diffusion), it did not move elsewhere."),
    "harmed": gettext_lazy("Around the treated cells there were more: part of what was prevented may have moved there (displacement)."),
    "none": gettext_lazy("Around the treated cells nothing is seen beyond chance: neither displacement nor diffusion."),
}


class TrialForm(forms.Form):
    """Fields of a draw; what makes sense together, the service judges."""

    name = forms.CharField(max_length=120, label=gettext_lazy("Name"))
    hypothesis = forms.CharField(
        max_length=2_000, label=gettext_lazy("Hypothesis"), widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("What is expected, written down before the draw."),
    )  # fmt: skip
    category = forms.ChoiceField(required=False, label=gettext_lazy("Category"))
    starts_on = forms.DateField(label=gettext_lazy("First day"), widget=forms.DateInput(attrs={"type": "date"}))
    days = forms.IntegerField(min_value=1, max_value=366, initial=56, label=gettext_lazy("Days"))
    cells = forms.IntegerField(min_value=1, max_value=400, initial=60, label=gettext_lazy("Cells in all"))
    holdout_percent = forms.IntegerField(min_value=1, max_value=99, initial=50, label=gettext_lazy("Held out, in 100"))
    strata = forms.IntegerField(min_value=1, max_value=50, initial=4, label=gettext_lazy("Strata"))
    buffer_cells = forms.IntegerField(min_value=0, max_value=4, initial=1, label=gettext_lazy("Buffer ring in cells"))
    baseline_days = forms.IntegerField(min_value=1, max_value=730, initial=90, label=gettext_lazy("Days before to compare with"))

    # What a service calls a field, and what the form calls it.
    NAMES = {"starts_at": "starts_on", "ends_at": "days", "holdout_share": "holdout_percent"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["category"].choices = [("", _("All that may be modelled")), *category_names().items()]  # type: ignore[attr-defined]

    def design(self, zone: Any) -> Design:
        given = self.cleaned_data
        start: date = given["starts_on"]
        return Design(
            name=given["name"],
            hypothesis=given["hypothesis"],
            category=given["category"],
            starts_at=datetime.combine(start, time(), zone),
            ends_at=datetime.combine(start + timedelta(days=given["days"]), time(), zone),
            cells=given["cells"],
            holdout_share=given["holdout_percent"] / 100,
            strata=given["strata"],
            buffer_cells=given["buffer_cells"],
            baseline_days=given["baseline_days"],
        )

    def refuse(self, fields: dict[str, str], message: str) -> None:
        for name, text in (fields or {"": message}).items():
            known = self.NAMES.get(name, name)
            self.add_error(known if known in self.fields else None, text)


@dataclass(frozen=True)
class Bar:
    """One line of the effect chart: a ratio with its interval, placed on a logarithmic scale of 0 to 100."""

    name: str
    ratio: float | None
    low: float | None
    high: float | None
    x: float
    from_x: float
    to_x: float
    y: int

    @property
    def text_y(self) -> int:
        return self.y + 4


class TrialPage:
    """One trial as its page shows it."""

    NARROW, WIDE = 0.25, 4.0
    LEFT, SPAN = 210.0, 400.0

    def __init__(self, trial: Trial, now: datetime) -> None:
        self.trial, self.now = trial, now
        self.report: dict[str, Any] | None = trial.report
        self.cells = list(trial.cells.order_by("column", "row"))

    @property
    def zone(self) -> Any:
        return self.trial.region.zone_info

    @property
    def days(self) -> int:
        return round((self.trial.ends_at - self.trial.starts_at).total_seconds() / 86_400)

    @property
    def last_day(self) -> datetime:
        return self.trial.ends_at - timedelta(minutes=1)

    @property
    def due_at(self) -> datetime:
        return due_at(self.trial)

    @property
    def is_due(self) -> bool:
        return self.trial.state == Trial.State.SEALED and self.now >= self.due_at

    @property
    def is_running(self) -> bool:
        return self.trial.state == Trial.State.SEALED and self.trial.starts_at <= self.now < self.trial.ends_at

    @property
    def is_too_late_to_seal(self) -> bool:
        return self.trial.state == Trial.State.DRAFT and self.now >= self.trial.starts_at

    @property
    def grace_hours(self) -> int:
        return int(GRACE.total_seconds() // 3600)

    @cached_property
    def seal_holds(self) -> bool:
        return seal_holds(self.trial)

    @property
    def category_name(self) -> str:
        return category_names().get(self.trial.category, self.trial.category) if self.trial.category else _("All that may be modelled")

    @property
    def arms(self) -> list[tuple[str, str, int, int]]:
        """Each arm's word, name, cells and incidents before."""
        return [
            (str(arm), str(Arm(arm).label), len(rows), sum(row.baseline_count for row in rows))
            for arm in Arm.values
            if (rows := [row for row in self.cells if row.arm == arm])
        ]

    @cached_property
    def detectable(self) -> float | None:
        """Before it runs: the reduction that four of five such trials would find."""
        study = [row for row in self.cells if row.arm != Arm.BUFFER]
        if not study:
            return None
        before, treated = np.array([row.baseline_count for row in study]), np.array([row.arm == Arm.TREATMENT for row in study])
        return expected_detectable(before, treated, days_before=self.trial.baseline_days, days_during=self.days)

    @cached_property
    def map(self) -> dict[str, Any] | None:
        """The cells as squares, north up, in cells from the corner."""
        if not self.cells:
            return None
        west, east = min(row.column for row in self.cells), max(row.column for row in self.cells)
        south, north = min(row.row for row in self.cells), max(row.row for row in self.cells)
        squares = [(row.arm, row.column - west + 1, north - row.row + 1, row) for row in self.cells]
        squares.sort(key=lambda square: (square[0] != Arm.BUFFER, square[1], square[2]))
        return {"box": f"0 0 {east - west + 3} {north - south + 3}", "squares": squares}

    # -- the report ------------------------------------------------------------------------------------------------------------------

    @property
    def verdict(self) -> str:
        return str(VERDICTS[self.report["verdict"]]) if self.report else ""

    @property
    def ring_says(self) -> str:
        if not self.report or not self.report["ring"] or self.report["verdict"] == "too_few":
            return ""
        return str(RINGS[self.report["ring"]["found"]])

    @property
    def caveats(self) -> list[str]:
        return [str(CAVEATS[name]) for name in (self.report or {}).get("caveats", []) if name in CAVEATS]

    @property
    def bars(self) -> list[Bar]:
        if not self.report:
            return []
        names = {"effect": _("Treated cells"), "ring": _("Rings around them"), "together": _("Cells and rings together")}
        shown = [(name, self.report[name]) for name in names if self.report.get(name)]
        return [
            Bar(
                names[name], one["ratio"], one["low"], one["high"], self._x(one["ratio"] or 1.0), self._x(one["low"] or 0.0),
                self._x(one["high"] or float("inf")), 34 + 34 * number,
            )
            for number, (name, one) in enumerate(shown)
        ]  # fmt: skip

    @property
    def ticks(self) -> list[tuple[str, float]]:
        return [(f"{value:g}", self._x(value)) for value in (0.25, 0.5, 0.75, 1, 1.5, 2, 4)]

    def _x(self, ratio: float) -> float:
        bounded = min(max(ratio, self.NARROW), self.WIDE)
        return round(self.LEFT + self.SPAN * float(np.log(bounded / self.NARROW) / np.log(self.WIDE / self.NARROW)), 1)

    @property
    def change_percent(self) -> float | None:
        ratio = self.report["effect"]["ratio"] if self.report else None
        return None if ratio is None else 100 * (ratio - 1)

    @property
    def dosage(self) -> list[tuple[str, dict[str, float], float | None]]:
        """Each arm's name, planned stops and minutes of presence a cell and day."""
        if not self.report:
            return []
        minutes = self.report["presence"]["minutes_per_cell_day"]
        return [(str(Arm(arm).label), self.report["dosage"][arm], minutes.get(arm)) for arm in Arm.values]
