"""Escalation in the command centre: policies as sentences, runs with their steps, heartbeats.

A policy is written on its own page (/alerts/policies/), where each step is checked together with the others and it is told beforehand
whom it would page; here it is read, with a link there, and its ladder changed.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.models import EscalationPolicy, EscalationRun, Heartbeat, PolicyStep, StepRun
from alerts.services.escalation import ladder as ladders
from alerts.services.escalation.checking import check
from alerts.services.escalation.ladder import USUAL_WAIT_S
from alerts.services.escalation.policies import change_ladder, may_write
from alerts.services.escalation.snapshot import policy_of, step_of
from alerts.services.escalation.wording import endings, sentence
from core.admin_kit import ReadOnlyAdmin, ReadOnlyInline, age, pill
from core.text import western_digits

RUN_PILLS = {"running": "busy", "paused": "warn", "done": "ok", "stopped": "quiet"}


class LadderForm(forms.ModelForm):
    """The one part of a policy that is a plain list."""

    ladder = forms.CharField(
        label=gettext_lazy("channels for whoever has none"), required=False, max_length=400, widget=forms.Textarea(attrs={"rows": 5}),
        help_text=gettext_lazy(
            "A channel a line, with the seconds waited after it: whatsapp 60, then sms 60, then voice 60. Empty: the usual order."
        ),
    )  # fmt: skip

    class Meta:
        model = EscalationPolicy
        fields = ("ladder",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rungs = self.instance.ladder if isinstance(self.instance.ladder, list) else []
        self.initial["ladder"] = "\n".join(f"{rung.get('channel')} {rung.get('wait_s', USUAL_WAIT_S)}" for rung in rungs)

    def clean_ladder(self) -> list[dict[str, Any]]:
        rungs = []
        for line in western_digits(self.cleaned_data["ladder"]).splitlines():
            channel, _space, wait = line.strip().partition(" ")
            if not channel:
                continue
            if wait.strip() and not wait.strip().isdecimal():
                raise forms.ValidationError(_("“%(line)s”: a channel and a number of seconds are needed.") % {"line": line.strip()[:40]})
            rungs.append({"channel": channel.lower(), "wait_s": int(wait[:9]) if wait.strip() else USUAL_WAIT_S})
        if problems := ladders.problems_of(rungs):
            raise forms.ValidationError(list(dict.fromkeys(problems.values())))
        return rungs


@admin.register(EscalationPolicy)
class EscalationPolicyAdmin(ReadOnlyAdmin):
    form = LadderForm
    audits_itself = True
    list_display = ("code", "name_en", "name_ar", "agency", "version", "is_active", "page")
    list_filter = ("is_active", "agency")
    list_select_related = ("agency",)
    search_fields = ("code", "name_en", "name_ar")
    fields = (
        "code", "name_en", "name_ar", "agency", "description", "is_active", "version", "in_words", "to_mind", "repeat_times",
        "repeat_wait_s", "remind_after_min", "fallback_user", "fallback_contact", "ladder", "page",
    )  # fmt: skip
    readonly_fields = tuple(name for name in fields if name != "ladder")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_write(request.user, obj) if obj is not None else request.user.can("manage_alerts")  # type: ignore[union-attr]

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        if "ladder" in form.changed_data:
            saved = EscalationPolicy.objects.get(pk=obj.pk)
            change_ladder(by=request.user, policy=saved, ladder=form.cleaned_data["ladder"])

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return EscalationPolicy.objects.visible_to(request.user)

    @admin.display(description=gettext_lazy("written on its page"))
    def page(self, policy: EscalationPolicy) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("policies-one", args=[policy.code]), policy.code)

    @admin.display(description=gettext_lazy("in words"))
    def in_words(self, policy: EscalationPolicy) -> SafeString:
        snapshot = _snapshot(policy)
        lines = [*(sentence(step) for step in snapshot["steps"]), *endings(snapshot)]
        return format_html("<ol>{}</ol>", format_html_join("", "<li>{}</li>", ((line,) for line in lines)))

    @admin.display(description=gettext_lazy("to mind"))
    def to_mind(self, policy: EscalationPolicy) -> SafeString | str:
        found = check(_snapshot(policy))
        lines = [*found.problems.values(), *found.warnings]
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}</li>", ((line,) for line in lines))) if lines else "–"


def _snapshot(policy: EscalationPolicy) -> dict[str, Any]:
    rows = policy.steps.select_related("user", "team", "schedule", "contact", "agency").order_by("position")
    return policy_of(policy, [step_of(row) for row in rows])


class StepRunInline(ReadOnlyInline):
    model = StepRun
    fields = ("loop", "step_no", "repeat_no", "kind", "due_at", "ran_at", "outcome", "reached")
    ordering = ("id",)


@admin.register(EscalationRun)
class EscalationRunAdmin(ReadOnlyAdmin):
    list_display = ("alert", "number", "policy", "policy_version", "how", "step_no", "next_at", "failures", "began")
    list_filter = ("state", "policy")
    list_select_related = ("alert", "policy")
    inlines = (StepRunInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return EscalationRun.objects.visible_to(request.user)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def how(self, run: EscalationRun) -> SafeString:
        return pill(RUN_PILLS.get(run.state, "quiet"), run.get_state_display())

    @admin.display(description=gettext_lazy("began"), ordering="started_at")
    def began(self, run: EscalationRun) -> SafeString | str:
        return age(run.started_at)


@admin.register(PolicyStep)
class PolicyStepAdmin(ReadOnlyAdmin):
    list_display = ("policy", "position", "kind", "wait_s", "repeat_times")
    list_filter = ("kind",)
    list_select_related = ("policy",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return PolicyStep.objects.filter(policy__in=EscalationPolicy.objects.visible_to(request.user))


@admin.register(StepRun)
class StepRunAdmin(ReadOnlyAdmin):
    list_display = ("run", "loop", "step_no", "repeat_no", "kind", "due_at", "ran_at", "outcome", "reached")
    list_filter = ("outcome", "kind")
    list_select_related = ("run",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return StepRun.objects.filter(run__in=EscalationRun.objects.visible_to(request.user))


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("name", "last", "facts")

    @admin.display(description=gettext_lazy("last beat"), ordering="beat_at")
    def last(self, beat: Heartbeat) -> SafeString | str:
        return age(beat.beat_at)
