"""The form of a rule: rows for the common case, JSON for everything else."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from geography.models import Zone
from iot.models import DeviceGroup, Metric, RuleAction, TelemetryRule
from iot.rules import rows
from iot.rules.conditions import Unreadable, parse

COMPARISONS = [
    (rows.ABOVE, pgettext_lazy("reading", "is above")),
    (rows.BELOW, pgettext_lazy("reading", "is below")),
    (rows.RISES, pgettext_lazy("reading", "rises by")),
    (rows.FALLS, pgettext_lazy("reading", "falls by")),
    (rows.SILENT, pgettext_lazy("reading", "says nothing")),
]
ROWS, JSON = "rows", "json"
PARTS = ("metric", "comparison", "value", "until", "minutes")
BEFORE = ["agency", "governorate", "name_en", "name_ar"]
AFTER = ["severity", "actions", "incident_type", "command", "cooldown_s", "is_active"]
MODEL_FIELDS = [*BEFORE, "condition", *AFTER]


def row_name(number: int, part: str) -> str:
    return f"row{number}_{part}"


def row_names(number: int) -> tuple[str, ...]:
    return tuple(row_name(number, part) for part in PARTS)


class Written(forms.JSONField):
    """JSON one key a line: a condition is read by people."""

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _row_fields(number: int) -> dict[str, forms.Field]:
    narrow = {"class": "rule-number", "step": "any", "dir": "ltr"}
    return dict(
        zip(
            row_names(number),
            (
                forms.ChoiceField(required=False, label=gettext_lazy("metric")),
                forms.ChoiceField(required=False, label=gettext_lazy("comparison"), choices=COMPARISONS),
                forms.FloatField(required=False, label=gettext_lazy("value"), widget=forms.NumberInput(attrs=narrow)),
                forms.FloatField(required=False, label=gettext_lazy("until back at"), widget=forms.NumberInput(attrs=narrow)),
                forms.FloatField(
                    required=False, label=gettext_lazy("for or within (minutes)"), min_value=0, widget=forms.NumberInput(attrs=narrow)
                ),
            ),
            strict=True,
        )
    )


RowFields: Any = type(
    "RowFields", (forms.Form,), {name: field for number in range(1, rows.MOST_ROWS + 1) for name, field in _row_fields(number).items()}
)


class RuleForm(RowFields, forms.ModelForm):
    written_as = forms.ChoiceField(
        choices=[(ROWS, gettext_lazy("Rows")), (JSON, gettext_lazy("JSON (everything a rule can say)"))],
        widget=forms.RadioSelect,
        label=gettext_lazy("written as"),
        initial=ROWS,
    )
    joined = forms.ChoiceField(
        choices=[("all", gettext_lazy("All rows hold")), ("any", gettext_lazy("Any row holds"))],
        widget=forms.RadioSelect,
        label=gettext_lazy("It holds when"),
        initial="all",
        required=False,
    )
    hours_from = forms.TimeField(
        required=False, label=gettext_lazy("from (hour)"), widget=forms.TimeInput(attrs={"type": "time", "dir": "ltr"}, format="%H:%M")
    )
    hours_to = forms.TimeField(
        required=False, label=gettext_lazy("to (hour)"), widget=forms.TimeInput(attrs={"type": "time", "dir": "ltr"}, format="%H:%M"),
        help_text=gettext_lazy("Over midnight is understood. Empty: at any hour."),
    )  # fmt: skip
    in_zones = forms.MultipleChoiceField(
        required=False, label=gettext_lazy("in zones"), help_text=gettext_lazy("Areas and governorates. None: everywhere.")
    )
    in_groups = forms.MultipleChoiceField(required=False, label=gettext_lazy("in groups"), help_text=gettext_lazy("None: every group."))
    actions = forms.MultipleChoiceField(
        choices=RuleAction.choices, widget=forms.CheckboxSelectMultiple, label=gettext_lazy("Actions")
    )  # fmt: skip

    viewer: Any = None  # the admin says who: nobody is shown another agency's groups

    class Meta:
        model = TelemetryRule
        fields = MODEL_FIELDS
        widgets = {"condition": forms.Textarea(attrs={"rows": 12, "dir": "ltr", "spellcheck": "false", "class": "vLargeTextField"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "condition" not in self.fields:
            return  # somebody who may look and not change
        self.fields["condition"] = Written(
            label=gettext_lazy("condition as JSON"), widget=self.fields["condition"].widget, required=False,
            help_text=gettext_lazy("Used where “JSON” is chosen above."),
        )  # fmt: skip
        metrics = [("", "–"), *_metrics()]
        for number in range(1, rows.MOST_ROWS + 1):
            self._field(row_name(number, "metric")).choices = metrics
        self._field("in_zones").choices = _zones()
        groups = DeviceGroup.objects.visible_to(self.viewer).order_by("code")
        if self.instance.agency_id:
            groups = groups.filter(agency_id=self.instance.agency_id)
        self._field("in_groups").choices = [(one.code, f"{one.name} ({one.code})") for one in groups]
        if self.instance.pk:
            self._fill(self.instance.condition)

    def _field(self, name: str) -> Any:
        return self.fields[name]

    def _fill(self, condition: Any) -> None:
        found = rows.read(condition)
        known = {code for code, _name in self._field(row_name(1, "metric")).choices}
        places = {code for name in ("in_zones", "in_groups") for code, _name in self._field(name).choices}
        if found is None or not {row.metric for row in found.rows} <= known or not {*found.zones, *found.groups} <= places:
            self.initial["written_as"] = JSON
            return
        told: dict[str, Any] = {"written_as": ROWS, "joined": "any" if found.is_any else "all"}
        told |= {"hours_from": found.start, "hours_to": found.end, "in_zones": list(found.zones), "in_groups": list(found.groups)}
        for number, row in enumerate(found.rows, start=1):
            minutes = None if row.seconds is None else row.seconds / 60
            said = (row.metric, row.comparison, row.value, row.until, minutes)
            told |= dict(zip(row_names(number), said, strict=True))
        self.initial.update(told)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors or "condition" not in self.fields:
            return cleaned
        if cleaned["written_as"] == ROWS:
            condition = self._from_rows(cleaned)
            where = row_name(1, "metric")
        else:
            condition, where = cleaned.get("condition"), "condition"
        if self.errors:
            return cleaned
        try:
            parse(condition)
        except Unreadable as error:
            self.add_error(where, str(error))
        cleaned["condition"] = self.instance.condition = condition
        return cleaned

    def _from_rows(self, cleaned: dict[str, Any]) -> Any:
        found = [row for number in range(1, rows.MOST_ROWS + 1) if (row := self._row(number, cleaned)) is not None]
        if not found:
            self.add_error(row_name(1, "metric"), _("Fill in at least one row, or write it as JSON."))
        start, end = (value.strftime("%H:%M") if value else "" for value in (cleaned["hours_from"], cleaned["hours_to"]))
        if bool(start) != bool(end) or (start and start == end):
            self.add_error("hours_to", _("Both hours, and not the same one."))
        return rows.write(rows.Simple(found, cleaned["joined"] == "any", start, end, cleaned["in_zones"], cleaned["in_groups"]))

    def _row(self, number: int, cleaned: dict[str, Any]) -> rows.Row | None:
        metric, comparison, value, until, minutes = (cleaned[name] for name in row_names(number))
        if not metric:
            if value is not None or until is not None or minutes is not None:
                self.add_error(row_name(number, "metric"), _("Which metric?"))
            return None
        seconds = None if minutes in (None, 0) else _whole(minutes * 60)
        if comparison == rows.SILENT:
            value = until = None
        elif value is None:
            self.add_error(row_name(number, "value"), _("A number is needed here."))
        if comparison not in rows.LIMITS:
            until = None
            if seconds is None:
                asked = _("How many minutes of silence?") if comparison == rows.SILENT else _("Within how many minutes?")
                self.add_error(row_name(number, "minutes"), asked)
        if comparison in rows.LIMITS and None not in (until, value) and (until - value) * (1 if comparison == rows.ABOVE else -1) > 0:
            self.add_error(row_name(number, "until"), _("It ends at the limit or on its good side."))
        return rows.Row(metric, comparison, _whole(value), _whole(until), seconds)


def _whole(value: float | None) -> float | None:
    return int(value) if value is not None and value == int(value) else value


def _metrics() -> list[tuple[str, str]]:
    """Each code once: makes of device that measure the same call it the same."""
    known: dict[str, str] = {}
    for metric in Metric.objects.order_by("code", "pk"):
        known.setdefault(metric.code, f"{metric.name} ({metric.code}{', ' + metric.unit if metric.unit else ''})")
    return sorted(known.items(), key=lambda one: one[1])


def _zones() -> list[tuple[str, str]]:
    levels: list[str] = [Zone.Level.GOVERNORATE, Zone.Level.AREA]
    found = Zone.objects.filter(level__in=levels).defer("boundary").select_related("parent")
    ordered = sorted(found, key=lambda zone: (levels.index(zone.level), zone.name))
    return [(zone.code, f"{zone.name} · {zone.parent.name}" if zone.level == levels[1] and zone.parent else zone.name) for zone in ordered]


def fieldsets(*, may_change: bool) -> Any:
    if not may_change:
        return [(None, {"fields": MODEL_FIELDS}), (gettext_lazy("How conditions are written"), {"fields": ["examples"]})]
    numbered: list[Any] = [row_names(number) for number in range(1, rows.MOST_ROWS + 1)]
    return [
        (None, {"fields": BEFORE}),
        (
            gettext_lazy("When"),
            {
                "fields": ["written_as", "joined", *numbered, ("hours_from", "hours_to"), ("in_zones", "in_groups")],
                "classes": ["rule-rows"],
                "description": gettext_lazy(
                    "A row is a metric beyond a limit, at once or for so long; a rise or fall within so long; or silence for so long. "
                    "Leave rows empty that you do not need."
                ),
            },
        ),
        (gettext_lazy("Advanced: as JSON"), {"fields": ["condition", "examples"], "classes": ["collapse"]}),
        (gettext_lazy("What follows"), {"fields": AFTER}),
    ]
