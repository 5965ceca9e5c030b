"""What the nights learnt of each profile, with what it is worth, or why they could not: to be read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin_kit import ReadOnlyAdmin, as_json, bdi, pill
from iot.models import ProfileFit

STATE = {"fitted": "ok", "too_little": "quiet", "refused": "bad"}


@admin.register(ProfileFit)
class ProfileFitAdmin(ReadOnlyAdmin):
    list_display = ["profile", "version", "at", "stands", "because", "devices", "false_alarms", "is_current", "is_synthetic"]
    list_filter = ["state", "is_current", "profile"]
    list_select_related = ["profile"]
    date_hierarchy = "at"
    ordering = ["-at", "-pk"]
    readonly_fields = [
        "profile", "version", "at", "since", "until", "stands", "because", "devices", "false_alarms", "facts_shown", "short", "is_current",
        "is_synthetic", "seconds", "code_version",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).defer("model")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return list(self.readonly_fields)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def stands(self, fit: ProfileFit) -> Any:
        return pill(STATE[fit.state], fit.get_state_display())

    @admin.display(description=gettext_lazy("why"))
    def because(self, fit: ProfileFit) -> str:
        if not fit.why:
            return "–"
        have, needs = fit.facts.get("have"), fit.facts.get("needs")
        if fit.state != ProfileFit.State.TOO_LITTLE or needs is None:
            return str(fit.get_why_display())
        return _("%(why)s: %(have)s, needs %(needs)s") % {"why": fit.get_why_display(), "have": f"{have:,.0f}", "needs": f"{needs:,.0f}"}

    @admin.display(description=gettext_lazy("false alarms on held-out days"))
    def false_alarms(self, fit: ProfileFit) -> Any:
        """By metric: how many days of a sensor had one, and the share of them that may."""
        rows = [
            (
                bdi(one["metric"]),
                _("%(alarms)s in %(days)s days of sensors; at most 1 in %(bound)s")
                % {"alarms": one["alarms"], "days": f"{one['held_days']:,}", "bound": f"{1 / one['bound']:,.0f}"},
            )
            for one in fit.facts.get("metrics", [])
        ]
        return format_html("{}", format_html_join("", "<p>{} {}</p>", rows)) if rows else "–"

    @admin.display(description=gettext_lazy("facts"))
    def facts_shown(self, fit: ProfileFit) -> Any:
        return as_json(fit.facts)

    @admin.display(description="SHA-256")
    def short(self, fit: ProfileFit) -> Any:
        return bdi(fit.digest[:12]) if fit.digest else "–"
