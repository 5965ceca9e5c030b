"""Devices: the list, one device, and the parts of its page that its script asks for again."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import User
from dashboard.answers import fresh, person_of
from dashboard.device_list import device_list, mark_of, mark_words
from dashboard.device_page import SPANS, battery_of, chart_of, credentials_of, feature_of, find_device, happened, streams_of
from iot.models import Datastream, Device
from iot.permissions import may_see_devices

SPAN = "day"


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    return fresh(request, "dashboard/devices/list.html", {"list": device_list(see_devices(request), request.GET, _page_number(request))})


@login_required
@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    return fresh(request, "dashboard/devices/_list.html", {"list": device_list(see_devices(request), request.GET, _page_number(request))})


@login_required
@require_safe
def one(request: HttpRequest, code: str) -> HttpResponse:
    person, device = _found(request, code)
    streams = streams_of(device)
    chosen = _chosen(streams, request)
    context: dict[str, Any] = {
        **_facts(device, streams),
        "chart": chart_of(chosen, _span(request), timezone.now()) if chosen is not None else None,
        "events": happened(person, device),
        "credentials": credentials_of(person, device, timezone.now()),
        "battery": battery_of(device, timezone.now()),
        "groups": list(device.groups.all()),
        "place": feature_of(device),
        "may_manage": person.can("manage_devices") and person.is_staff,
    }
    return fresh(request, "dashboard/devices/device.html", context)


@login_required
@require_safe
def chart(request: HttpRequest, code: str) -> HttpResponse:
    """The curve of one metric, for the page's script and for its links."""
    _person_here, device = _found(request, code)
    chosen = _chosen(streams_of(device), request)
    if chosen is None:
        raise Http404(_("This device has no readings yet."))
    return fresh(request, "dashboard/devices/_chart.html", {"device": device, "chart": chart_of(chosen, _span(request), timezone.now())})


@login_required
@require_safe
def now(request: HttpRequest, code: str) -> HttpResponse:
    """What changes as it speaks: its standing, and the last value of each metric."""
    _person_here, device = _found(request, code)
    return fresh(request, "dashboard/devices/_now.html", _facts(device, streams_of(device)))


def _facts(device: Device, streams: list[Datastream]) -> dict[str, Any]:
    return {"device": device, "streams": streams, "mark": mark_of(device), "mark_words": mark_words(device)}


def _chosen(streams: list[Datastream], request: HttpRequest) -> Datastream | None:
    asked = request.GET.get("metric", "")
    told = [stream for stream in streams if stream.last_at is not None] or streams
    return next((stream for stream in streams if stream.metric.code == asked), told[0] if told else None)


def _span(request: HttpRequest) -> str:
    asked = request.GET.get("span", SPAN)
    return asked if asked in SPANS else SPAN


def _found(request: HttpRequest, code: str) -> tuple[User, Device]:
    person = see_devices(request)
    device = find_device(person, code)
    if device is None:
        raise Http404(_("There is no such device."))
    return person, device


def see_devices(request: HttpRequest) -> User:
    person = person_of(request)
    if not may_see_devices(person):
        raise PermissionDenied(_("Your role does not allow this."))
    return person


def _page_number(request: HttpRequest) -> int:
    given = request.GET.get("page", "")
    return int(given) if given.isascii() and given.isdigit() and 0 < len(given) < 4 and int(given) else 1
