"""The form of an alert rule for people who write no YAML: one kind of rule at a time, its own questions only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.forms import formset_factory
from django.utils.translation import gettext_lazy as _

from accounts.models import Agency
from alerts.analytics.modifiers import LEVELS
from alerts.choices import Level
from alerts.models import AlertRule, EscalationPolicy, SpecialPeriod
from alerts.services.rules import vocabulary
from alerts.services.rules.checking import FILTERS, HAS_TREND
from alerts.services.rules.conditions import CAMERA_EVENTS, FORECAST_PER, GROUP_BY, HOT_SPOT_CHANGES, HOT_SPOT_MEASURES, PER
from alerts.services.rules.content import COLUMNS
from alerts.services.rules.times import WEEKDAYS
from core.errors import DomainError
from geography.models import Zone
from incidents.categories import category_name
from incidents.lifecycle import Severity
from incidents.models import HotSpot, IncidentType, Source

MOST_MODIFIERS = 8
_PER_WORDS = {"area": _("Area"), "block": _("Block"), "governorate": _("Governorate"), "country": _("The whole country")}
_MEASURE_WORDS = {
    "incident_count": _("Number of incidents"),
    "rate_ratio": _("Incidents now over those before"),
    "severity_score": _("Severity-weighted score"),
    "density_per_km2": _("Incidents per km²"),
    "expected": _("Incidents expected in a day"),
    "over_usual_percent": _("Percent above the usual for that weekday"),
}
_CAMERA_WORDS = {"offline": _("Offline"), "tampered": _("Tampered with"), "degraded": _("Degraded")}
_GROUP_WORDS = {
    "zone": _("Zone"),
    "governorate": _("Governorate"),
    "agency": _("Agency"),
    "type": _("Incident type"),
    "category": _("Category"),
    "subject": _("What it is about (feed, camera, hot spot, unit)"),
}
_WEEKDAY_WORDS = (_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"))
_PLACES = ("governorates", "zones")


def _many(label: Any, *, help_text: Any = "", ticks: bool = True) -> forms.MultipleChoiceField:
    widget = forms.CheckboxSelectMultiple() if ticks else forms.SelectMultiple(attrs={"size": 6})
    return forms.MultipleChoiceField(required=False, label=label, help_text=help_text, widget=widget)


def _number(label: Any, *, help_text: Any = "", step: str = "1", least: float = 0) -> forms.FloatField:
    widget = forms.NumberInput(attrs={"step": step, "inputmode": "decimal"})
    return forms.FloatField(required=False, min_value=least, label=label, help_text=help_text, widget=widget)


def _clock(label: Any) -> forms.TimeField:
    return forms.TimeField(required=False, label=label, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))


class ModifierForm(forms.Form):
    """One "at other times": all that is given must hold."""

    start = _clock(_("From"))
    end = _clock(_("To"))
    weekdays = _many(_("On"))
    period = forms.ChoiceField(required=False, label=_("During"))
    threshold_percent = _number(_("Thresholds higher or lower by (percent)"), help_text=_("−20 fires earlier."), least=-95)
    escalate_percent = _number(_("Waits shorter by (percent)"))
    level_up = forms.TypedChoiceField(
        required=False, coerce=int, empty_value=None, label=_("Level higher by"), choices=[("", "–"), (1, "1"), (2, "2"), (3, "3")]
    )
    mute = forms.BooleanField(required=False, label=_("Tell nobody"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choose(self, "weekdays", zip(WEEKDAYS, _WEEKDAY_WORDS, strict=True))
        kinds = sorted({*SpecialPeriod.objects.values_list("kind", flat=True), "ramadan", str(self.initial.get("period") or "ramadan")})
        _choose(self, "period", [("", "–"), *((kind, vocabulary.period_name(kind)) for kind in kinds)])

    @property
    def said(self) -> dict[str, Any] | None:
        """As a file writes it; nothing where nothing was filled in."""
        given = self.cleaned_data if hasattr(self, "cleaned_data") else {}
        when: dict[str, Any] = {}
        if given.get("start") is not None:
            when["from"] = f"{given['start']:%H:%M}"
        if given.get("end") is not None:
            when["to"] = f"{given['end']:%H:%M}"
        if given.get("weekdays"):
            when["weekdays"] = given["weekdays"]
        if given.get("period"):
            when["period"] = given["period"]
        what = {name: given[name] for name in ("threshold_percent", "escalate_percent", "level_up", "mute") if given.get(name)}
        return {"when": when, **what} if when or what else None


Modifiers = formset_factory(ModifierForm, extra=1, max_num=MOST_MODIFIERS, absolute_max=MOST_MODIFIERS)


class RuleForm(forms.Form):
    """All questions; those that mean nothing for the source are left out."""

    name_en = forms.CharField(max_length=120, label=_("English name"))
    name_ar = forms.CharField(max_length=120, label=_("Arabic name"))
    code = forms.SlugField(max_length=64, label=_("Code"), help_text=_("How files and the API name it. It never changes."))
    description = forms.CharField(required=False, max_length=4_000, label=_("Description"), widget=forms.Textarea(attrs={"rows": 2}))
    agency = forms.ChoiceField(required=False, label=_("Whose rule it is"))

    event_types = _many(_("What happens"), ticks=False)
    recovers_on = _many(_("It is over when"), ticks=False)
    window_h = _number(_("Within (hours)"), step="0.25")
    count_per = forms.ChoiceField(required=False, label=_("Counted for each"), choices=[(key, _PER_WORDS[key]) for key in PER])
    recovers_below = _number(_("It is over beneath"), help_text=_("Empty: beneath the lowest threshold."))
    changes = _many(_("A hot spot that is"))
    hot_spot_measure = forms.ChoiceField(
        required=False, label=_("Judged by"), choices=[(key, _MEASURE_WORDS[key]) for key in HOT_SPOT_MEASURES]
    )
    min_incidents = _number(_("At least so many incidents"))
    min_rate_ratio = _number(_("At least so many times as many as before"), step="0.1")
    significant_only = forms.BooleanField(required=False, label=_("Only what stands out beyond chance"))
    horizon_days = _number(_("Days ahead"), least=1)
    forecast_measure = forms.ChoiceField(
        required=False, label=_("Judged by"), choices=[(key, _MEASURE_WORDS[key]) for key in ("expected", "over_usual_percent")]
    )
    forecast_per = forms.ChoiceField(required=False, label=_("For each"), choices=[(key, _PER_WORDS[key]) for key in FORECAST_PER])
    min_expected = _number(_("At least so many expected"), step="0.1")
    properties = forms.CharField(
        required=False, max_length=400, label=_("What is measured"), help_text=_("pressure, level; empty: anything.")
    )
    at_least = _number(_("At least"), step="any")
    after_min = _number(_("For so many minutes"))
    feeds = _many(_("Of these feeds"), help_text=_("None chosen: every one."))
    states = _many(_("A camera that is"))

    governorates = _many(_("Only these governorates"), help_text=_("None chosen: every one."))
    zones = _many(_("Only these areas"), ticks=False)
    types = _many(_("Only these incident types"), ticks=False)
    categories = _many(_("Only these categories"))
    agencies = _many(_("Only these agencies"))
    least_severity = forms.TypedChoiceField(
        required=False, coerce=int, empty_value=None, label=_("Of this severity or worse"), choices=[("", "–"), *Severity.choices]
    )

    level_low = _number(Level.LOW.label, step="any")
    level_medium = _number(Level.MEDIUM.label, step="any")
    level_high = _number(Level.HIGH.label, step="any")
    level_critical = _number(Level.CRITICAL.label, step="any")
    level = forms.ChoiceField(required=False, label=_("Level"), choices=Level.choices)
    trend_at_least = _number(_("Only if it is so many times what it was"), step="0.1", help_text=_("1.5 is half as many again."))

    group_by = _many(_("One alert for each"))
    group_window_min = _number(_("What comes within so many minutes joins it"))
    cooldown_zone_min = _number(_("Then quiet in the same zone (minutes)"))
    cooldown_type_min = _number(_("Then quiet for the same type (minutes)"))
    most_per_hour = _number(_("At most so many alerts an hour"), least=1)
    policy = forms.ChoiceField(required=False, label=_("Who is told: escalation policy"))
    priority = forms.TypedChoiceField(
        required=False,
        coerce=int,
        empty_value=None,
        label=_("Priority"),
        choices=[(n, str(n)) for n in range(1, 6)],
        help_text=_("1 is first."),
    )
    resolves_by_recovery = forms.BooleanField(required=False, label=_("Resolved when it is over"))
    resolve_after_min = _number(_("Resolved by time after (minutes)"), least=5)
    reason = forms.CharField(required=False, max_length=400, label=_("Why you change it"))

    CONDITIONS: Mapping[str, tuple[str, ...]] = {
        "event": ("event_types", "recovers_on"),
        "count": ("window_h", "count_per", "recovers_below"),
        "hot_spot": ("changes", "hot_spot_measure", "min_incidents", "min_rate_ratio", "significant_only"),
        "forecast": ("horizon_days", "forecast_measure", "forecast_per", "min_expected"),
        "reading": ("properties", "at_least"),
        "feed_silence": ("after_min", "feeds"),
        "camera": ("states", "after_min"),
    }
    MEASURED = frozenset({"count", "hot_spot", "forecast", "reading", "feed_silence", "camera"})
    WHERE = ("governorates", "zones", "types", "categories", "agencies", "least_severity")
    QUIET = ("group_by", "group_window_min", "cooldown_zone_min", "cooldown_type_min", "most_per_hour")

    def __init__(
        self, *args: Any, source: str, content: Mapping[str, Any] | None = None, viewer: Any = None, is_new: bool = True, **kwargs: Any
    ) -> None:
        self.source, self.content, self.is_new = source, dict(content or {}), is_new
        kwargs["initial"] = answers_of(source, self.content)
        super().__init__(*args, **kwargs)
        self._fill(viewer)
        unused = {name for key, names in self.CONDITIONS.items() for name in names if name not in self.CONDITIONS[source]}
        unused |= set(self.WHERE) - FILTERS[source]
        if source not in self.MEASURED:
            unused |= {f"level_{level}" for level in LEVELS}
        if source not in HAS_TREND:
            unused.add("trend_at_least")
        if source in ("count", "forecast"):
            unused.add("level")
        unused.add("reason" if is_new else "code")
        for name in unused:
            self.fields.pop(name, None)
        self.modifiers = Modifiers(
            self.data if self.is_bound else None,
            prefix="times",
            initial=[_modifier_answers(each) for each in self.content.get("modifiers", ())],
        )

    def _fill(self, viewer: Any) -> None:
        jurisdiction = getattr(viewer, "jurisdiction", None)
        agencies = Agency.objects.order_by("slug")
        zones = Zone.objects.filter(is_active=True).defer("boundary")
        governorates = zones.filter(level=Zone.Level.GOVERNORATE).order_by("code")
        areas = zones.filter(level=Zone.Level.AREA).order_by("code")
        if jurisdiction is not None and jurisdiction.governorate_ids is not None:
            governorates = governorates.filter(pk__in=sorted(jurisdiction.governorate_ids))
            areas = areas.filter(parent_id__in=sorted(jurisdiction.governorate_ids))
        own = (
            agencies if jurisdiction is None or jurisdiction.agency_ids is None else agencies.filter(pk__in=sorted(jurisdiction.agency_ids))
        )
        whole = [] if jurisdiction is not None and jurisdiction.agency_ids is not None else [("", _("The whole ministry"))]
        content = self.content
        self._choices("agency", [*whole, *((row.slug, row.name) for row in own)], [content.get("agency")])
        self._choices("agencies", [(row.slug, row.name) for row in own], content.get("agencies", ()))
        self._choices("governorates", [(row.code, row.name) for row in governorates], content.get("governorates", ()))
        self._choices("zones", [(row.code, row.name) for row in areas], content.get("zones", ()))
        self._choices("types", [(row.code, row.name) for row in IncidentType.objects.filter(is_active=True)], content.get("types", ()))
        categories = sorted(vocabulary.known_categories())
        self._choices("categories", [(slug, category_name(slug)) for slug in categories], content.get("categories", ()))
        condition = content.get("condition") or {}
        events = [(name, words) for name, words in vocabulary.EVENTS.items()]
        self._choices("event_types", events, condition.get("types", ()))
        self._choices("recovers_on", events, condition.get("recovers_on", ()))
        self._choices("changes", [(change, HotSpot.Change(change).label) for change in HOT_SPOT_CHANGES], ())
        self._choices("states", [(state, _CAMERA_WORDS[state]) for state in CAMERA_EVENTS], ())
        self._choices("feeds", [(row.slug, row.name) for row in Source.objects.filter(is_active=True)], condition.get("feeds", ()))
        self._choices("group_by", [(word, _GROUP_WORDS[word]) for word in GROUP_BY], ())
        policies: Any = EscalationPolicy.objects.active()
        if viewer is not None:
            policies = policies.visible_to(viewer)
        self._choices("policy", [("", _("Nobody yet")), *((row.code, row.name) for row in policies)], [content.get("policy")])

    def _choices(self, name: str, choices: Iterable[tuple[str, Any]], kept: Iterable[Any]) -> None:
        """``kept``: what the rule says already stays choosable, though this person would not be offered it."""
        listed = list(choices)
        known = {key for key, _label in listed}
        _choose(self, name, [*listed, *((str(key), str(key)) for key in kept if key and key not in known)])

    def is_valid(self) -> bool:
        return super().is_valid() & self.modifiers.is_valid()

    @property
    def said(self) -> dict[str, Any]:
        """What was filled in, in the words of the rules' file. For ``create_rule`` and ``change_rule``, which judge it."""
        given = self.cleaned_data if hasattr(self, "cleaned_data") else {}
        data: dict[str, Any] = {key: self.content[key] for key in ("code",) if key in self.content}
        data |= {"source": self.source, "condition": self._condition(given)}
        for name in (*COLUMNS, "code"):
            if name in self.fields and given.get(name) not in (None, "", []):
                data[name] = _whole(given[name])
        data["resolves_by_recovery"] = bool(given.get("resolves_by_recovery"))
        levels = {level: _whole(given[f"level_{level}"]) for level in LEVELS if given.get(f"level_{level}") is not None}
        if levels:
            data["levels"] = levels
        modifiers = [form.said for form in self.modifiers.forms]
        data["modifiers"] = [{key: _whole(value) for key, value in each.items()} for each in modifiers if each is not None]
        return data

    def _condition(self, given: Mapping[str, Any]) -> dict[str, Any]:
        names = {
            "event_types": "types",
            "count_per": "per",
            "hot_spot_measure": "measure",
            "forecast_measure": "measure",
            "forecast_per": "per",
        }
        # What a file may say and this form does not ask for (where, measure) stays as it is.
        asked = {names.get(name, name) for name in self.CONDITIONS[self.source]}
        found = {key: value for key, value in (self.content.get("condition") or {}).items() if key not in asked}
        for name in self.CONDITIONS[self.source]:
            value = given.get(name)
            if value not in (None, "", [], False):
                found[names.get(name, name)] = _whole(value)
        if self.source == "reading" and given.get("properties"):
            found["properties"] = [word.strip() for word in given["properties"].replace("،", ",").split(",") if word.strip()]
        return found

    def take(self, error: DomainError) -> None:
        """Put a service's refusal beside the fields it names, else above the form."""
        shown = False
        beside = {"levels": "level_medium", "condition": next(iter(self.CONDITIONS[self.source])), "modifiers": ""}
        for name, message in error.fields.items():
            field = beside.get(name, name)
            if field in self.fields:
                self.add_error(field, message)
                shown = True
        if not shown:
            self.add_error(None, error.message)

    def group(self, *names: str) -> list[Any]:
        return [self[name] for name in names if name in self.fields]

    @property
    def condition_fields(self) -> list[Any]:
        return self.group(*self.CONDITIONS[self.source])

    @property
    def where_fields(self) -> list[Any]:
        return self.group(*self.WHERE)

    @property
    def level_fields(self) -> list[Any]:
        return self.group(*(f"level_{level}" for level in LEVELS))

    @property
    def quiet_fields(self) -> list[Any]:
        return self.group(*self.QUIET)

    @property
    def end_fields(self) -> list[Any]:
        return self.group("resolves_by_recovery", "resolve_after_min", "priority")


def answers_of(source: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """What the form shows of a rule's words; the usual values where there is none yet."""
    by_zone = source in ("count", "event", "forecast")
    usual = {
        "window_h": 24, "count_per": "area", "changes": ["born", "grown", "returned"], "horizon_days": 1, "states": ["offline"],
        "after_min": 30 if source == "feed_silence" else 5, "group_by": ["zone"] if by_zone else ["subject"],
        "group_window_min": 60, "cooldown_zone_min": 30, "cooldown_type_min": 15, "most_per_hour": 60, "resolve_after_min": 1440,
        "priority": 3, "resolves_by_recovery": True, "level": "medium",
    }  # fmt: skip
    if not content:
        return usual
    condition = content.get("condition") or {}
    found = {name: content[name] for name in COLUMNS if name in content and name not in ("condition", "levels", "modifiers")}
    found |= {"code": content.get("code", ""), "group_by": content.get("group_by", []), "changes": [], "states": []}
    found |= {f"level_{level}": number for level, number in (content.get("levels") or {}).items()}
    found |= {key: value for key, value in condition.items() if key not in ("types", "per", "measure", "properties")}
    found |= {
        "event_types": condition.get("types", []),
        "count_per": condition.get("per", "area"),
        "forecast_per": condition.get("per", "area"),
        "hot_spot_measure": condition.get("measure", "incident_count"),
        "forecast_measure": condition.get("measure", "expected"),
        "properties": ", ".join(condition.get("properties", [])),
    }
    return usual | found


def _modifier_answers(data: Mapping[str, Any]) -> dict[str, Any]:
    when = data.get("when") or {}
    kept = {name: data[name] for name in ("threshold_percent", "escalate_percent", "level_up", "mute") if name in data}
    return {"start": when.get("from"), "end": when.get("to"), "weekdays": when.get("weekdays"), "period": when.get("period"), **kept}


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value == int(value) else value


def _choose(form: forms.Form, name: str, choices: Iterable[tuple[Any, Any]]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    field.choices = list(choices)


SOURCES = tuple(AlertRule.Source.values)
