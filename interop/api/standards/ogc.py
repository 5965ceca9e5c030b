"""OGC API – Features (Part 1 Core with GeoJSON, Part 2 reference systems): what GIS programs read without knowing us."""

from __future__ import annotations

from typing import Any

import orjson
from django.contrib.gis.db.models import Extent
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import User
from geography.models import Region, Zone
from interop.api.authentication import HasScope
from interop.api.reads import on_record
from interop.api.standards.kit import StandardView, answer, here
from interop.api.standards.ogc_collections import COLLECTIONS, Collection
from interop.models import PartnerKey
from interop.standards import ogc

PAGE, MOST = 100, 1_000
_ASKED = {"limit", "bbox", "bbox-crs", "crs", "datetime", "after", "f"}
TAGS = ["standards"]


class MayReadCollections(HasScope):
    """A collection wants its scope; the pages about the service want any key."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        wanted = COLLECTIONS.get(view.kwargs.get("name", ""))
        if wanted is None or wanted.scope is None:
            return isinstance(request.auth, PartnerKey) or isinstance(request.user, User)
        view.scope = wanted.scope  # type: ignore[attr-defined]
        return super().has_permission(request, view)


class OgcView(StandardView):
    permission_classes = [MayReadCollections]
    scope = ""

    @property
    def base(self) -> str:
        return here(self.request) + reverse("api-ogc").rstrip("/")

    @property
    def crs(self) -> dict[str, ogc.Crs]:
        return ogc.known_crs(Region.objects.values_list("metric_srid", flat=True))

    def offered(self) -> list[Collection]:
        """Those the caller has the scope for."""
        key = self.request.auth
        return [one for one in COLLECTIONS.values() if one.scope is None or not isinstance(key, PartnerKey) or key.has_scope(one.scope)]

    def wanted(self) -> Collection:
        found = COLLECTIONS.get(self.kwargs["name"])
        if found is None:
            raise Http404
        return found

    def said(self, document: Any, content_type: str = ogc.JSON) -> HttpResponse:
        return answer(orjson.dumps(document), content_type)

    def only(self, names: set[str]) -> None:
        """The standard refuses what it does not know, so that a misspelt filter is not a wider answer."""
        unknown = sorted(set(self.request.query_params) - names)
        if unknown:
            raise ParseError(_("There is no parameter “%(name)s” here.") % {"name": unknown[0][:40]})
        if self.request.query_params.get("f", "json") not in ("json", "geojson"):
            raise ParseError(_("The parameter “%(name)s” cannot be read.") % {"name": "f"})

    def crs_asked(self, name: str) -> ogc.Crs:
        found = self.crs.get(self.request.query_params.get(name, ogc.CRS84).strip("<>"))
        if found is None:
            raise ParseError(_("The parameter “%(name)s” cannot be read.") % {"name": name})
        return found


class Landing(OgcView):
    @extend_schema(operation_id="ogc_landing", tags=TAGS, summary="OGC API Features: where it begins", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> HttpResponse:
        return self.said(ogc.landing(self.base, here(request) + reverse("api-docs")))


class Conformance(OgcView):
    @extend_schema(operation_id="ogc_conformance", tags=TAGS, summary="What it conforms to", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> HttpResponse:
        return self.said({"conformsTo": ogc.CONFORMS_TO})


class ApiDocument(OgcView):
    @extend_schema(
        operation_id="ogc_api", tags=TAGS, summary="Its OpenAPI 3.0 document", responses={(200, ogc.OPENAPI): OpenApiTypes.OBJECT}
    )
    def get(self, request: Request) -> HttpResponse:
        return self.said(ogc.api_document(self.base, [one.described for one in self.offered()], MOST, PAGE), ogc.OPENAPI)


class CollectionsPage(OgcView):
    @extend_schema(operation_id="ogc_collections", tags=TAGS, summary="The collections the caller may read", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> HttpResponse:
        crs, extent = list(self.crs), extent_of()
        return self.said(ogc.collections(self.base, [ogc.collection(one.described, self.base, crs, extent) for one in self.offered()], crs))


class CollectionPage(OgcView):
    @extend_schema(operation_id="ogc_collection", tags=TAGS, summary="One collection", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, name: str) -> HttpResponse:
        return self.said(ogc.collection(self.wanted().described, self.base, list(self.crs), extent_of()))


class Items(OgcView):
    @extend_schema(
        operation_id="ogc_items",
        tags=TAGS,
        summary="Features of a collection; pages follow by the `next` link",
        parameters=[
            OpenApiParameter("limit", int, description=f"Features a page: {PAGE}, at most {MOST:,}."),
            OpenApiParameter("bbox", str, description="Four numbers in the axis order of `bbox-crs`, or six with heights."),
            OpenApiParameter("bbox-crs", str, description="CRS84 (longitude, latitude) where it is left out."),
            OpenApiParameter("crs", str, description="In which the geometries are told: CRS84, EPSG:4326 or a region's metres."),
            OpenApiParameter("datetime", str, description="An instant, or an interval: `2026-01-01T00:00:00Z/..`."),
            OpenApiParameter("after", str, description="Taken from the `next` link."),
        ],
        responses={(200, ogc.GEOJSON): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, name: str) -> HttpResponse:
        self.only(_ASKED)
        wanted, crs, limit, asked = self.wanted(), self.crs_asked("crs"), self.limit(), request.query_params
        rows = wanted.rows(self.viewer)
        try:
            if "bbox" in asked:
                rows = wanted.inside(rows, ogc.box_of(asked["bbox"], self.crs_asked("bbox-crs")), self.viewer)
            elif "bbox-crs" in asked:
                self.crs_asked("bbox-crs")
            if "datetime" in asked:
                rows = self.during(wanted, rows, asked["datetime"])
        except ogc.Unreadable as error:
            raise ParseError(_("The parameter “%(name)s” cannot be read.") % {"name": str(error)}) from error
        counted = {"numberMatched": rows.count()} if wanted.is_small else {}
        if "after" in asked:
            if not (asked["after"].isascii() and asked["after"].isdigit() and len(asked["after"]) <= 18):
                raise ParseError(_("The parameter “%(name)s” cannot be read.") % {"name": "after"})
            rows = rows.filter(pk__lt=int(asked["after"]))
        found = list(wanted.told(rows, crs, self.viewer).order_by("-pk")[: limit + 1])
        page = found[:limit]
        self.put_on_record(name, page)
        links = [ogc.link(self.address(), "self", ogc.GEOJSON)]
        if len(found) > limit:
            links.append(ogc.link(self.address(after=str(page[-1].pk)), "next", ogc.GEOJSON))
        links.append(ogc.link(f"{self.base}/collections/{name}", "collection", ogc.JSON))
        features = wanted.features(page, crs, self.viewer)
        return self.shown(
            {"type": "FeatureCollection", "features": features, "links": links, "numberReturned": len(features), **counted}, crs
        )

    def put_on_record(self, name: str, rows: list[Any]) -> None:
        if name == "incidents":
            on_record(self.request, rows, door="ogc")

    def during(self, wanted: Collection, rows: Any, text: str) -> Any:
        begin, end = ogc.span_of(text)
        if wanted.begins is None or wanted.ends is None:
            return rows
        condition = Q(**{f"{wanted.ends}__gte": begin}) if begin else Q()
        return rows.filter(condition & Q(**{f"{wanted.begins}__lte": end}) if end else condition)

    def limit(self) -> int:
        given = self.request.query_params.get("limit", str(PAGE))
        if not (given.isascii() and given.isdigit() and len(given) <= 9 and int(given) > 0):
            raise ParseError(_("The parameter “%(name)s” cannot be read.") % {"name": "limit"})
        return min(int(given), MOST)

    def address(self, **changes: str) -> str:
        query = self.request.query_params.copy()
        for key, value in changes.items():
            query[key] = value
        asked = query.urlencode()
        return f"{self.base}/collections/{self.kwargs['name']}/items" + (f"?{asked}" if asked else "")

    def shown(self, document: dict[str, Any], crs: ogc.Crs) -> HttpResponse:
        told = self.said(document, ogc.GEOJSON)
        told["Content-Crs"] = f"<{crs.uri}>"
        return told


class Item(Items):
    @extend_schema(
        operation_id="ogc_item",
        tags=TAGS,
        summary="One feature",
        parameters=[OpenApiParameter("crs", str)],
        responses={(200, ogc.GEOJSON): OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, name: str, fid: str) -> HttpResponse:  # type: ignore[override]
        self.only({"crs", "f"})
        wanted, crs = self.wanted(), self.crs_asked("crs")
        row = wanted.told(wanted.one(wanted.rows(self.viewer), fid), crs, self.viewer).first()
        if row is None:
            raise Http404
        self.put_on_record(name, [row])
        parent = f"{self.base}/collections/{name}"
        links = [ogc.link(f"{parent}/items/{fid}", "self", ogc.GEOJSON), ogc.link(parent, "collection", ogc.JSON)]
        return self.shown({**wanted.features([row], crs, self.viewer)[0], "links": links}, crs)


def extent_of() -> tuple[float, ...] | None:
    """Of the countries we know; a key's own corner is not given away by a smaller one."""
    found: tuple[float, ...] | None = Zone.objects.level(Zone.Level.COUNTRY).aggregate(box=Extent("boundary"))["box"]
    return found
