"""Escalation in the command centre: policies as sentences, runs with their steps, heartbeats.

A policy is written on its own page (/alerts/policies/), where each step is checked together with the others and it is told beforehand
whom it would page; here it is read, with a link there.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from alerts.models import EscalationPolicy, EscalationRun, Heartbeat, PolicyStep, StepRun
from alerts.services.escalation.checking import check
from alerts.services.escalation.snapshot import policy_of, step_of
from alerts.services.escalation.wording import endings, sentence
from core.admin_kit import ReadOnlyAdmin, ReadOnlyInline, age, pill

RUN_PILLS = {"running": "busy", "paused": "warn", "done": "ok", "stopped": "quiet"}


@admin.register(EscalationPolicy)
class EscalationPolicyAdmin(ReadOnlyAdmin):
    list_display = ("code", "name_en", "name_ar", "agency", "version", "is_active", "page")
    list_filter = ("is_active", "agency")
    list_select_related = ("agency",)
    search_fields = ("code", "name_en", "name_ar")
    fields = (
        "code", "name_en", "name_ar", "agency", "description", "is_active", "version", "in_words", "to_mind", "repeat_times",
        "repeat_wait_s", "remind_after_min", "fallback_user", "fallback_contact", "ladder", "page",
    )  # fmt: skip
    readonly_fields = fields

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
