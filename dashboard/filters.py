"""The filters that the board's list and the map share: one form, one query string."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from geography.models import Zone
from incidents.lifecycle import Priority, Severity, State
from incidents.models import IncidentType
from incidents.querysets import IncidentQuerySet

PERIODS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7), "28d": timedelta(days=28)}


class IncidentFilter(forms.Form):
    """Narrows incidents; what is left empty narrows nothing, and a value nobody knows is an error, never a wider list."""

    q = forms.CharField(required=False, max_length=200, label=_("Search"))
    agency = forms.ModelMultipleChoiceField(Agency.objects.all(), required=False, to_field_name="slug", label=_("Agency"))
    governorate = forms.ModelChoiceField(Zone.objects.level("governorate").defer("boundary"), required=False, label=_("Governorate"))
    area = forms.ModelChoiceField(Zone.objects.level("area").defer("boundary"), required=False, label=_("Area"))
    category = forms.MultipleChoiceField(required=False, label=_("Category"))
    priority = forms.TypedMultipleChoiceField(choices=Priority.choices, coerce=int, required=False, label=_("Priority"))
    severity = forms.TypedMultipleChoiceField(choices=Severity.choices, coerce=int, required=False, label=_("Severity"))
    state = forms.MultipleChoiceField(choices=State.choices, required=False, label=_("State"))
    period = forms.ChoiceField(
        choices=[
            ("", _("Any time")),
            ("1h", _("Last hour")),
            ("24h", _("Last 24 hours")),
            ("7d", _("Last 7 days")),
            ("28d", _("Last 28 days")),
        ],
        required=False,
        label=_("Period"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        categories = IncidentType.objects.order_by("category").values_list("category", flat=True).distinct()
        category = self.fields["category"]
        assert isinstance(category, forms.MultipleChoiceField)
        category.choices = lambda: [(name, name) for name in categories]

    def apply(self, incidents: IncidentQuerySet) -> IncidentQuerySet:
        if not self.is_valid():
            return incidents.none()
        wanted = self.cleaned_data
        for name in ("agency", "priority", "severity", "state"):
            if wanted[name]:
                incidents = incidents.filter(**{f"{name}__in": wanted[name]})
        for name in ("governorate", "area"):
            if wanted[name]:
                incidents = incidents.within(wanted[name])
        if wanted["category"]:
            incidents = incidents.filter(type__category__in=wanted["category"])
        if wanted["period"]:
            incidents = incidents.filter(occurred_at__gte=timezone.now() - PERIODS[wanted["period"]])
        return incidents.matching(wanted["q"]) if wanted["q"].strip() else incidents
