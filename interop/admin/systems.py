"""The registry of external systems: whose, whom to call, whether they answer, and how that went."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.admin_kit import ActsOnRows, Ask, CentreAdmin, ReadOnlyAdmin, ReadOnlyInline, age, bdi, pill
from interop.admin.limits import When
from interop.models import ExternalSystem, SystemProbe
from interop.services.systems import Trend, check_system, trends

STATE = {"unknown": "quiet", "up": "ok", "down": "bad"}
SHOWN_PROBES = 20


class ProbeInline(ReadOnlyInline):
    model = SystemProbe
    fields = ["at", "is_ok", "ms", "code", "error", "detail"]
    verbose_name_plural = gettext_lazy("the latest probes")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        rows = super().get_queryset(request)
        of = request.resolver_match.kwargs.get("object_id", "") if request.resolver_match else ""
        latest = SystemProbe.objects.filter(system=int(of) if of.isdigit() else 0).order_by("-id").values("pk")[:SHOWN_PROBES]
        return rows.filter(pk__in=list(latest.values_list("pk", flat=True))).order_by("-id")


@admin.register(ExternalSystem)
class SystemAdmin(ActsOnRows, CentreAdmin):
    list_display = ["name", "agency", "kind", "stands", "since", "trend", "answer_ms", "looked"]
    list_filter = ["state", "kind", "agency", "is_active"]
    list_select_related = ["agency"]
    search_fields = ["name", "base_url", "contact"]
    ordering = ["name"]
    autocomplete_fields = ["agency", "partner"]
    inlines = [ProbeInline]
    actions = ["look_now"]
    object_actions = ["look_now"]
    fieldsets = [
        (None, {"fields": ["name", "agency", "kind", "base_url", "contact", "is_active", "is_synthetic"]}),
        (
            gettext_lazy("How it is looked at"),
            {"fields": ["probe", "health_url", "host", "port", "partner", "heard_within_min", "every_s", "timeout_s", "failures_to_down"]},
        ),
    ]
    seen = ["stands", "state_since", "trend", "answer_ms", "error_shown", "last_probe_at", "last_up_at", "failures"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj is not None else []

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj is None else [(gettext_lazy("How it stands"), {"fields": self.seen}), *self.fieldsets]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.seen

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        check_system(obj)
        if change and set(form.changed_data) & {"probe", "health_url", "host", "port", "partner", "every_s", "is_active"}:
            obj.next_probe_at = None
        super().save_model(request, obj, form, change)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes = super().get_changelist_instance(request)
        known = trends([row.pk for row in changes.result_list])
        for row in changes.result_list:
            row.trend_known = known[row.pk]
        return changes

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def stands(self, system: ExternalSystem) -> Any:
        if not system.is_active:
            return pill("quiet", _("switched off"))
        if system.state == ExternalSystem.State.UP and system.failures:
            return pill("warn", _("missed a look"))
        return pill(STATE[system.state], system.get_state_display())

    @admin.display(description=gettext_lazy("since"), ordering="state_since")
    def since(self, system: ExternalSystem) -> Any:
        return age(system.state_since)

    @admin.display(description=gettext_lazy("last looked at"), ordering="last_probe_at")
    def looked(self, system: ExternalSystem) -> Any:
        return age(system.last_probe_at)

    @admin.display(description=gettext_lazy("last error"))
    def error_shown(self, system: ExternalSystem) -> Any:
        error, _space, detail = system.last_error.partition(" ")
        if error not in SystemProbe.Error.values or not error:
            return "–"
        return format_html("{} <bdi>{}</bdi>", SystemProbe.Error(error).label, detail)

    @admin.display(description=gettext_lazy("answered, last day (week before)"))
    def trend(self, system: ExternalSystem) -> Any:
        known = self._trend(system)
        return _pair(_share(known.answered_share), _share(known.earlier_share))

    @admin.display(description=gettext_lazy("median ms, last day (week before)"))
    def answer_ms(self, system: ExternalSystem) -> Any:
        known = self._trend(system)
        return _pair(_ms(known.median_ms), _ms(known.earlier_ms))

    @staticmethod
    def _trend(system: ExternalSystem) -> Trend:
        known = getattr(system, "trend_known", None)
        return known if known is not None else trends([system.pk])[system.pk]

    @admin.action(description=gettext_lazy("Look now"), permissions=["change"])
    def look_now(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=Ask,
            title=_("Look at systems now"),
            button=_("Look now"),
            note=_("Within ten seconds, instead of when their turn comes."),
            perform=lambda row, _answers: ExternalSystem.objects.filter(pk=row.pk).update(next_probe_at=None),
            done=lambda count: ngettext("%(n)d system is looked at.", "%(n)d systems are looked at.", count) % {"n": count},
        )


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.1f} %"


def _ms(ms: float | None) -> str:
    return "–" if ms is None else f"{ms:,.0f}"


def _pair(lately: str, earlier: str) -> Any:
    return format_html("<bdi>{}</bdi> (<bdi>{}</bdi>)", lately, earlier)


@admin.register(SystemProbe)
class ProbeAdmin(ReadOnlyAdmin):
    list_display = ["at", "system", "found", "ms", "code", "error", "detail_shown"]
    list_filter = [When, "system", "is_ok", "error"]
    list_select_related = ["system"]
    ordering = ["-id"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("found"), ordering="is_ok")
    def found(self, probe: SystemProbe) -> Any:
        return pill("ok", _("answers")) if probe.is_ok else pill("bad", _("does not answer"))

    @admin.display(description=gettext_lazy("detail"))
    def detail_shown(self, probe: SystemProbe) -> Any:
        return bdi(probe.detail) if probe.detail else "–"
