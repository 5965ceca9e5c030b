"""Hot spots and their tracks: to be read, with what each was told and what became of it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from core.admin_kit import ReadOnlyAdmin, ReadOnlyInline, as_json, pill
from core.admin_map import MapMedia, shape_map
from incidents.admin.analytics import StandingNow
from incidents.admin.holding_back import HoldsBack
from incidents.models import HotSpot, HotSpotTrack

KIND_OF_CHANGE = {"born": "busy", "grown": "busy", "merged": "busy", "split": "busy", "returned": "busy"}


def change_pill(spot: HotSpot) -> Any:
    return pill(KIND_OF_CHANGE.get(spot.change, "quiet"), spot.get_change_display()) if spot.change else "–"


def ratio_words(spot: HotSpot) -> str:
    if spot.rate_ratio is None:
        return "–"
    return f"×{spot.rate_ratio:.2f} ({spot.rate_ratio_low:.2f} – {spot.rate_ratio_high:.2f})"


class Significance(admin.SimpleListFilter):
    title = _("significance")
    parameter_name = "significance"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [("yes", _("stands out")), ("no", _("may be chance"))]

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        if self.value() == "yes":
            return queryset.filter(q_value__lte=HotSpot.SIGNIFICANT_Q)
        return queryset.filter(q_value__gt=HotSpot.SIGNIFICANT_Q) if self.value() == "no" else queryset


@admin.register(HotSpot)
class HotSpotAdmin(HoldsBack, MapMedia, ReadOnlyAdmin):
    list_display = [
        "rank_shown",
        "area",
        "governorate",
        "category",
        "incident_count",
        "change_shown",
        "ratio",
        "significance",
        "standing",
        "track",
        "run",
    ]
    list_filter = [StandingNow, Significance, "change", "category", "region"]
    search_fields = ["area__name_en", "area__name_ar", "governorate__name_en", "governorate__name_ar", "category"]
    date_hierarchy = "window_to"
    ordering = ["-id"]
    exclude = ["hull", "centre", "leading_types", "previous_counts"]
    readonly_fields = ["page", "outline", "leading", "before"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        rows = super().get_queryset(request).select_related("area", "governorate", "region", "run", "track")
        return rows.defer("area__boundary", "governorate__boundary")

    @admin.display(description=_("rank"), ordering="rank")
    def rank_shown(self, spot: HotSpot) -> str:
        return f"#{spot.rank}"

    @admin.display(description=_("change"), ordering="change")
    def change_shown(self, spot: HotSpot) -> Any:
        return change_pill(spot)

    @admin.display(description=_("rate ratio"), ordering="rate_ratio")
    def ratio(self, spot: HotSpot) -> str:
        return ratio_words(spot)

    @admin.display(description=_("significance"), ordering="q_value")
    def significance(self, spot: HotSpot) -> Any:
        if spot.q_value is None:
            return "–"
        return pill("ok", _("stands out")) if spot.q_value <= HotSpot.SIGNIFICANT_Q else pill("quiet", _("may be chance"))

    @admin.display(description=_("standing"), ordering="is_current")
    def standing(self, spot: HotSpot) -> Any:
        return pill("ok", _("now")) if spot.is_current else pill("quiet", _("past"))

    @admin.display(description=_("outline"))
    def outline(self, spot: HotSpot) -> Any:
        return shape_map(spot.hull)

    @admin.display(description=_("leading types"))
    def leading(self, spot: HotSpot) -> Any:
        return as_json(spot.leading_types)

    @admin.display(description=_("incidents in the windows before"))
    def before(self, spot: HotSpot) -> str:
        return ", ".join("–" if count is None else str(count) for count in spot.previous_counts) or "–"

    @admin.display(description=_("why"))
    def page(self, spot: HotSpot) -> Any:
        return format_html('<a href="{}">{}</a>', reverse("hotspots-one", args=[spot.pk]), _("Why is it hot?"))


class SightingInline(ReadOnlyInline):
    """The last of them; the list of hot spots has them all."""

    model = HotSpot
    fk_name = "track"
    verbose_name_plural = _("sightings")
    fields = ["window_to", "change", "rank", "incident_count", "area_km2", "ratio", "q_value", "run"]
    readonly_fields = ["ratio"]
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        rows = HotSpot.objects.visible_to(request.user).select_related("run").defer("hull")
        newest = rows.filter(track=models.OuterRef("track")).order_by("-window_to", "-pk").values("pk")[:60]
        return rows.filter(pk__in=models.Subquery(newest)).order_by("-window_to", "-pk")

    @admin.display(description=_("rate ratio"))
    def ratio(self, spot: HotSpot) -> str:
        return ratio_words(spot)


class Living(admin.SimpleListFilter):
    title = _("standing")
    parameter_name = "living"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [("yes", _("now")), ("no", _("gone"))]

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        return queryset.filter(gone_at__isnull=self.value() == "yes") if self.value() else queryset


@admin.register(HotSpotTrack)
class HotSpotTrackAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "region", "category", "born_at", "last_seen_at", "standing", "merged_into", "split_from"]
    list_filter = [Living, "category", "region"]
    search_fields = ["=id", "category"]
    date_hierarchy = "born_at"
    ordering = ["-last_seen_at", "-id"]
    list_select_related = ["region", "merged_into", "split_from"]
    inlines = [SightingInline]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        """A track is where its sightings are: whoever may see one of them may see it."""
        seen = HotSpot.objects.visible_to(viewer).filter(track=models.OuterRef("pk"))
        return rows.filter(models.Exists(seen))

    @admin.display(description=_("standing"), ordering="gone_at")
    def standing(self, track: HotSpotTrack) -> Any:
        if track.gone_at is None:
            return pill("ok", _("now"))
        return pill("quiet", _("merged") if track.merged_into_id else _("gone"))
