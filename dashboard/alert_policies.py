"""The policy editor: what a form says of a policy and its steps, in both directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Agency, User
from accounts.roles import CAPABILITIES, Role
from alerts.choices import Channel, Importance, Level
from alerts.models import Contact, EscalationPolicy, OnCallSchedule, PolicyStep
from alerts.services.escalation.foresight import Moment, Somewhere, foresee
from alerts.services.escalation.wording import endings, sentences
from dashboard.policy_ladder import RungForm
from geography.models import Zone
from patrol.models import Team

MOST_PEOPLE = 500
MOST_STEPS = 40
UNITS = {"s": 1, "min": 60, "h": 3600}
CLOCK = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
WAIT_UNITS = [("s", gettext_lazy("seconds")), ("min", gettext_lazy("minutes")), ("h", gettext_lazy("hours"))]


@dataclass
class Choices:
    """What this person may choose from; read once for all steps of a page."""

    people: list[tuple[str, str]] = field(default_factory=list)
    teams: list[tuple[str, str]] = field(default_factory=list)
    schedules: list[tuple[str, str]] = field(default_factory=list)
    contacts: list[tuple[str, str]] = field(default_factory=list)
    agencies: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, viewer: Any, policy: EscalationPolicy | None) -> Choices:
        agencies = viewer.jurisdiction.agency_ids
        people = User.objects.filter(is_active=True, role__in=[role for role in CAPABILITIES if role != Role.PARTNER])
        if agencies is not None:
            people = people.filter(agency_id__in=sorted(agencies))
        steps = list(policy.steps.select_related("user", "team", "schedule", "contact")) if policy is not None else []
        kept = [policy.fallback_user, policy.fallback_contact] if policy is not None else []

        def rows(found: Any, *held: Any) -> list[tuple[str, str]]:
            known = {row.pk: str(row) for row in found} | {row.pk: str(row) for row in held if row is not None}
            return sorted(((str(pk), name) for pk, name in known.items()), key=lambda it: it[1])

        return cls(
            people=rows(people.order_by("full_name", "username")[:MOST_PEOPLE], *(step.user for step in steps), *kept[:1]),
            teams=rows(Team.objects.visible_to(viewer).filter(is_active=True), *(step.team for step in steps)),
            schedules=rows(OnCallSchedule.objects.visible_to(viewer).active(), *(step.schedule for step in steps)),
            contacts=rows(Contact.objects.visible_to(viewer).filter(is_active=True), *(step.contact for step in steps), *kept[1:]),
            agencies=rows(Agency.objects.all()),
        )


def optional(choices: Sequence[tuple[str, Any]], empty: Any = "–") -> list[tuple[str, Any]]:
    return [("", empty), *choices]


class StepForm(forms.Form):
    kind = forms.ChoiceField(label=gettext_lazy("What to do"), choices=PolicyStep.Kind.choices)
    user = forms.ChoiceField(label=gettext_lazy("Person"), required=False)
    role = forms.ChoiceField(label=gettext_lazy("Role"), required=False)
    team = forms.ChoiceField(label=gettext_lazy("Team"), required=False)
    schedule = forms.ChoiceField(label=gettext_lazy("On-call schedule"), required=False)
    contact = forms.ChoiceField(label=gettext_lazy("Contact"), required=False)
    agency = forms.ChoiceField(label=gettext_lazy("Of the agency"), required=False)
    webhook = forms.ChoiceField(label=gettext_lazy("Webhook"), required=False)
    task_title = forms.CharField(label=gettext_lazy("Title of the task"), required=False, max_length=200)
    wait = forms.IntegerField(label=gettext_lazy("Then wait"), min_value=0, max_value=86_400)
    unit = forms.ChoiceField(
        label=gettext_lazy("unit"), choices=WAIT_UNITS, widget=forms.Select(attrs={"aria-label": gettext_lazy("Unit of time")})
    )
    repeat_times = forms.IntegerField(label=gettext_lazy("Repeat (times)"), min_value=0, max_value=10, required=False)
    also_off_duty = forms.BooleanField(label=gettext_lazy("Off-duty people too"), required=False)
    importance = forms.ChoiceField(label=gettext_lazy("As"), choices=Importance.choices, required=False)
    channels = forms.MultipleChoiceField(
        label=gettext_lazy("Only by"), choices=Channel.choices, required=False, widget=forms.CheckboxSelectMultiple
    )
    only_from = forms.TimeField(
        label=gettext_lazy("Only from"), required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    only_to = forms.TimeField(label=gettext_lazy("to"), required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    only_weekdays = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Only on"), coerce=int, required=False, widget=forms.CheckboxSelectMultiple
    )
    only_levels = forms.MultipleChoiceField(
        label=gettext_lazy("Only at level"), choices=Level.choices, required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, data: Any, *, prefix: str, choices: Choices) -> None:
        super().__init__(data, prefix=prefix)
        days = [(str(day), WEEKDAYS[day]) for day in (6, 0, 1, 2, 3, 4, 5)]  # the week begins on Sunday here
        roles = [(role, Role(role).label) for role in Role.values if role != Role.PARTNER]
        webhooks = [(name, name) for name in sorted(settings.ALERT_WEBHOOKS)]
        given = self["webhook"].value()
        if given and given not in settings.ALERT_WEBHOOKS:
            webhooks.append((given, given))  # refused with its own sentence
        for name, options in (
            ("user", optional(choices.people)), ("role", optional(roles)), ("team", optional(choices.teams)),
            ("schedule", optional(choices.schedules)), ("contact", optional(choices.contacts)),
            ("agency", optional(choices.agencies, _("the alert's own"))), ("webhook", optional(webhooks)), ("only_weekdays", days),
        ):  # fmt: skip
            self.fields[name].choices = options  # type: ignore[attr-defined]

    def columns(self) -> dict[str, Any]:
        """The step's columns, as ``write_policy`` takes them."""
        told = self.cleaned_data
        columns: dict[str, Any] = {
            name: told.get(name) for name in ("kind", "role", "webhook", "task_title", "also_off_duty", "channels", "only_levels")
        }
        columns |= {f"{name}_id": int(told[name]) if told.get(name) else None for name in ("user", "team", "schedule", "contact", "agency")}
        columns["importance"] = told.get("importance") or Importance.DEFAULT.value
        columns["wait_s"] = int(told.get("wait") or 0) * UNITS[told["unit"]]
        columns["repeat_times"] = told.get("repeat_times") or 0
        columns["only_weekdays"] = sorted(told.get("only_weekdays") or [])
        columns |= {"only_from": told.get("only_from"), "only_to": told.get("only_to")}
        return columns


class PolicyForm(forms.Form):
    name_en = forms.CharField(label=gettext_lazy("English name"), max_length=120)
    name_ar = forms.CharField(label=gettext_lazy("Arabic name"), max_length=120)
    code = forms.SlugField(label=gettext_lazy("Code"), max_length=64, help_text=gettext_lazy("How files and the API name it."))
    agency = forms.ChoiceField(label=gettext_lazy("Agency"), required=False)
    description = forms.CharField(
        label=gettext_lazy("Description"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )
    repeat_times = forms.IntegerField(label=gettext_lazy("Repeat all steps (times)"), min_value=0, max_value=10, required=False)
    repeat_wait_min = forms.IntegerField(label=gettext_lazy("Wait before repeating (minutes)"), min_value=0, max_value=1440, required=False)
    remind_after_min = forms.IntegerField(
        label=gettext_lazy("Ask again after (minutes)"), min_value=5, max_value=10_080, required=False,
        help_text=gettext_lazy("An acknowledged alert that is still open so long afterwards fires again. Empty: never."),
    )  # fmt: skip
    fallback_user = forms.ChoiceField(label=gettext_lazy("If nobody is reached: person"), required=False)
    fallback_contact = forms.ChoiceField(label=gettext_lazy("If nobody is reached: contact"), required=False)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0, max_value=2**31 - 1)

    def __init__(self, data: Any, *, viewer: Any, choices: Choices) -> None:
        super().__init__(data)
        agencies = viewer.jurisdiction.agency_ids
        mine = [(pk, name) for pk, name in choices.agencies if agencies is None or int(pk) in agencies]
        self.fields["agency"].choices = optional(mine, _("The whole ministry")) if agencies is None else mine  # type: ignore[attr-defined]
        self.fields["fallback_user"].choices = optional(choices.people)  # type: ignore[attr-defined]
        self.fields["fallback_contact"].choices = optional(choices.contacts)  # type: ignore[attr-defined]

    def columns(self) -> dict[str, Any]:
        told = self.cleaned_data
        columns: dict[str, Any] = {name: told[name] for name in ("code", "name_en", "name_ar", "description", "remind_after_min")}
        columns |= {f"{name}_id": int(told[name]) if told.get(name) else None for name in ("agency", "fallback_user", "fallback_contact")}
        return columns | {"repeat_times": told["repeat_times"] or 0, "repeat_wait_s": 60 * (told["repeat_wait_min"] or 0)}


def policy_data(policy: EscalationPolicy | None, viewer: Any) -> QueryDict:
    """What the form of a saved policy (or of a new one) would have been sent as."""
    data = QueryDict(mutable=True)
    if policy is None:
        agency = viewer.agency_id or ""
        data.update({"agency": str(agency), "repeat_times": "0", "repeat_wait_min": "5", "version": "0"})
    else:
        for name in ("code", "name_en", "name_ar", "description", "repeat_times", "version"):
            data[name] = str(getattr(policy, name))
        for name in ("agency", "fallback_user", "fallback_contact"):
            data[name] = str(getattr(policy, f"{name}_id") or "")
        data["repeat_wait_min"] = str(policy.repeat_wait_s // 60)
        data["remind_after_min"] = str(policy.remind_after_min or "")
    return data


NEW_STEP = {"kind": [PolicyStep.Kind.ROLE.value], "wait": ["1"], "unit": ["min"], "repeat_times": ["0"], "importance": ["default"]}


SINGLE = (
    "kind", "user", "role", "team", "schedule", "contact", "agency", "webhook", "task_title", "importance", "only_from", "only_to",
)  # fmt: skip


def step_data(step: Mapping[str, Any]) -> dict[str, list[str]]:
    """The same of a step of a snapshot."""
    wait_s = int(step.get("wait_s") or 0)
    unit = "h" if wait_s and wait_s % 3600 == 0 else "min" if wait_s and wait_s % 60 == 0 else "s"
    told = {"wait": [str(wait_s // UNITS[unit])], "unit": [unit], "repeat_times": [str(step.get("repeat_times") or 0)]}
    for name in (
        "kind",
        "user",
        "role",
        "team",
        "schedule",
        "contact",
        "agency",
        "webhook",
        "task_title",
        "importance",
        "only_from",
        "only_to",
    ):
        told[name] = [str(step.get(name) or "")]
    for name in ("channels", "only_weekdays", "only_levels"):
        told[name] = [str(value) for value in step.get(name) or []]
    if step.get("also_off_duty"):
        told["also_off_duty"] = ["on"]
    return told


def steps_sent(post: QueryDict) -> list[dict[str, list[str]]]:
    """The steps of a request, in the order in which the page had them."""
    names = list(StepForm.base_fields)
    numbers = [number for number in post.getlist("step")[:MOST_STEPS] if number.isdecimal()]
    return [{name: post.getlist(f"s-{number}-{name}") for name in names if f"s-{number}-{name}" in post} for number in numbers]


def rearranged(
    steps: list[dict[str, list[str]]], act: str, *, new: Mapping[str, list[str]] = NEW_STEP, most: int = MOST_STEPS
) -> list[dict[str, list[str]]]:
    """``add``, ``up-2``, ``down-2``, ``remove-2``: the steps (or the rungs) as they stand then. Anything else leaves them."""
    steps = list(steps)
    verb, _dash, number = act.partition("-")
    if verb == "add" and len(steps) < most:
        return [*steps, {name: list(value) for name, value in new.items()}]
    place = int(number) if number.isdecimal() and len(number) < 4 else -1
    if not 0 <= place < len(steps):
        return steps
    if verb == "remove":
        steps.pop(place)
    elif verb == "up" and place > 0:
        steps[place - 1], steps[place] = steps[place], steps[place - 1]
    elif verb == "down" and place + 1 < len(steps):
        steps[place + 1], steps[place] = steps[place], steps[place + 1]
    return steps


def step_forms(steps: Sequence[Mapping[str, list[str]]], choices: Choices) -> list[StepForm]:
    data = QueryDict(mutable=True)
    for number, step in enumerate(steps):
        for name, values in step.items():
            data.setlist(f"s-{number}-{name}", list(values))
    return [StepForm(data, prefix=f"s-{number}", choices=choices) for number in range(len(steps))]


def put_problems(problems: Mapping[str, str], form: PolicyForm, steps: Sequence[StepForm], rungs: Sequence[RungForm] = ()) -> list[str]:
    """Each problem beside its field; what belongs to no field is returned."""
    rest = []
    for key, text in problems.items():
        first, _dot, more = key.partition(".")
        number, _dot, name = more.partition(".")
        name = {"wait_s": "wait"}.get(name, name)
        whole = {"repeat_wait_s": "repeat_wait_min", "fallback": "fallback_user"}.get(key, key)
        if first == "steps" and number.isdecimal() and int(number) <= len(steps) and name in StepForm.base_fields:
            steps[int(number) - 1].add_error(name, text)
        elif first == "ladder" and number.isdecimal() and int(number) <= len(rungs) and name in RungForm.base_fields:
            rungs[int(number) - 1].add_error(name, text)
        elif whole in PolicyForm.base_fields:
            form.add_error(whole, text)
        else:
            rest.append(text)
    return rest


class StoryForm(forms.Form):
    """When, where and how bad the alert is of which the story is told."""

    at = forms.DateTimeField(
        label=gettext_lazy("An alert fires at"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M"],
    )  # fmt: skip
    where = forms.ChoiceField(label=gettext_lazy("in"), required=False)
    whose = forms.ChoiceField(label=gettext_lazy("of"), required=False)
    level = forms.ChoiceField(label=gettext_lazy("at the level"), choices=Level.choices)

    def __init__(self, data: Mapping[str, Any], *, viewer: Any, choices: Choices, agency_id: int | None) -> None:
        places = Zone.objects.filter(level="governorate", is_active=True).order_by("code")
        mine = viewer.jurisdiction.governorate_ids
        if mine is not None:
            places = places.filter(pk__in=sorted(mine))
        where = [(str(zone.pk), zone.name) for zone in places.defer("boundary")]
        agencies = viewer.jurisdiction.agency_ids
        whose = [(pk, name) for pk, name in choices.agencies if agencies is None or int(pk) in agencies]
        own = str(agency_id or viewer.agency_id or (whose[0][0] if whose else ""))
        usual = {
            "at": f"{timezone.localtime():%Y-%m-%dT%H:%M}",
            "where": where[0][0] if where else "",
            "whose": own,
            "level": Level.HIGH.value,
        }
        super().__init__({name: data.get(name) or value for name, value in usual.items()}, auto_id="story_%s")
        self.fields["where"].choices = where  # type: ignore[attr-defined]
        self.fields["whose"].choices = whose  # type: ignore[attr-defined]

    def story(self, snapshot: Mapping[str, Any]) -> list[Moment]:
        if not self.is_valid():
            return []
        at: datetime = self.cleaned_data["at"]
        where = Somewhere(
            int(self.cleaned_data["whose"] or 0) or None, int(self.cleaned_data["where"] or 0) or None, self.cleaned_data["level"]
        )
        return foresee(snapshot, at=at, alert=where)


def told(snapshot: Mapping[str, Any]) -> tuple[list[list[str]], list[str]]:
    """Each step's sentences, and what comes after the last."""
    return [sentences(step) for step in snapshot.get("steps") or []], endings(snapshot)
