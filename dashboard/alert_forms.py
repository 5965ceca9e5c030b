"""What the manual alert's and the silences' pages ask for."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.gis.geos import Point
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.jurisdiction import jurisdiction_of
from accounts.models import Agency, User
from alerts.models import Alert, AlertRule, Channel, Contact, EscalationPolicy, Level
from core.errors import DomainError
from dashboard.filters import zones_of
from geography.models import Zone
from incidents.models import IncidentType

_WHEN = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class Taking(forms.Form):
    def take(self, error: DomainError) -> None:
        """Put a service's refusal beside the fields it names."""
        for name, message in error.fields.items():
            self.add_error(name if name in self.fields else None, message)


def agencies_of(viewer: User) -> QuerySet[Agency]:
    mine = jurisdiction_of(viewer)
    return Agency.objects.all() if mine.agency_ids is None else Agency.objects.filter(pk__in=sorted(mine.agency_ids))


def people_of(viewer: User) -> QuerySet[User]:
    """Those a person may name: of the agencies they see."""
    people = User.objects.filter(is_active=True).exclude(role="partner")
    mine = jurisdiction_of(viewer)
    return people if mine.agency_ids is None else people.filter(agency_id__in=sorted(mine.agency_ids))


class ManualForm(Taking):
    title = forms.CharField(max_length=200, label=_("What it is"))
    text = forms.CharField(required=False, max_length=2000, label=_("More"), widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}))
    level = forms.ChoiceField(choices=list(reversed(Level.choices)), initial=Level.HIGH, label=_("Level"), widget=forms.RadioSelect)
    agency = forms.ModelChoiceField(queryset=Agency.objects.none(), label=_("Agency"), empty_label=None)
    zone = forms.TypedChoiceField(required=False, coerce=int, empty_value=None, label=_("Area or governorate"))
    latitude = forms.FloatField(required=False, min_value=-90, max_value=90, label=_("Latitude"))
    longitude = forms.FloatField(required=False, min_value=-180, max_value=180, label=_("Longitude"))
    users = forms.ModelMultipleChoiceField(
        queryset=User.objects.none(), required=False, label=_("People"), widget=forms.CheckboxSelectMultiple
    )
    contacts = forms.ModelMultipleChoiceField(
        queryset=Contact.objects.none(), required=False, label=_("Contacts and operations rooms"), widget=forms.CheckboxSelectMultiple
    )
    channels = forms.MultipleChoiceField(
        required=False, choices=Channel.choices, label=_("By these channels"), help_text=_("None chosen: as each person chose."),
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    policy = forms.ModelChoiceField(
        queryset=EscalationPolicy.objects.none(), required=False, label=_("And this escalation policy"), empty_label=_("None"),
        help_text=_("It goes on by itself until somebody acknowledges."),
    )  # fmt: skip

    def __init__(self, *args: Any, viewer: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = jurisdiction_of(viewer)
        governorates, areas = zones_of(mine, Zone.Level.GOVERNORATE), zones_of(mine, Zone.Level.AREA)
        self.zones = {zone.pk: zone for zone in [*governorates, *areas]}
        names = {zone.pk: zone.name for zone in governorates}
        grouped: dict[str, list[tuple[int, str]]] = {}
        for area in areas:
            grouped.setdefault(names.get(area.parent_id or 0, "–"), []).append((area.pk, area.name))
        self.fields["zone"].choices = [  # type: ignore[attr-defined]
            ("", _("No place")), (_("Governorates"), list(names.items())), *sorted(grouped.items())
        ]  # fmt: skip
        querysets: dict[str, Any] = {
            "agency": agencies_of(viewer),
            "users": people_of(viewer).order_by("role", "username"),
            "contacts": Contact.objects.visible_to(viewer).filter(is_active=True),
            "policy": EscalationPolicy.objects.visible_to(viewer).active(),
        }
        for name, queryset in querysets.items():
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = queryset
        if viewer.agency_id:
            self.fields["agency"].initial = viewer.agency_id
        elif querysets["agency"].count() > 1:
            # Nobody's alert becomes another agency's because that one stands first.
            self.fields["agency"].empty_label = _("Choose…")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if (given.get("latitude") is None) != (given.get("longitude") is None):
            raise forms.ValidationError({"latitude": _("Give both, or neither.")})
        return given

    @property
    def asked(self) -> dict[str, Any]:
        """As ``raise_manual`` takes it."""
        given = dict(self.cleaned_data)
        lat, lon = given.pop("latitude"), given.pop("longitude")
        zone = self.zones.get(given.pop("zone") or 0)
        is_governorate = zone is not None and zone.level == Zone.Level.GOVERNORATE
        return {
            **given,
            "users": list(given["users"]),
            "contacts": list(given["contacts"]),
            "zone": zone,
            "governorate": zone if is_governorate else (zone.parent if zone is not None else None),
            "location": Point(lon, lat, srid=4326) if lat is not None and lon is not None else None,
        }


class SilenceForm(Taking):
    """A silence in fields: each that is filled in must hold."""

    rule = forms.ChoiceField(required=False, label=_("Rule"))
    kind = forms.ChoiceField(required=False, choices=[("", _("Any")), *Alert.Kind.choices], label=_("Kind"))
    level = forms.MultipleChoiceField(
        required=False, choices=list(reversed(Level.choices)), label=_("Level"), widget=forms.CheckboxSelectMultiple
    )
    governorate = forms.ChoiceField(required=False, label=_("Governorate"))
    zone = forms.ChoiceField(required=False, label=_("Area"))
    type = forms.ChoiceField(required=False, label=_("Incident type"))
    starts_at = forms.DateTimeField(required=False, label=_("From"), help_text=_("Empty: at once."), widget=_WHEN)
    ends_at = forms.DateTimeField(label=_("To"), widget=_WHEN)
    reason = forms.CharField(max_length=400, label=_("Why it is expected"))

    MATCHED = ("rule", "kind", "level", "governorate", "zone", "type")

    def __init__(self, *args: Any, viewer: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = jurisdiction_of(viewer)
        self.governorates = {zone.code: zone for zone in _with_codes(zones_of(mine, Zone.Level.GOVERNORATE))}
        areas = _with_codes(zones_of(mine, Zone.Level.AREA))
        offered: dict[str, list[tuple[str, str]]] = {
            "rule": [(rule.code, rule.name) for rule in AlertRule.objects.visible_to(viewer)],
            "governorate": [(code, zone.name) for code, zone in self.governorates.items()],
            "zone": [(zone.code, zone.name) for zone in areas],
            "type": sorted(((kind.code, kind.name) for kind in IncidentType.objects.all()), key=lambda pair: pair[1]),
        }
        for name, choices in offered.items():
            self.fields[name].choices = [("", _("Any")), *choices]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not any(given.get(name) for name in self.MATCHED):
            raise forms.ValidationError(_("Fill in at least one thing that must hold: a silence of everything is none."))
        return given

    @property
    def matchers(self) -> list[dict[str, Any]]:
        given = self.cleaned_data
        found: list[dict[str, Any]] = []
        for name in self.MATCHED:
            value = given.get(name)
            if value:
                found.append({"field": name, "in": value} if isinstance(value, list) else {"field": name, "is": value})
        return found


def _with_codes(zones: list[Zone]) -> list[Zone]:
    codes = dict(Zone.objects.filter(pk__in=[zone.pk for zone in zones]).values_list("pk", "code"))
    for zone in zones:
        zone.code = codes[zone.pk]
    return zones
