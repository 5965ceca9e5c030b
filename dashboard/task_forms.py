"""What the tasks page and the aid page ask for."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.gis.geos import Point
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from core.errors import DomainError
from incidents.lifecycle import Priority
from patrol.models import Team, Unit, UnitKind
from patrol.services.assignments.making import MAX_TITLE, RADIUS_M

_WHEN = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class _Taking(forms.Form):
    def take(self, error: DomainError) -> None:
        """Put a service's refusal beside the fields it names."""
        for name, message in error.fields.items():
            if name in self.fields:
                self.add_error(name, message)


class TaskForm(_Taking):
    to = forms.ChoiceField(label=_("For"))
    title = forms.CharField(max_length=MAX_TITLE, label=_("What to do"))
    note = forms.CharField(required=False, max_length=2000, label=_("Note"), widget=forms.Textarea(attrs={"rows": 2}))
    priority = forms.TypedChoiceField(choices=Priority.choices, coerce=int, initial=3, label=_("Priority (how fast)"))
    active_from = forms.DateTimeField(required=False, label=_("From"), help_text=_("Empty: at once."), widget=_WHEN)
    due_at = forms.DateTimeField(required=False, label=_("Due"), widget=_WHEN)
    closes_at = forms.DateTimeField(
        required=False, label=_("Closed by time at"), help_text=_("Empty: it stays open until somebody ends it."), widget=_WHEN
    )
    latitude = forms.FloatField(required=False, min_value=-90, max_value=90, label=_("Latitude"))
    longitude = forms.FloatField(required=False, min_value=-180, max_value=180, label=_("Longitude"))
    radius_m = forms.IntegerField(required=False, min_value=RADIUS_M[0], max_value=RADIUS_M[1], initial=100, label=_("Radius in metres"))

    def __init__(self, *args: Any, units: list[Unit], teams: list[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.units, self.teams = {f"unit:{it.pk}": it for it in units}, {f"team:{it.pk}": it for it in teams}
        self.fields["to"].choices = [  # type: ignore[attr-defined]
            ("", _("Choose…")),
            (_("Units"), [(key, it.call_sign) for key, it in self.units.items()]),
            (_("Every unit on duty of a team"), [(key, it.name) for key, it in self.teams.items()]),
        ]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if (given.get("latitude") is None) != (given.get("longitude") is None):
            raise forms.ValidationError({"latitude": _("Give both, or neither.")})
        return given

    @property
    def asked(self) -> dict[str, Any]:
        """As ``give_task`` takes it."""
        given = dict(self.cleaned_data)
        to, lat, lon = given.pop("to"), given.pop("latitude"), given.pop("longitude")
        location = Point(lon, lat, srid=4326) if lat is not None and lon is not None else None
        given["radius_m"] = given["radius_m"] or 100
        return {**given, "location": location, "unit": self.units.get(to), "team": self.teams.get(to)}


class HandOverForm(_Taking):
    from_unit = forms.ModelChoiceField(queryset=Unit.objects.none(), label=_("From"), empty_label=_("Choose…"))
    to_unit = forms.ModelChoiceField(queryset=Unit.objects.none(), label=_("To"), empty_label=_("Choose…"))
    reason = forms.CharField(max_length=400, label=_("Reason"))

    def __init__(self, *args: Any, units: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("from_unit", "to_unit"):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = units


class AgreementForm(_Taking):
    other = forms.ModelChoiceField(queryset=Agency.objects.none(), label=_("With"), empty_label=_("Choose…"))
    direction = forms.ChoiceField(
        choices=[("lend", _("We lend them units")), ("borrow", _("We borrow units from them"))], label=_("Direction")
    )
    unit_kinds = forms.MultipleChoiceField(
        required=False, choices=UnitKind.choices, label=_("Kinds of unit"), help_text=_("None chosen: any kind."),
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    starts_at = forms.DateTimeField(label=_("From"), widget=_WHEN)
    ends_at = forms.DateTimeField(label=_("To"), widget=_WHEN)

    def __init__(self, *args: Any, own: Agency | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["other"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Agency.objects.exclude(pk=own.pk if own is not None else 0)
