"""The API's own pages: what answers where nothing is, and the documents people read."""

from __future__ import annotations

import functools
from pathlib import Path

from csp.constants import NONCE, SELF
from csp.decorators import csp_update
from django.contrib.staticfiles.finders import find
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from core.api.errors import plain_problem


@csrf_exempt
def nothing_here(request: HttpRequest, rest: str = "") -> HttpResponse:
    hint = _("There is nothing at this address.")
    if rest.endswith("/"):
        hint = _("There is nothing at this address. Addresses of the API end without a slash.")
    return plain_problem(request, status=404, detail=hint)


@require_safe
def swagger(request: HttpRequest) -> HttpResponse:
    return render(request, "api/swagger.html")


# The reader writes its own style sheet: one with this answer's nonce is let through, everything else stays refused.
@require_safe
@csp_update({"style-src": [SELF, NONCE]})
def redoc(request: HttpRequest) -> HttpResponse:
    return render(request, "api/redoc.html", {"nonce": str(request.csp_nonce)})  # type: ignore[attr-defined]


# In the reader's bundle: what to find and what to put there. It sets its nonce too late for its first style sheet, and asks another
# host for its logo.
_MENDED = {
    "r.nc=void 0": "r.nc=document.currentScript.dataset.nonce",
    "https://cdn.redoc.ly/redoc/logo-mini.svg": "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==",
}


@functools.cache
def _reader() -> bytes:
    found = find("drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js")
    script = Path(str(found)).read_text(encoding="utf-8")
    for old, new in _MENDED.items():
        if script.count(old) != 1:
            raise RuntimeError(f"this version of the reader holds {old!r} {script.count(old)} times, not once")
        script = script.replace(old, new)
    return script.encode()


@require_safe
@cache_control(public=True, max_age=3600)
def redoc_script(request: HttpRequest) -> HttpResponse:
    """The reader, mended to live under our policy and without another host."""
    return HttpResponse(_reader(), content_type="text/javascript; charset=utf-8")
