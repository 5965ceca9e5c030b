"""Road networks and closures in the command centre."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.jurisdiction import jurisdiction_of
from core.admin_kit import ActsOnRows, CentreAdmin, ReadOnlyAdmin, as_json, bdi, pill
from core.admin_map import MapMedia
from geography.models import Region
from patrol.models import RoadClosure, RoadNetwork
from patrol.services.travel import close_road, reopen_road


@admin.register(RoadNetwork)
class RoadNetworkAdmin(ReadOnlyAdmin):
    """What `import_roads` stored. The newest of a region is the one that plans are timed on."""

    list_display = ["source_name", "region", "imported_at", "node_count", "edge_count", "in_use"]
    list_filter = ["region"]
    search_fields = ["source_name", "sha256"]
    fields = ["source_name", "region", "imported_at", "node_count", "edge_count", "sha256_shown", "facts_shown"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        newer = RoadNetwork.objects.filter(region=models.OuterRef("region"), pk__gt=models.OuterRef("pk"))
        return super().get_queryset(request).defer("graph").select_related("region").annotate(is_newest=~models.Exists(newer))

    @admin.display(description=gettext_lazy("in use"), boolean=True, ordering="is_newest")
    def in_use(self, network: Any) -> bool:
        return bool(network.is_newest)

    @admin.display(description="SHA-256")
    def sha256_shown(self, network: RoadNetwork) -> Any:
        return bdi(network.sha256)

    @admin.display(description=gettext_lazy("facts"))
    def facts_shown(self, network: RoadNetwork) -> Any:
        return as_json(network.facts)


@admin.register(RoadClosure)
class RoadClosureAdmin(MapMedia, ActsOnRows, CentreAdmin):
    """A closure is made, and ended; what was closed is not rewritten afterwards."""

    list_display = ["name", "state", "starts_at", "ends_at", "radius_m", "governorate", "region", "created_by"]
    list_filter = ["region", "starts_at"]
    search_fields = ["name", "reason"]
    fields = ["name", "region", "governorate", "centre", "radius_m", "starts_at", "ends_at", "reason"]
    actions = ["open_again"]
    object_actions = ["open_again"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        own = jurisdiction_of(viewer).governorate_ids
        if own is None:
            return rows
        # A closure of no governorate is everybody's to know; nobody with an empty jurisdiction knows anything.
        return rows.filter(models.Q(governorate__in=own) | models.Q(governorate=None)) if own else rows.none()

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        rows = super().get_queryset(request).select_related("governorate", "region", "created_by")
        return rows.defer("governorate__boundary", "governorate__label_point")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        region = Region.objects.filter(is_default=True).values_list("pk", flat=True).first()
        return {"region": region, **super().get_changeform_initial_data(request)}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False if obj is not None else super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=gettext_lazy("state"), ordering="ends_at")
    def state(self, closure: RoadClosure) -> Any:
        now = timezone.now()
        if closure.ends_at <= now:
            return pill("quiet", _("open again"))
        return pill("warn", _("to come")) if closure.starts_at > now else pill("bad", _("closed"))

    def save_model(self, request: HttpRequest, obj: RoadClosure, form: Any, change: bool) -> None:
        made = close_road(
            region=obj.region,
            name=obj.name,
            centre=obj.centre,
            radius_m=obj.radius_m,
            starts_at=obj.starts_at,
            ends_at=obj.ends_at,
            by=request.user,  # type: ignore[arg-type]
            governorate=obj.governorate,
            reason=obj.reason,
        )
        obj.pk = made.pk

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("manage_force")

    @admin.action(description=gettext_lazy("Open again…"), permissions=["manage"])
    def open_again(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            title=_("Open roads again"),
            button=_("Open again"),
            note=_("Plans made from now on drive through. One that has not begun is taken back."),
            perform=lambda row, answers: reopen_road(closure=row, by=request.user),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d road was opened.", "%(n)d roads were opened.", count) % {"n": count},
        )
