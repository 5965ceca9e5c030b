"""Plans, their routes and stops, what people changed, and coverage studies: to be read; the board is where they are worked on."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from core.admin_kit import ReadOnlyAdmin, as_json, pill
from patrol.models import CoverageStudy, Plan, PlanChange, PlanRoute, PlanStop

TONES = {"published": "ok", "reviewed": "ok", "draft": "warn", "superseded": "quiet", "discarded": "quiet"}


class SeenInPlace(ReadOnlyAdmin):
    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]


def _to_board(plan_id: int) -> Any:
    try:
        return format_html('<a href="{}">{}</a>', reverse("plans-one", args=[plan_id]), _("Open the planning board"))
    except NoReverseMatch:
        return "–"


@admin.register(Plan)
class PlanAdmin(SeenInPlace):
    list_display = [
        "shift",
        "version",
        "agency",
        "governorate",
        "state_shown",
        "making",
        "violations",
        "provider",
        "created_by",
        "created_at",
    ]
    list_filter = ["state", "making", "agency", "governorate"]
    list_select_related = ["shift", "agency", "governorate", "created_by"]
    date_hierarchy = "created_at"
    ordering = ["-id"]
    fields = [
        "board", "shift", "version", "edition", "parent", "agency", "governorate", "state_shown", "making", "failure", "handover", "seed",
        "provider", "figures_shown", "verdict_shown", "unserved_shown", "demand_shown", "code_version", "created_by", "created_at",
        "reviewed_by", "reviewed_at", "published_by", "published_at", "superseded_at", "is_synthetic",
    ]  # fmt: skip

    def get_queryset(self, request: Any) -> models.QuerySet:
        return super().get_queryset(request).defer("governorate__boundary", "parameters")

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, plan: Plan) -> Any:
        return pill(TONES.get(plan.state, "quiet"), plan.get_state_display())

    @admin.display(description=_("violations"))
    def violations(self, plan: Plan) -> Any:
        return pill("bad", len(plan.verdict)) if plan.verdict else "0"

    @admin.display(description=_("planning board"))
    def board(self, plan: Plan) -> Any:
        return _to_board(plan.pk)

    @admin.display(description=_("figures"))
    def figures_shown(self, plan: Plan) -> Any:
        return as_json(plan.figures)

    @admin.display(description=_("verdict of the checker"))
    def verdict_shown(self, plan: Plan) -> Any:
        return as_json(plan.verdict)

    @admin.display(description=_("not served, and why"))
    def unserved_shown(self, plan: Plan) -> Any:
        return as_json(plan.unserved[:50])

    @admin.display(description=_("demand and its parts"))
    def demand_shown(self, plan: Plan) -> Any:
        return as_json({name: plan.demand.get(name) for name in ("from", "to", "weights", "notes", "provenance")})


@admin.register(PlanRoute)
class PlanRouteAdmin(SeenInPlace):
    list_display = ["plan", "unit", "starts_at", "ends_at", "break_from", "kilometres", "minutes"]
    list_filter = ["plan__state", "plan__agency", "plan__governorate"]
    list_select_related = ["plan", "unit"]
    search_fields = ["unit__call_sign"]
    fields = [
        "board", "plan", "unit", "start_station", "end_station", "starts_at", "ends_at", "break_from", "break_to", "patrol_share",
        "kilometres", "drive_s", "minutes",
    ]  # fmt: skip

    @admin.display(description=_("planning board"))
    def board(self, route: PlanRoute) -> Any:
        return _to_board(route.plan_id)

    @admin.display(description=_("kilometres"), ordering="distance_m")
    def kilometres(self, route: PlanRoute) -> str:
        return f"{route.distance_m / 1000:.1f}"

    @admin.display(description=_("minutes at stops"), ordering="dosage_s")
    def minutes(self, route: PlanRoute) -> str:
        return f"{route.dosage_s / 60:.0f}"


@admin.register(PlanStop)
class PlanStopAdmin(SeenInPlace):
    list_display = ["plan", "unit", "sequence", "area", "arrive_at", "leave_at", "reason", "category", "is_fixed"]
    list_filter = ["reason", "is_fixed", "plan__state", "plan__agency"]
    list_select_related = ["plan", "route__unit", "area"]
    date_hierarchy = "arrive_at"
    fields = [
        "board", "plan", "unit", "sequence", "visit", "place", "area", "arrive_at", "leave_at", "travel_s", "radius_m", "weight", "reason",
        "category", "tactics", "is_fixed",
    ]  # fmt: skip

    def get_queryset(self, request: Any) -> models.QuerySet:
        return super().get_queryset(request).defer("area__boundary")

    @admin.display(description=_("planning board"))
    def board(self, stop: PlanStop) -> Any:
        return _to_board(stop.plan_id)

    @admin.display(description=_("unit"), ordering="route__unit__call_sign")
    def unit(self, stop: PlanStop) -> str:
        return stop.route.unit.call_sign


@admin.register(PlanChange)
class PlanChangeAdmin(SeenInPlace):
    list_display = ["plan", "kind", "by", "at", "reason"]
    list_filter = ["kind", "plan__agency"]
    list_select_related = ["plan", "by"]
    date_hierarchy = "at"
    fields = ["board", "plan", "kind", "by", "at", "reason", "before_shown", "after_shown", "verdict_shown"]

    @admin.display(description=_("planning board"))
    def board(self, change: PlanChange) -> Any:
        return _to_board(change.plan_id)

    @admin.display(description=_("before"))
    def before_shown(self, change: PlanChange) -> Any:
        return as_json(change.before)

    @admin.display(description=_("after"))
    def after_shown(self, change: PlanChange) -> Any:
        return as_json(change.after)

    @admin.display(description=_("verdict of the checker"))
    def verdict_shown(self, change: PlanChange) -> Any:
        return as_json(change.verdict)


@admin.register(CoverageStudy)
class CoverageStudyAdmin(SeenInPlace):
    list_display = ["kind", "name", "agency", "governorate", "at", "gap_shown", "seconds", "provider", "created_by"]
    list_filter = ["kind", "agency", "governorate"]
    list_select_related = ["agency", "governorate", "created_by"]
    search_fields = ["name"]
    date_hierarchy = "at"
    fields = ["kind", "name", "agency", "governorate", "at", "gap_shown", "seconds", "provider", "inputs_shown", "result_shown",
              "created_by",               "created_at", "is_synthetic"]  # fmt: skip

    def get_queryset(self, request: Any) -> models.QuerySet:
        return super().get_queryset(request).defer("governorate__boundary")

    @admin.display(description=_("proven gap"), ordering="gap")
    def gap_shown(self, study: CoverageStudy) -> str:
        return "–" if study.gap is None else f"{100 * study.gap:.2f} %"

    @admin.display(description=_("made from"))
    def inputs_shown(self, study: CoverageStudy) -> Any:
        return as_json(study.inputs)

    @admin.display(description=_("result"))
    def result_shown(self, study: CoverageStudy) -> Any:
        return as_json({name: value for name, value in study.result.items() if name != "cells"})
