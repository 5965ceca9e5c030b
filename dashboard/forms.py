"""What the incident page asks before a step. The services decide; a form keeps the words when they say no."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.errors import DomainError
from geography.models import Region
from incidents.lifecycle import Disposition, Priority, Severity, State
from incidents.models import Incident, IncidentType
from incidents.services.pipeline.kinds import KINDS
from incidents.services.pipeline.words import kind_in_words


class ActionForm(forms.Form):
    """``expected`` is the state the person saw, ``seen`` the last line of the timeline they had."""

    expected = forms.CharField(required=False, widget=forms.HiddenInput)
    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def take(self, error: DomainError) -> None:
        """Put a service's refusal beside the fields it names."""
        for name, message in error.fields.items():
            if name in self.fields:
                self.add_error(name, message)


def _reason(*, required: bool) -> forms.CharField:
    return forms.CharField(required=required, max_length=2000, label=_("Reason"), widget=forms.Textarea(attrs={"rows": 2}))


class MoveForm(ActionForm):
    state = forms.ChoiceField(choices=State.choices)


class ExitForm(ActionForm):
    state = forms.ChoiceField(
        choices=[(State.CANCELLED, State.CANCELLED.label), (State.UNFOUNDED, State.UNFOUNDED.label)],
        initial=State.CANCELLED,
        widget=forms.RadioSelect,
        label=_("How"),
    )
    reason = _reason(required=True)


class CloseForm(ActionForm):
    disposition = forms.ChoiceField(choices=[("", _("Choose…")), *Disposition.choices], label=_("How it ended"))
    reason = forms.CharField(required=False, max_length=2000, label=_("Remark (optional)"), widget=forms.Textarea(attrs={"rows": 2}))


class ReopenForm(ActionForm):
    reason = _reason(required=True)


class DuplicateForm(ActionForm):
    duplicate_of = forms.CharField(max_length=40, label=_("Reference of the original"))
    reason = forms.CharField(required=False, max_length=2000, label=_("Remark (optional)"), widget=forms.Textarea(attrs={"rows": 2}))


class ClassifyForm(ActionForm):
    type = forms.ModelChoiceField(queryset=IncidentType.objects.none(), label=_("Type"), empty_label=None)
    priority = forms.TypedChoiceField(choices=Priority.choices, coerce=int, label=_("Priority (how fast)"))
    severity = forms.TypedChoiceField(choices=Severity.choices, coerce=int, label=_("Severity (how bad)"))
    reason = _reason(required=False)

    def __init__(self, *args: Any, incident: Incident, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"type": incident.type_id, "priority": incident.priority, "severity": incident.severity})
        super().__init__(*args, **kwargs)
        field = self.fields["type"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = IncidentType.objects.filter(Q(is_active=True) | Q(pk=incident.type_id))
        # Read once, by name; a ModelChoiceField asks each time it is drawn.
        field.choices = [(kind.pk, kind.name) for kind in sorted(field.queryset, key=lambda kind: kind.name)]
        self.fields["reason"].help_text = str(_("Needed when the priority changes."))


class NoteForm(ActionForm):
    text = forms.CharField(max_length=2000, label=_("Note"), widget=forms.Textarea(attrs={"rows": 2}))


class RunForm(ActionForm):
    """Ask for a run of the analytics: everything from now, unless less is chosen."""

    as_of = forms.DateField(
        required=False,
        label=_("Look from the start of"),
        help_text=_("Empty: from now. A day that is past shows what would have been found then."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    regions = forms.MultipleChoiceField(required=False, label=_("Regions"), widget=forms.CheckboxSelectMultiple)
    only = forms.MultipleChoiceField(required=False, label=_("Results"), widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        regions = Region.objects.order_by("-is_default", "code")
        self.fields["regions"].choices = [(region.code, region.name) for region in regions]  # type: ignore[attr-defined]
        self.fields["only"].choices = [(kind, kind_in_words(kind)) for kind in KINDS]  # type: ignore[attr-defined]

    @property
    def chosen(self) -> dict[str, Any]:
        """As ``request_pipeline_run`` takes it: nothing ticked is everything."""
        given = self.cleaned_data
        return {"as_of": given["as_of"], "regions": given["regions"] or None, "only": given["only"] or None}


class CancelRunForm(ActionForm):
    reason = forms.CharField(required=False, max_length=400, label=_("Reason (optional)"))
