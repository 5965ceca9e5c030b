"""What sensors say of places: scores, crowds and insights, as services wrote them. An insight is dismissed here or on its page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.admin_kit import ActsOnRows, OptionalReasonForm, ReadOnlyAdmin, age, as_json, bdi, pill
from iot.admin.devices import OfDeviceAdmin
from iot.models import BatteryDay, CrowdResult, CrowdRun, Insight, RiskMaking, ZoneRisk
from iot.services.insights import dismiss_insight
from iot.words import PARTS, note_of, sentence_of

VERDICT = {"evidence": "warn", "no_evidence": "quiet", "too_little": "quiet"}
WEIGHT = {1: "quiet", 2: "warn", 3: "bad"}


class OfPlaceAdmin(ReadOnlyAdmin):
    list_select_related = ["zone", "agency"]

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.visible_to(viewer).defer("zone__boundary")
        return found

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return list(self.readonly_fields)

    @admin.display(description=gettext_lazy("zone"))
    def zone_name(self, row: Any) -> str:
        return str(row.zone or "–")


@admin.register(ZoneRisk)
class ZoneRiskAdmin(OfPlaceAdmin):
    list_display = ["zone_name", "agency", "shown", "at", "checked", "heard", "is_current", "is_synthetic"]
    list_filter = ["is_current", "agency", "is_synthetic"]
    search_fields = ["zone__name_en", "zone__name_ar", "zone__code"]
    date_hierarchy = "at"
    ordering = ["-at", "-pk"]
    readonly_fields = [
        "zone_name", "agency", "shown", "at", "checked_at", "parts_shown", "notes_shown", "devices_shown", "heard",
        "spread", "making", "digest", "is_current", "is_synthetic",
    ]  # fmt: skip

    @admin.display(description=gettext_lazy("score"), ordering="score")
    def shown(self, row: ZoneRisk) -> str:
        return "–" if row.score is None else f"{row.score:.1f}"

    @admin.display(description=gettext_lazy("held at"), ordering="checked_at")
    def checked(self, row: ZoneRisk) -> Any:
        return age(row.checked_at)

    @admin.display(description=gettext_lazy("parts"))
    def parts_shown(self, row: ZoneRisk) -> SafeString:
        return format_html_join(
            "", "<p><b>{}</b> {} / {}</p>{}",
            ((PARTS.get(one["name"], one["name"]), f"{one['points']:.2f}", one["most"], as_json(one["evidence"])) for one in row.parts),
        )  # fmt: skip

    @admin.display(description=gettext_lazy("what is missing"))
    def notes_shown(self, row: ZoneRisk) -> str:
        return " ".join(note_of(note) for note in row.notes) or "–"

    @admin.display(description=gettext_lazy("devices by kind"))
    def devices_shown(self, row: ZoneRisk) -> Any:
        return as_json(row.devices)


@admin.register(RiskMaking)
class RiskMakingAdmin(ReadOnlyAdmin):
    list_display = ["short", "code_version", "first_used_at"]
    readonly_fields = ["digest", "content_shown", "code_version", "first_used_at"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return list(self.readonly_fields)

    @admin.display(description=gettext_lazy("digest"))
    def short(self, making: RiskMaking) -> Any:
        return bdi(making.digest[:12])

    @admin.display(description=gettext_lazy("how it is made"))
    def content_shown(self, making: RiskMaking) -> Any:
        return as_json(making.content)


@admin.register(CrowdRun)
class CrowdRunAdmin(ReadOnlyAdmin):
    list_display = ["at", "since", "until", "looked_at", "judged", "found", "seconds"]
    date_hierarchy = "at"
    readonly_fields = ["at", "since", "until", "looked_at", "judged", "found", "settings_shown", "seconds", "code_version"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return list(self.readonly_fields)

    @admin.display(description=gettext_lazy("settings"))
    def settings_shown(self, run: CrowdRun) -> Any:
        return as_json(run.settings)


@admin.register(CrowdResult)
class CrowdResultAdmin(OfPlaceAdmin):
    list_display = ["zone_name", "agency", "type", "judged", "ratio_shown", "after_crowds", "other", "weeks", "run"]
    list_filter = ["verdict", "agency", "is_synthetic"]
    list_select_related = ["zone", "agency", "type", "run"]
    search_fields = ["zone__name_en", "zone__name_ar", "type__code"]
    readonly_fields = [
        "run", "zone_name", "agency", "type", "judged", "why", "ratio_shown", "p", "q", "after_crowds", "hours_after", "other",
        "hours_other", "expected", "weeks", "lag_h", "sensors", "is_synthetic",
    ]  # fmt: skip

    @admin.display(description=gettext_lazy("verdict"), ordering="verdict")
    def judged(self, row: CrowdResult) -> Any:
        return pill(VERDICT[row.verdict], row.get_verdict_display())

    @admin.display(description=gettext_lazy("rate ratio"), ordering="ratio")
    def ratio_shown(self, row: CrowdResult) -> Any:
        return "–" if row.ratio is None else bdi(f"{row.ratio:.2f} ({row.low:.2f}–{row.high:.2f})")


@admin.register(Insight)
class InsightAdmin(ActsOnRows, OfPlaceAdmin):
    list_display = ["weight_shown", "said", "zone_name", "device", "agency", "standing", "first_at", "last_at"]
    list_filter = ["code", "weight", "agency", "is_synthetic"]
    list_select_related = ["zone", "agency", "device"]
    search_fields = ["device__code", "zone__name_en", "zone__name_ar"]
    date_hierarchy = "first_at"
    readonly_fields = [
        "code", "said", "weight_shown", "standing", "zone_name", "device", "agency", "first_at", "last_at", "expires_at", "ended_at",
        "dismissed_at", "dismissed_by", "reason", "figures", "evidence_shown", "is_synthetic",
    ]  # fmt: skip
    actions = ["dismiss"]
    object_actions = ["dismiss"]

    def has_dismiss_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("dismiss_insights")

    @admin.display(description=gettext_lazy("insight"))
    def said(self, row: Insight) -> Any:
        label, sentence = row.get_code_display(), sentence_of(row.code, row.params)
        return format_html("<b>{}</b> {}", label, sentence)

    @admin.display(description=gettext_lazy("weight"), ordering="weight")
    def weight_shown(self, row: Insight) -> Any:
        return pill(WEIGHT[row.weight], row.get_weight_display())

    @admin.display(description=gettext_lazy("standing"))
    def standing(self, row: Insight) -> Any:
        if row.ended_at is not None:
            return pill("quiet", _("over"))
        return pill("quiet", _("dismissed")) if row.dismissed_at is not None else pill("warn", _("goes on"))

    @admin.display(description=gettext_lazy("figures"))
    def figures(self, row: Insight) -> Any:
        return as_json(row.params)

    @admin.display(description=gettext_lazy("evidence"))
    def evidence_shown(self, row: Insight) -> Any:
        return as_json(row.evidence)

    @admin.action(description=gettext_lazy("Dismiss…"), permissions=["dismiss"])
    def dismiss(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=OptionalReasonForm,
            title=_("Dismiss insights"),
            button=_("Dismiss"),
            note=_("They are not shown again while the same thing goes on."),
            perform=lambda insight, answers: dismiss_insight(insight=insight, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d insight was dismissed.", "%(n)d insights were dismissed.", count) % {"n": count},
        )


@admin.register(BatteryDay)
class BatteryDayAdmin(OfDeviceAdmin):
    list_display = ["device_code", "day", "level_pct"]
    list_select_related = ["device"]
    search_fields = ["device__code"]
    date_hierarchy = "day"
    readonly_fields = ["device_code", "day", "level_pct"]
