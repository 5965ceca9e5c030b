"""Choices, scores, cards, handovers: to be read. Models are switched, places held back and lifted, by the services' verbs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.admin_kit import ActsOnRows, ReadOnlyAdmin, age, as_json, bdi, pill
from incidents.admin.analytics import StandingNow
from incidents.admin.holding_back import ShortReasonForm
from incidents.models import Handover, ModelCard, ModelChoice, ModelSwitch, Score, Suppression
from incidents.services.trust.suppressions import lift_suppression
from incidents.services.trust.switches import switch_model


class Switches(ActsOnRows):
    """For lists of rows that name a model: switch it off or on. A name that stands in several rows is switched once."""

    actions: Any = ["switch_off", "switch_on"]
    object_actions = ["switch_off", "switch_on"]

    def has_switch_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("switch_models")

    def _switch(self: Any, request: HttpRequest, queryset: models.QuerySet, *, on: bool) -> HttpResponse | None:
        names = sorted(set(queryset.values_list("model", flat=True)))
        once = [queryset.filter(model=name).order_by("-pk").values_list("pk", flat=True)[0] for name in names]
        return self.act(
            request,
            queryset.filter(pk__in=once),
            form=ShortReasonForm,
            title=_("Switch models on") if on else _("Switch models off"),
            button=_("Switch on") if on else _("Switch off"),
            note=_("It acts at once on every page and in the API, for the whole nation. What it issued stays stored and is scored."),
            is_grave=not on,
            perform=lambda row, answers: switch_model(model=row.model, on=on, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d model was switched.", "%(n)d models were switched.", count) % {"n": count},
        )

    @admin.action(description=gettext_lazy("Switch off…"), permissions=["switch"])
    def switch_off(self: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self._switch(request, queryset, on=False)

    @admin.action(description=gettext_lazy("Switch on…"), permissions=["switch"])
    def switch_on(self: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self._switch(request, queryset, on=True)


@admin.register(ModelChoice)
class ModelChoiceAdmin(ReadOnlyAdmin):
    list_display = ["predicts", "level", "category", "published", "champion", "best_baseline", "beats_baseline", "origins", "run"]
    list_filter = [StandingNow, "predicts", "level", "beats_baseline", "region"]
    list_select_related = ["run"]
    search_fields = ["published", "champion", "best_baseline", "category"]
    ordering = ["-id"]
    exclude = ["reasons", "scores"]
    readonly_fields = ["reasons_shown", "scores_shown"]

    @admin.display(description=gettext_lazy("reasons"))
    def reasons_shown(self, choice: ModelChoice) -> Any:
        return as_json(choice.reasons)

    @admin.display(description=gettext_lazy("scores"))
    def scores_shown(self, choice: ModelChoice) -> Any:
        return as_json(choice.scores)


@admin.register(Score)
class ScoreAdmin(ReadOnlyAdmin):
    list_display = ["predicts", "level", "category", "zone", "model", "role", "valid_from", "valid_to", "incident_count", "main", "kind"]
    list_filter = ["predicts", "level", "role", "is_hindcast", "model", "region"]
    search_fields = ["model", "category", "zone__name_en", "zone__name_ar"]
    date_hierarchy = "valid_to"
    ordering = ["-id"]
    exclude = ["facts"]
    readonly_fields = ["facts_shown"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).select_related("zone", "region", "run").defer("zone__boundary")

    @admin.display(description=gettext_lazy("figure"))
    def main(self, score: Score) -> Any:
        """PAI at 1 % of the area, or the mean CRPS."""
        name, value = (
            ("PAI", (score.facts.get("1") or {}).get("pai")) if score.predicts == "risk" else ("CRPS", score.facts.get("mean_crps"))
        )
        return bdi(f"{name} {value:.2f}") if isinstance(value, int | float) else "–"

    @admin.display(description=gettext_lazy("kind"), ordering="is_hindcast")
    def kind(self, score: Score) -> Any:
        return pill("quiet", _("looks back")) if score.is_hindcast else pill("ok", _("prediction"))

    @admin.display(description=gettext_lazy("figures"))
    def facts_shown(self, score: Score) -> Any:
        return as_json(score.facts)


@admin.register(ModelCard)
class ModelCardAdmin(Switches, ReadOnlyAdmin):
    list_display = ["model", "region", "run", "created_at"]
    list_filter = ["model", "region"]
    list_select_related = ["run", "region"]
    search_fields = ["model"]
    ordering = ["-id"]
    exclude = ["facts"]
    readonly_fields = ["facts_shown"]

    @admin.display(description=gettext_lazy("facts"))
    def facts_shown(self, card: ModelCard) -> Any:
        return as_json(card.facts)


@admin.register(ModelSwitch)
class ModelSwitchAdmin(Switches, ReadOnlyAdmin):
    list_display = ["model", "standing", "reason", "changed_by", "changed"]
    list_filter = ["is_on"]
    list_select_related = ["changed_by"]
    search_fields = ["model", "reason"]
    ordering = ["model"]

    @admin.display(description=gettext_lazy("standing"), ordering="is_on")
    def standing(self, switch: ModelSwitch) -> Any:
        return pill("ok", _("on")) if switch.is_on else pill("bad", _("off"))

    @admin.display(description=gettext_lazy("changed"), ordering="changed_at")
    def changed(self, switch: ModelSwitch) -> Any:
        return age(switch.changed_at)


@admin.register(Suppression)
class SuppressionAdmin(ActsOnRows, ReadOnlyAdmin):
    list_display = ["where", "governorate", "category", "reason", "created_by", "created_at", "expires_at", "standing"]
    list_filter = ["category", "region", "expires_at"]
    search_fields = ["reason", "created_by__username"]
    ordering = ["-id"]
    exclude = ["centre"]
    readonly_fields = ["where"]
    actions = ["lift"]
    object_actions = ["lift"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        rows = super().get_queryset(request).select_related("governorate", "created_by", "lifted_by", "region")
        return rows.defer("governorate__boundary")

    def has_suppress_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("suppress_places")

    @admin.display(description=gettext_lazy("where"))
    def where(self, row: Suppression) -> Any:
        return bdi(f"{row.centre.y:.5f}, {row.centre.x:.5f} ±{row.radius_m:.0f} m")

    @admin.display(description=gettext_lazy("standing"), ordering="expires_at")
    def standing(self, row: Suppression) -> Any:
        if row.lifted_at is not None:
            return pill("quiet", _("lifted"))
        return pill("warn", _("held back")) if row.expires_at > timezone.now() else pill("quiet", _("ended"))

    @admin.action(description=gettext_lazy("Lift before its time…"), permissions=["suppress"])
    def lift(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=ShortReasonForm,
            title=_("Lift suppressions"),
            button=_("Lift"),
            note=_("The places are part of the lists for patrol again."),
            perform=lambda row, answers: lift_suppression(suppression=row, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d suppression was lifted.", "%(n)d suppressions were lifted.", count) % {"n": count},
        )


@admin.register(Handover)
class HandoverAdmin(ReadOnlyAdmin):
    list_display = ["governorate", "shift_from", "shift_to", "cells", "capped", "suppressed", "requested_by"]
    list_filter = ["shift_from"]
    date_hierarchy = "shift_from"
    ordering = ["-id"]
    exclude = ["columns", "rows", "reasons", "parameters", "surface"]
    readonly_fields = ["cells", "parameters_shown"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).select_related("governorate", "requested_by").defer("governorate__boundary")

    @admin.display(description=gettext_lazy("cells"))
    def cells(self, row: Handover) -> int:
        return len(row.columns)

    @admin.display(description=gettext_lazy("parameters"))
    def parameters_shown(self, row: Handover) -> Any:
        return as_json(row.parameters)
