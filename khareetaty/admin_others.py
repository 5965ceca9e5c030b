"""Third-party models in the command centre: on our base, with our templates, and only those that mean something here."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from axes.utils import reset
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_celery_beat.admin import ClockedScheduleAdmin, CrontabScheduleAdmin, IntervalScheduleAdmin, PeriodicTaskAdmin
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from rest_framework_api_key.models import APIKey

from core import audit
from core.admin_kit import ActsOnRows, Ask, CentreAdmin, ReadOnlyAdmin, age, bdi, pill


class _SignIns(ReadOnlyAdmin):
    search_fields = ["username", "ip_address"]
    search_help_text = gettext_lazy("User name or address.")
    ordering = ["-id"]
    exclude = ["get_data", "post_data", "session_hash"]

    @admin.display(description=gettext_lazy("user name"), ordering="username")
    def who(self, row: Any) -> Any:
        return bdi(row.username or "–")

    @admin.display(description=gettext_lazy("age"), ordering="attempt_time")
    def when(self, row: Any) -> Any:
        return age(row.attempt_time)


class AttemptAdmin(ActsOnRows, _SignIns):
    """Sign-ins that keep failing. Five lock the name from that address; a super administrator may lift it."""

    list_display = ["who", "ip_address", "failures_since_start", "when"]
    date_hierarchy = "attempt_time"
    actions = ["unlock"]
    object_actions = ["unlock"]

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("manage_people")

    @admin.action(description=gettext_lazy("Lift the lock…"), permissions=["manage"])
    def unlock(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        def lift(attempt: Any, answers: dict[str, Any]) -> None:
            reset(username=attempt.username, ip=attempt.ip_address)
            audit.record("account.unlock", by=request.user, after={"username": attempt.username, "address": attempt.ip_address})

        return self.act(
            request,
            queryset,
            form=Ask,
            title=_("Lift the lock on sign-ins"),
            button=_("Lift the lock"),
            perform=lift,
            done=lambda count: ngettext("%(n)d lock was lifted.", "%(n)d locks were lifted.", count) % {"n": count},
        )


class FailureAdmin(_SignIns):
    list_display = ["who", "ip_address", "locked", "when"]
    list_filter = ["locked_out"]
    date_hierarchy = "attempt_time"

    @admin.display(description=gettext_lazy("outcome"), ordering="locked_out")
    def locked(self, row: Any) -> Any:
        return pill("bad", _("locked out")) if row.locked_out else pill("warn", _("refused"))


class SignInLogAdmin(_SignIns):
    list_display = ["who", "ip_address", "when", "logout_time"]
    date_hierarchy = "attempt_time"


class PeriodicAdmin(CentreAdmin, PeriodicTaskAdmin):
    list_display = ["name", "enabled", "scheduler", "last_run", "total_run_count"]
    list_filter = ["enabled", "one_off"]
    search_fields = ["name", "task"]
    ordering = ["name"]
    date_hierarchy = None
    actions = ["enable_tasks", "disable_tasks"]
    change_form_template = "admin/change_form.html"
    autocomplete_fields = ["interval", "crontab", "clocked"]
    exclude = ["solar"]
    fieldsets = [
        (None, {"fields": ["name", "regtask", "task", "enabled", "description"]}),
        (gettext_lazy("Schedule"), {"fields": ["interval", "crontab", "clocked", "start_time", "last_run_at", "one_off"]}),
        (gettext_lazy("Arguments"), {"fields": ["args", "kwargs"]}),
        (gettext_lazy("Execution"), {"fields": ["expires", "expire_seconds", "queue", "priority"]}),
    ]
    readonly_fields = ["last_run_at"]

    @admin.display(description=gettext_lazy("last run"), ordering="last_run_at")
    def last_run(self, task: Any) -> Any:
        return age(task.last_run_at)


class IntervalAdmin(CentreAdmin, IntervalScheduleAdmin):
    search_fields = ["every", "period"]
    ordering = ["id"]


class CrontabAdmin(CentreAdmin, CrontabScheduleAdmin):
    list_display = ["__str__", "human_readable"]
    search_fields = ["minute", "hour", "day_of_week"]
    list_filter = ()
    ordering = ["id"]


class ClockedAdmin(CentreAdmin, ClockedScheduleAdmin):
    search_fields = ["clocked_time"]
    ordering = ["-clocked_time"]


def register_others(site: admin.AdminSite) -> None:
    """Put third-party models on our base, in place of what their packages registered."""
    ours: dict[Any, Any] = {
        AccessAttempt: AttemptAdmin,
        AccessFailureLog: FailureAdmin,
        AccessLog: SignInLogAdmin,
        PeriodicTask: PeriodicAdmin,
        IntervalSchedule: IntervalAdmin,
        CrontabSchedule: CrontabAdmin,
        ClockedSchedule: ClockedAdmin,
    }
    for model in [*ours, SolarSchedule, Group, APIKey]:  # rights come from roles, keys from ``interop``
        if site.is_registered(model):
            site.unregister(model)
    for model, screens in ours.items():
        site.register(model, screens)
