"""The command centre's screens of channels: how each has been doing, its limits, switching it off; and browsers that take push messages."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from alerts.channels import registry
from alerts.models import ChannelHealth, PushSubscription
from alerts.services.channels import switch_off, switch_on
from core.admin_kit import ActsOnRows, Ask, CentreAdmin, ReadOnlyAdmin, ReasonForm, age, bdi, pill

KINDS = {"ok": "ok", "shaky": "warn", "down": "bad"}


@admin.register(ChannelHealth)
class ChannelHealthAdmin(ActsOnRows, CentreAdmin):
    list_display = ["channel", "state_shown", "set_up", "off_because", "last_ok_shown", "last_failed_shown", "last_error"]
    ordering = ["channel"]
    fields = [
        "channel",
        "state",
        "is_off",
        "off_because",
        "last_ok_at",
        "last_failed_at",
        "last_error",
        "fail_streak",
        "per_minute",
        "per_recipient_hour",
    ]
    readonly_fields = ["channel", "state", "is_off", "off_because", "last_ok_at", "last_failed_at", "last_error", "fail_streak"]
    actions: Any = ["off", "on"]
    object_actions = ["off", "on"]

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_shown(self, row: ChannelHealth) -> Any:
        return pill("warn", _("Switched off")) if row.is_off else pill(KINDS.get(row.state, "plain"), row.get_state_display())

    @admin.display(description=gettext_lazy("set up"))
    def set_up(self, row: ChannelHealth) -> Any:
        return (
            _("yes")
            if registry.sender_of(row.channel) is not None
            else bdi(" | ".join(", ".join(names) for names in registry.lacking(row.channel)))
        )

    @admin.display(description=gettext_lazy("last worked at"), ordering="last_ok_at")
    def last_ok_shown(self, row: ChannelHealth) -> Any:
        return age(row.last_ok_at)

    @admin.display(description=gettext_lazy("last failed at"), ordering="last_failed_at")
    def last_failed_shown(self, row: ChannelHealth) -> Any:
        return age(row.last_failed_at)

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return isinstance(request.user, User) and request.user.can("manage_alerts")

    @admin.action(description=gettext_lazy("Switch off…"), permissions=["manage"])
    def off(self: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request, queryset, form=ReasonForm, title=_("Switch channels off"), button=_("Switch off"),
            note=_("What is due on it takes the next channel at once. Tests still go."), is_grave=True,
            perform=lambda row, answers: switch_off(by=request.user, channel=row.channel, because=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d channel was switched off.", "%(n)d channels were switched off.", count) % {"n": count},
        )  # fmt: skip

    @admin.action(description=gettext_lazy("Switch on again"), permissions=["manage"])
    def on(self: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request, queryset, form=Ask, title=_("Switch channels on again"), button=_("Switch on again"),
            perform=lambda row, answers: switch_on(by=request.user, channel=row.channel),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d channel was switched on.", "%(n)d channels were switched on.", count) % {"n": count},
        )  # fmt: skip


@admin.register(PushSubscription)
class PushSubscriptionAdmin(ReadOnlyAdmin):
    """Neither address nor keys are shown: whoever has them can write to that browser."""

    list_display = ["user", "browser", "created_at", "last_ok_at", "gone_at"]
    list_select_related = ["user"]
    list_filter = ["gone_at"]
    search_fields = ["user__username"]
    ordering = ["-id"]
    fields = ["user", "browser", "created_at", "last_ok_at", "gone_at"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        agencies = viewer.jurisdiction.agency_ids
        return rows if agencies is None else rows.filter(user__agency_id__in=agencies)
