"""Rules about readings: written as a small typed language, tried on the last day before they are switched on."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.admin_kit import ActsOnRows, Ask, age, as_json, pill, severity_mark
from iot.admin.devices import OfDeviceAdmin
from iot.admin.profiles import OfAgencyAdmin
from iot.admin.rule_form import RuleForm, fieldsets
from iot.admin.rule_trial import drawn
from iot.models import RuleAction, RuleFiring, TelemetryRule
from iot.rules.conditions import Unreadable
from iot.services.rules import confirm_draft, dismiss_draft, save_rule
from iot.services.rules.trial import try_rule

# Each a whole condition; shown under the field with what it says.
EXAMPLES: list[tuple[Any, dict[str, Any]]] = [
    (
        gettext_lazy("Above 50 for ten minutes, until it is back at 45"),
        {"for_s": 600, "of": {"metric": "temperature", "above": 50, "until": 45}},
    ),
    (
        gettext_lazy("Above 0.5 three times within an hour, at night, in one governorate"),
        {
            "all": [
                {"count": {"metric": "motion", "above": 0.5}, "at_least": 3, "within_s": 3600},
                {"from": "22:00", "to": "05:00"},
                {"zone": ["KW-HA"]},
            ]
        },
    ),
    (gettext_lazy("The level rises by half a metre within ten minutes"), {"metric": "level", "rises_by": 0.5, "within_s": 600}),
    (
        gettext_lazy("No word for half an hour, or a pressure below 2, near a place"),
        {
            "all": [
                {"any": [{"silent": "pressure", "for_s": 1800}, {"metric": "pressure", "below": 2, "until": 2.2}]},
                {"near": {"lon": 47.98, "lat": 29.37, "within_m": 2000}},
            ]
        },
    ),
]


@admin.register(TelemetryRule)
class TelemetryRuleAdmin(ActsOnRows, OfAgencyAdmin):
    form = RuleForm
    audits_itself = True
    list_display = ["name", "agency", "governorate", "severity_shown", "what_follows", "standing", "fired_lately"]
    list_filter = ["is_active", "agency", "severity"]
    list_select_related = ["agency", "governorate"]
    search_fields = ["name_en", "name_ar"]
    autocomplete_fields = ["incident_type"]
    ordering = ["agency", "name_en"]
    actions = ["try_on_yesterday", "switch_on", "switch_off"]
    object_actions = ["try_on_yesterday", "switch_on", "switch_off"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        since = timezone.now() - timedelta(days=7)
        lately = models.Count("firings", filter=models.Q(firings__fired_at__gt=since))
        return super().get_queryset(request).defer("governorate__boundary").annotate(lately=lately)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return fieldsets(may_change=self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        made = super().get_form(request, obj, change, **kwargs)
        made.viewer = request.user  # a class of this request alone
        return made

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["examples", "agency"] if obj is not None else ["examples"]

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        save_rule(rule=obj, by=request.user)

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("manage_devices")

    @admin.display(description=gettext_lazy("examples"))
    def examples(self, rule: TelemetryRule) -> SafeString:
        rows = [(text, json.dumps(condition, indent=2)) for text, condition in EXAMPLES]
        return render_to_string("admin/iot/_rule_examples.html", {"rows": rows})

    @admin.display(description=gettext_lazy("severity"), ordering="severity")
    def severity_shown(self, rule: TelemetryRule) -> Any:
        return severity_mark(rule.severity, rule.get_severity_display())

    @admin.display(description=gettext_lazy("actions"))
    def what_follows(self, rule: TelemetryRule) -> str:
        return "; ".join(str(RuleAction(name).label) for name in rule.actions if name in RuleAction.values)

    @admin.display(description=gettext_lazy("standing"), ordering="is_active")
    def standing(self, rule: TelemetryRule) -> Any:
        return pill("ok", _("in use")) if rule.is_active else pill("quiet", _("switched off"))

    @admin.display(description=gettext_lazy("fired in 7 days"), ordering="lately")
    def fired_lately(self, rule: Any) -> int:
        return int(rule.lately)

    @admin.action(description=gettext_lazy("Try on the last day"), permissions=["view"])
    def try_on_yesterday(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        rule = queryset.first()
        if rule is None or queryset.count() != 1:
            messages.error(request, _("Choose one rule."))
            return None
        try:
            trial = try_rule(rule, now=timezone.now())
        except Unreadable as error:
            messages.error(request, str(error))
            return None
        context = {
            **self.admin_site.each_context(request), "title": _("%(rule)s on the last day") % {"rule": rule}, "trial": trial, "rule": rule,
            "opts": self.opts, "bars": [(one, _bars(one, trial)) for one in trial.found], "drawn": drawn(trial),
        }  # fmt: skip
        return TemplateResponse(request, "admin/iot/rule_trial.html", context)

    def _switch(self, request: HttpRequest, queryset: models.QuerySet, on: bool) -> HttpResponse | None:
        def perform(rule: Any, _answers: dict[str, Any]) -> None:
            rule.is_active = on
            save_rule(rule=rule, by=request.user)  # type: ignore[arg-type]

        return self.act(
            request,
            queryset,
            title=_("Switch rules on") if on else _("Switch rules off"),
            button=_("Switch on") if on else _("Switch off"),
            note=_("Try them on the last day first: it shows how often they would have fired, and where.") if on else "",
            perform=perform,
            done=lambda count: ngettext("%(n)d rule was switched.", "%(n)d rules were switched.", count) % {"n": count},
        )

    @admin.action(description=gettext_lazy("Switch on…"), permissions=["manage"])
    def switch_on(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self._switch(request, queryset, True)

    @admin.action(description=gettext_lazy("Switch off…"), permissions=["manage"])
    def switch_off(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self._switch(request, queryset, False)


def _bars(one: Any, trial: Any) -> list[tuple[float, float, bool]]:
    """Where on a line of a hundred each stretch lies."""
    whole = (trial.until - trial.since).total_seconds()
    found = []
    for held in one.held:
        start = max((held.began_at - trial.since).total_seconds() / whole, 0.0) * 100
        end = ((held.ended_at or trial.until) - trial.since).total_seconds() / whole * 100
        found.append((round(start, 2), round(max(end - start, 0.4), 2), held.fires))
    return found


class DismissForm(Ask):
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500, required=False)


@admin.register(RuleFiring)
class RuleFiringAdmin(ActsOnRows, OfDeviceAdmin):
    list_display = ["rule", "device_code", "began", "stands", "draft_shown", "incident"]
    list_filter = ["draft", "rule"]
    list_select_related = ["rule", "device", "incident__region"]
    search_fields = ["device__code", "rule__name_en", "rule__name_ar"]
    date_hierarchy = "fired_at"
    actions = ["confirm", "dismiss"]
    object_actions = ["confirm", "dismiss"]
    readonly_fields = [
        "rule", "device_code", "began_at", "fired_at", "ended_at", "values", "draft_shown", "incident", "decided_by", "decided_at",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).defer("device__location")

    def has_open_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("open")

    @admin.display(description=gettext_lazy("since"), ordering="began_at")
    def began(self, firing: RuleFiring) -> Any:
        return age(firing.began_at)

    @admin.display(description=gettext_lazy("state"), ordering="ended_at")
    def stands(self, firing: RuleFiring) -> Any:
        return pill("bad", _("holds")) if firing.ended_at is None else pill("quiet", _("over"))

    @admin.display(description=gettext_lazy("draft"), ordering="draft")
    def draft_shown(self, firing: RuleFiring) -> Any:
        return pill("busy" if firing.draft == "waiting" else "quiet", firing.get_draft_display()) if firing.draft else "–"

    @admin.display(description=gettext_lazy("values"))
    def values(self, firing: RuleFiring) -> Any:
        return as_json(firing.facts)

    @admin.action(description=gettext_lazy("Open the incident…"), permissions=["open"])
    def confirm(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            title=_("Open incidents from drafts"),
            button=_("Open"),
            note=_("Each becomes an incident under your name."),
            perform=lambda firing, _answers: confirm_draft(firing=firing, by=request.user),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d incident was opened.", "%(n)d incidents were opened.", count) % {"n": count},
        )

    @admin.action(description=gettext_lazy("Dismiss…"), permissions=["open"])
    def dismiss(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=DismissForm,
            title=_("Dismiss drafts"),
            button=_("Dismiss"),
            perform=lambda firing, answers: dismiss_draft(firing=firing, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d draft was dismissed.", "%(n)d drafts were dismissed.", count) % {"n": count},
        )
