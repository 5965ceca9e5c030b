"""Doors to the zones: the map's vector tiles."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from django.views.decorators.http import require_safe

from geography.models import Zone
from geography.tiles import is_tile, zone_tile, zones_version

MAX_AGE_S = 300


@require_safe
def zones(request: HttpRequest, level: str, z: int, x: int, y: int) -> HttpResponse:
    """Zones are no secret among those who may sign in; a stranger gets 401, and no redirect, which a map could not follow."""
    if not request.user.is_authenticated:
        return HttpResponse(status=401)
    if level not in Zone.Level.values or not is_tile(z, x, y):
        raise Http404
    version = zones_version()
    etag = f'"{version}"'
    response: HttpResponse
    if etag in parse_etags(request.headers.get("If-None-Match", "")):
        response = HttpResponseNotModified()
    else:
        tile = zone_tile(level=level, z=z, x=x, y=y, version=version)
        response = HttpResponse(tile, content_type="application/vnd.mapbox-vector-tile", status=200 if tile else 204)
    response["ETag"] = etag
    response["Cache-Control"] = f"private, max-age={MAX_AGE_S}"
    patch_vary_headers(response, ["Cookie"])
    return response
