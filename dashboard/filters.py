"""The one set of filters that the board's list, the map and the address bar share: one form, one query string."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.jurisdiction import Jurisdiction, jurisdiction_of
from accounts.models import Agency, User
from geography.models import Zone
from incidents.categories import category_name
from incidents.lifecycle import FINAL, Priority, Severity, State
from incidents.models import IncidentType
from incidents.querysets import IncidentQuerySet

PERIODS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7), "28d": timedelta(days=28)}
PERIOD_NAMES = [("1h", _("Last hour")), ("24h", _("Last 24 hours")), ("7d", _("Last 7 days")), ("28d", _("Last 28 days"))]
STANDINGS = [("open", _("Open")), ("closed", _("Closed")), ("all", _("All"))]
SORTS = [("newest", _("Newest first")), ("priority", _("By priority"))]
# Decided by the server alone: a page cannot tell from a card whether it matches.
SERVER_DECIDES = ("q", "period")


class Key(forms.IntegerField):
    """The id of a row. Whether it exists and is this person's to see is answered by the list: it is empty then."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, min_value=1, max_value=2**63 - 1, **kwargs)


class SlugsField(forms.MultipleChoiceField):
    def valid_value(self, value: Any) -> bool:
        return len(value) <= 32 and value.replace("-", "").replace("_", "").isalnum()


EMPTY: tuple[Any, ...] = (None, "", [], False)


class Narrowing(forms.Form):
    """What narrows a list, read from the address. What is not understood is as if it had not been said."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "filter-%s", **kwargs})

    @cached_property
    def values(self) -> dict[str, Any]:
        """What is set and sound."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value not in EMPTY}

    def query_string(self, **changes: Any) -> str:
        """The address of this selection, with ``changes`` (``None`` takes a value away)."""
        values = {**self.values, **changes}
        return urlencode({name: value for name, value in values.items() if value not in EMPTY}, doseq=True)


class ViewersNarrowing(Narrowing):
    """The same for one person, with the choices they have."""

    def __init__(self, *args: Any, viewer: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.viewer = viewer

    def governorates(self) -> list[Zone]:
        return zones_of(jurisdiction_of(self.viewer), Zone.Level.GOVERNORATE)


class IncidentFilter(Narrowing):
    """Reads ``?q=&agency=&governorate=&area=&category=&priority=&severity=&state=&period=&sort=`` without asking the database.

    What is left empty narrows nothing, except that ``state`` is ``open``, ``closed``, ``all`` or one state. Every list it is
    applied to starts from ``visible_to``, so that no value widens what a person sees.
    """

    q = forms.CharField(required=False, max_length=200, label=_("Words"))
    agency = Key(label=_("Agency"))
    governorate = Key(label=_("Governorate"))
    area = Key(label=_("Area"))
    category = SlugsField(required=False, label=_("Category"))
    priority = forms.TypedMultipleChoiceField(
        required=False,
        coerce=int,
        choices=[(p.value, f"P{p.value}") for p in Priority],
        label=_("Priority"),
        widget=forms.CheckboxSelectMultiple,
    )
    severity = forms.TypedMultipleChoiceField(
        required=False,
        coerce=int,
        choices=[(s.value, s.label) for s in sorted(Severity, reverse=True)],
        label=_("Severity"),
        widget=forms.CheckboxSelectMultiple,
    )
    state = forms.ChoiceField(required=False, choices=[*STANDINGS, *State.choices], label=_("State"))
    period = forms.ChoiceField(required=False, choices=PERIOD_NAMES, label=_("Occurred"))
    sort = forms.ChoiceField(required=False, choices=SORTS, label=_("Order"))

    # Not "sort" and "state": a template finds the form's fields under those.
    @property
    def order(self) -> str:
        return self.values.get("sort", "newest")

    @property
    def standing(self) -> str:
        return self.values.get("state", "open")

    def apply(self, incidents: IncidentQuerySet) -> IncidentQuerySet:
        """``incidents`` (already ``visible_to`` somebody) narrowed to what is set."""
        values = self.values
        if self.standing == "open":
            incidents = incidents.open()
        elif self.standing == "closed":
            incidents = incidents.filter(state__in=sorted(FINAL))
        elif self.standing != "all":
            incidents = incidents.filter(state=self.standing)
        if "q" in values:
            incidents = incidents.matching(values["q"])
        if "period" in values:
            incidents = incidents.filter(occurred_at__gte=timezone.now() - PERIODS[values["period"]])
        for name in ("agency", "governorate", "area"):
            if name in values:
                incidents = incidents.filter(**{f"{name}_id": values[name]})
        if "category" in values:
            incidents = incidents.filter(type__category__in=values["category"])
        for name in ("priority", "severity"):
            if name in values:
                incidents = incidents.filter(**{f"{name}__in": values[name]})
        return incidents

    @property
    def is_set(self) -> bool:
        """Whether anything but the order narrows the list."""
        return any(name != "sort" and not (name == "state" and value == "open") for name, value in self.values.items())


@dataclass(frozen=True)
class Chip:
    """One filter that is set, in words, and the query string of the page without it."""

    name: str
    text: str
    without: str


@dataclass(frozen=True)
class Choice:
    value: str
    text: str
    is_chosen: bool


class BoardFilter(IncidentFilter):
    """The same on a page: with the choices this person has, and what is set in words."""

    def __init__(self, *args: Any, viewer: object, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.viewer = viewer

    @property
    def ignored(self) -> list[str]:
        """Labels of the filters whose value could not be used."""
        return [str(self.fields[name].label) for name in self.errors if name in self.fields]

    @cached_property
    def _names(self) -> dict[str, dict[str, str]]:
        jurisdiction = jurisdiction_of(self.viewer)
        agencies = Agency.objects.all()
        if jurisdiction.agency_ids is not None:
            agencies = agencies.filter(pk__in=sorted(jurisdiction.agency_ids))
        return {
            "agency": {str(agency.pk): agency.name for agency in agencies},
            "governorate": {str(zone.pk): zone.name for zone in zones_of(jurisdiction, Zone.Level.GOVERNORATE)},
            "area": {str(zone.pk): zone.name for zone in self._areas},
            "category": category_names(),
            "state": {str(value): str(text) for value, text in [*STANDINGS, *State.choices]},
            "period": {value: str(text) for value, text in PERIOD_NAMES},
        }

    @cached_property
    def _areas(self) -> list[Zone]:
        return zones_of(jurisdiction_of(self.viewer), Zone.Level.AREA)

    def _choices(self, name: str) -> list[Choice]:
        chosen = self._plain(name)
        return [Choice(value, text, value in chosen) for value, text in self._names[name].items()]

    def _plain(self, name: str) -> list[str]:
        value = self.values.get(name, [])
        return [str(one) for one in (value if isinstance(value, list) else [value])]

    def agencies(self) -> list[Choice]:
        return self._choices("agency")

    def governorates(self) -> list[Choice]:
        return self._choices("governorate")

    def categories(self) -> list[Choice]:
        return self._choices("category")

    def standings(self) -> list[Choice]:
        return [Choice(value, str(text), value == self.standing) for value, text in STANDINGS]

    def states(self) -> list[Choice]:
        return [Choice(str(value), str(text), value == self.standing) for value, text in State.choices]

    def periods(self) -> list[Choice]:
        return self._choices("period")

    def areas(self) -> list[tuple[str, list[Choice]]]:
        """By governorate."""
        names, chosen = self._names["governorate"], self._plain("area")
        grouped: dict[str, list[Choice]] = {}
        for area in self._areas:
            grouped.setdefault(names.get(str(area.parent_id), "–"), []).append(Choice(str(area.pk), area.name, str(area.pk) in chosen))
        return sorted(grouped.items())

    def for_client(self) -> str:
        """As JSON, what a page needs to judge a pushed card by its data attributes; ``ask`` where only the server can tell."""
        narrow = ("agency", "governorate", "area", "category", "priority", "severity")
        match = {name: self._plain(name) for name in narrow if name in self.values}
        if self.standing in State.values:
            match["state"] = [self.standing]
        ask = any(name in self.values for name in SERVER_DECIDES)
        return json.dumps({"match": match, "standing": self.standing, "sort": self.order, "ask": ask})

    def for_newest(self) -> str:
        return self.query_string(sort=None)

    def for_priority(self) -> str:
        return self.query_string(sort="priority")

    def chips(self) -> list[Chip]:
        """What is set, in words."""
        found = []
        for name in self.values:
            if name == "sort" or (name == "state" and self.standing == "open"):
                continue
            found.append(Chip(name, self._words(name), self.query_string(**{name: None})))
        return found

    def _words(self, name: str) -> str:
        plain = self._plain(name)
        if name == "q":
            return f"“{plain[0]}”"
        if name == "priority":
            return ", ".join(f"P{value}" for value in plain)
        if name == "severity":
            return ", ".join(str(Severity(int(value)).label) for value in plain)
        return ", ".join(self._names[name].get(value, "?") for value in plain)


def zones_of(jurisdiction: Jurisdiction, level: str) -> list[Zone]:
    """The zones of ``level`` a person of this jurisdiction may choose, by name. Without boundaries, which are large."""
    zones = Zone.objects.level(level).only("id", "level", "name_en", "name_ar", "parent_id")
    if jurisdiction.governorate_ids is not None:
        column = "pk__in" if level == Zone.Level.GOVERNORATE else "parent__in"
        zones = zones.filter(**{column: sorted(jurisdiction.governorate_ids)})
    return sorted(zones, key=lambda zone: zone.name)


def category_names() -> dict[str, str]:
    """The categories of the types we know, each in words."""
    slugs = IncidentType.objects.order_by("category").values_list("category", flat=True).distinct()
    return {slug: category_name(slug) for slug in slugs}
