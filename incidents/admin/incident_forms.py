"""What the command centre asks before it acts on incidents."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Agency
from core.admin_kit import Ask, OptionalReasonForm
from core.admin_map import PointField
from incidents.lifecycle import Disposition, Priority, Severity, State
from incidents.models import Incident, IncidentType


class NewIncidentForm(forms.ModelForm):
    """An incident taken down by hand."""

    agency = forms.ModelChoiceField(label=gettext_lazy("Agency"), queryset=Agency.objects.order_by("slug"))
    priority = forms.TypedChoiceField(
        label=gettext_lazy("Priority"),
        coerce=int,
        empty_value=None,
        required=False,
        choices=[("", gettext_lazy("as the type has it")), *Priority.choices],
    )
    severity = forms.TypedChoiceField(
        label=gettext_lazy("Severity"),
        coerce=int,
        empty_value=None,
        required=False,
        choices=[("", gettext_lazy("as the type has it")), *Severity.choices],
    )
    location = PointField(
        label=gettext_lazy("Location"), required=False, help_text=gettext_lazy("Pick it on the map, or type longitude and latitude.")
    )

    class Meta:
        model = Incident
        fields = ["agency", "type", "occurred_at", "location", "address", "priority", "severity", "origin", "description"]

    def _get_validation_exclusions(self) -> set[str]:
        return {*super()._get_validation_exclusions(), "priority", "severity"}  # type: ignore[misc]


class CorrectionForm(forms.ModelForm):
    """What may be corrected on an incident; its state is not among it."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=2_000,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=gettext_lazy("Needed when the priority changes; kept in the incident's log."),
    )

    class Meta:
        model = Incident
        fields = ["type", "priority", "severity", "description"]


class CloseForm(OptionalReasonForm):
    disposition = forms.ChoiceField(label=gettext_lazy("How it ended"), choices=Disposition.choices)
    field_order = ["disposition", "reason"]


class ClassifyForm(OptionalReasonForm):
    type = forms.ModelChoiceField(
        label=gettext_lazy("Type"), required=False, queryset=IncidentType.objects.filter(is_active=True).order_by("category", "name_en")
    )
    priority = forms.TypedChoiceField(
        label=gettext_lazy("Priority"),
        coerce=int,
        empty_value=None,
        required=False,
        choices=[("", gettext_lazy("as it is")), *Priority.choices],
    )
    severity = forms.TypedChoiceField(
        label=gettext_lazy("Severity"),
        coerce=int,
        empty_value=None,
        required=False,
        choices=[("", gettext_lazy("as it is")), *Severity.choices],
    )
    field_order = ["type", "priority", "severity", "reason"]


class MoveForm(OptionalReasonForm):
    to = forms.ChoiceField(
        label=gettext_lazy("To which state"),
        choices=[(s.value, s.label) for s in State if s not in {State.RECEIVED, State.CLOSED, State.REOPENED, State.DUPLICATE}],
    )
    field_order = ["to", "reason"]


class NoteForm(Ask):
    text = forms.CharField(label=gettext_lazy("Note"), widget=forms.Textarea(attrs={"rows": 4}), max_length=2_000)


def duplicate_form(viewer: Any) -> type[forms.Form]:
    """Names the original by its reference, among those the viewer sees."""

    class DuplicateForm(OptionalReasonForm):
        original = forms.CharField(
            label=gettext_lazy("Repeats which incident"), max_length=40, help_text=gettext_lazy("Its reference, as in KW-26-000123.")
        )
        field_order = ["original", "reason"]

        def clean_original(self) -> Incident:
            found = Incident.objects.visible_to(viewer).by_ref(self.cleaned_data["original"]).select_related("region").first()
            if found is None:
                raise forms.ValidationError(_("There is no such incident."))
            return found

    return DuplicateForm
