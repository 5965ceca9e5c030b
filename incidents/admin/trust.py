"""Choices, scores, cards, switches, suppressions, handovers: to be read."""

from __future__ import annotations

from django.contrib import admin

from core.admin_kit import ReadOnlyAdmin
from incidents.admin.analytics import StandingNow
from incidents.models import Handover, ModelCard, ModelChoice, ModelSwitch, Score, Suppression


@admin.register(ModelChoice)
class ModelChoiceAdmin(ReadOnlyAdmin):
    list_display = ["predicts", "level", "category", "published", "champion", "best_baseline", "beats_baseline", "run"]
    list_filter = [StandingNow, "predicts", "level", "beats_baseline", "region"]
    list_select_related = ["run"]
    ordering = ["-id"]


@admin.register(Score)
class ScoreAdmin(ReadOnlyAdmin):
    list_display = ["predicts", "level", "category", "zone", "model", "role", "valid_from", "valid_to", "incident_count"]
    list_filter = ["predicts", "level", "role", "model", "region"]
    list_select_related = ["zone"]
    ordering = ["-id"]


@admin.register(ModelCard)
class ModelCardAdmin(ReadOnlyAdmin):
    list_display = ["model", "region", "run", "created_at"]
    list_filter = ["model", "region"]
    list_select_related = ["run", "region"]
    ordering = ["-id"]


@admin.register(ModelSwitch)
class ModelSwitchAdmin(ReadOnlyAdmin):
    list_display = ["model", "is_on", "reason", "changed_by", "changed_at"]
    list_filter = ["is_on"]
    list_select_related = ["changed_by"]
    ordering = ["model"]


@admin.register(Suppression)
class SuppressionAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "governorate", "category", "reason", "created_by", "created_at", "expires_at", "lifted_at"]
    list_filter = ["category", "region"]
    list_select_related = ["governorate", "created_by"]
    ordering = ["-id"]
    exclude = ["centre"]


@admin.register(Handover)
class HandoverAdmin(ReadOnlyAdmin):
    list_display = ["surface", "governorate", "shift_from", "shift_to", "capped", "suppressed", "requested_by"]
    list_select_related = ["surface", "governorate", "requested_by"]
    ordering = ["-id"]
    exclude = ["columns", "rows", "reasons"]
