"""Surfaces and near-repeat tests: to be read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.gis.geos import MultiPolygon, Polygon
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from core.admin_kit import ReadOnlyAdmin, as_json, pill
from core.admin_map import MapMedia, shape_map
from incidents.admin.analytics import StandingNow
from incidents.models import NearRepeat, Surface
from incidents.services.surfaces import Sight, sight

MAPPED = 400  # cells a small map shows, the highest values first


@admin.register(Surface)
class SurfaceAdmin(MapMedia, ReadOnlyAdmin):
    list_display = ["kind", "region", "category", "horizon", "role", "model", "learnt_to", "valid_to", "standing"]
    list_filter = [StandingNow, "kind", "horizon", "role", "model", "region"]
    list_select_related = ["region"]
    date_hierarchy = "learnt_to"
    ordering = ["-id"]
    fields = [
        "kind",
        "region",
        "category",
        "horizon",
        "role",
        "model",
        "standing",
        "outstanding",
        "cells",
        "run",
        "learnt_from",
        "learnt_to",
        "valid_from",
        "valid_to",
        "cell_m",
        "srid",
        "parameters_shown",
        "is_synthetic",
    ]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).without_cells()  # type: ignore[attr-defined]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Surface | None:
        found: Surface | None = super().get_object(request, object_id, from_field)
        if found is not None:
            found.refresh_from_db(fields=sorted(found.get_deferred_fields()))
            found.seen = sight(request.user, found)  # type: ignore[attr-defined]
        return found

    @admin.display(description=_("standing"), ordering="is_current")
    def standing(self, surface: Surface) -> Any:
        return pill("ok", _("now")) if surface.is_current else pill("quiet", _("past"))

    @admin.display(description=_("cells you may see"))
    def cells(self, surface: Surface) -> str:
        return f"{len(surface.seen):,}"  # type: ignore[attr-defined]

    @admin.display(description=_("the cells that stand out"))
    def outstanding(self, surface: Surface) -> Any:
        """The highest classes, hot and cold alike: what a reader would look for, and no more than a small map can show."""
        seen: Sight = surface.seen  # type: ignore[attr-defined]
        least = 3 if surface.kind in (Surface.Kind.RISK, Surface.Kind.DENSITY) else 1
        rings = list(seen.rings())
        chosen = [number for number in seen.order.tolist() if abs(int(seen.classes[number])) >= least][:MAPPED]
        if not chosen:
            return _("None stands out.")
        shape = MultiPolygon([Polygon(rings[number]) for number in chosen], srid=4326).unary_union
        link = format_html(
            '<a href="{}?kind={}&amp;category={}&amp;horizon={}">{}</a>',
            reverse("surfaces"),
            surface.kind,
            surface.category,
            surface.horizon,
            _("Open it on the map"),
        )
        return format_html("{}{}", shape_map(shape, tolerance=0), link if surface.is_current else "")

    @admin.display(description=_("parameters"))
    def parameters_shown(self, surface: Surface) -> Any:
        return as_json(surface.parameters)


@admin.register(NearRepeat)
class NearRepeatAdmin(MapMedia, ReadOnlyAdmin):
    list_display = [
        "category",
        "governorate",
        "region",
        "incident_count",
        "ratio_shown",
        "p_value",
        "q_value",
        "is_significant",
        "standing",
    ]
    list_filter = [StandingNow, "category", "is_significant", "region"]
    list_select_related = ["governorate", "region"]
    search_fields = ["category", "governorate__name_en", "governorate__name_ar"]
    date_hierarchy = "learnt_to"
    ordering = ["-id"]
    fields = [
        "category",
        "region",
        "governorate",
        "within_m",
        "within_days",
        "incident_count",
        "observed_pairs",
        "expected_pairs",
        "ratio_shown",
        "p_value",
        "q_value",
        "is_significant",
        "bands_shown",
        "where",
        "permutations",
        "seed",
        "run",
        "learnt_from",
        "learnt_to",
        "is_synthetic",
        "standing",
    ]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    @admin.display(description=_("Knox ratio"), ordering="ratio")
    def ratio_shown(self, test: NearRepeat) -> str:
        return "–" if test.ratio is None else f"{test.ratio:.2f}"

    @admin.display(description=_("standing"), ordering="is_current")
    def standing(self, test: NearRepeat) -> Any:
        return pill("ok", _("now")) if test.is_current else pill("quiet", _("past"))

    @admin.display(description=_("where"))
    def where(self, test: NearRepeat) -> Any:
        return shape_map(test.governorate.boundary) if test.governorate is not None else _("The whole region")

    @admin.display(description=_("bands"))
    def bands_shown(self, test: NearRepeat) -> Any:
        """Distance down, time across: how many times as many pairs as by chance."""
        days = list(dict.fromkeys((band["from_days"], band["to_days"]) for band in test.bands))
        metres = list(dict.fromkeys((band["from_m"], band["to_m"]) for band in test.bands))
        cells = {(band["from_m"], band["from_days"]): band for band in test.bands}
        head = format_html_join("", '<th scope="col"><bdi dir="ltr">{}</bdi></th>', ((f"{low:g}–{high:g}",) for low, high in days))
        body = format_html_join(
            "",
            '<tr><th scope="row"><bdi dir="ltr">{} m</bdi></th>{}</tr>',
            (
                (f"{low:g}–{high:g}", format_html_join("", "<td>{}</td>", ((_ratio(cells.get((low, since))),) for since, _until in days)))
                for low, high in metres
            ),
        )
        table = '<table class="bands"><thead><tr><th scope="col">{}</th>{}</tr></thead><tbody>{}</tbody></table>'
        return format_html(table, _("metres by days"), head, body)


def _ratio(band: dict[str, Any] | None) -> str:
    """The ratio, with a star where chance alone has as many pairs less than once in twenty."""
    if band is None or band["ratio"] is None:
        return "–"
    return f"{band['ratio']:.2f}{'*' if band['p'] <= 0.05 and band['ratio'] > 1 else ''}"
