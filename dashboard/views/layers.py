"""The map's data: GeoJSON layers and one zone's forecast. A browser's script asks, so a refusal is JSON and never a redirect."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.filters import BoardFilter
from dashboard.forecasts import series_of_zone
from dashboard.layers import SERVED


def problem(status: int, title: str, **more: Any) -> HttpResponse:
    body = orjson.dumps({"type": "about:blank", "title": title, "status": status, **more})
    return HttpResponse(body, status=status, content_type="application/problem+json")


def for_scripts(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Signed-in viewers only; a script that lost its session gets a 401 it can act on."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return problem(401, _("You are signed out. Sign in again."))
        return view(request, *args, **kwargs)

    return wrapped


SMALL = 4_096


def answer(request: HttpRequest, body: bytes, content_type: str) -> HttpResponse:
    """``body``, or 304 where the browser has these very bytes. Kept by that browser alone, and asked for again each time.

    Pressed where the browser takes it: points shrink to an eighth. Nothing the asker wrote is in the body, and no token,
    so its length tells a bystander nothing.
    """
    etag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    response = HttpResponse(body, content_type=content_type)
    if len(body) > SMALL and "gzip" in request.headers.get("Accept-Encoding", ""):
        response.content = gzip.compress(body, compresslevel=4, mtime=0)
        response["Content-Encoding"] = "gzip"
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ["Cookie", "Accept-Language", "Accept-Encoding"])
    return get_conditional_response(request, etag=etag, response=response) or response


@require_safe
@for_scripts
def layer(request: HttpRequest, slug: str) -> HttpResponse:
    collect = SERVED.get(slug)
    if collect is None:
        return problem(404, _("There is no such layer."))
    filters = BoardFilter(request.GET, viewer=request.user)
    return answer(request, collect(request.user, filters).as_json(), "application/geo+json")


@require_safe
@for_scripts
def zone_forecast(request: HttpRequest, zone_id: int) -> HttpResponse:
    series = series_of_zone(request.user, zone_id)
    if series is None:
        return problem(404, _("There is no forecast for this zone."))
    return answer(request, series.as_json(), "application/json")
