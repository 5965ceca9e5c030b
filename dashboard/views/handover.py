"""Lists for patrol: drawing one up, reading it, taking it away; and the places people hold back."""

from __future__ import annotations

import csv
import math
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.gis.geos import Point
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import DomainError, NotFound
from dashboard.answers import fresh
from dashboard.filters import category_names
from dashboard.forecasts import zones_in_sight
from dashboard.handover import CSV_HEADER, csv_rows, geojson_of, shown_boxes
from dashboard.words import model_name
from geography.models import Zone
from incidents.models import Handover, Suppression
from incidents.services.trust.handover import RULE, hand_over, next_shift, surface_for
from incidents.services.trust.suppressions import LEAST_RADIUS_M, MOST_DAYS, MOST_RADIUS_M, lift_suppression, suppress_place

SHOWN = 30
_HEAVY = [f"surface__{name}" for name in ("columns", "rows", "values", "classes", "governorate_ids", "area_ids", "parts")]


class SuppressForm(forms.Form):
    longitude = forms.FloatField(label=gettext_lazy("Longitude"), min_value=-180, max_value=180)
    latitude = forms.FloatField(label=gettext_lazy("Latitude"), min_value=-90, max_value=90)
    radius_m = forms.FloatField(
        label=gettext_lazy("Radius in metres"), min_value=LEAST_RADIUS_M, max_value=MOST_RADIUS_M, initial=300, widget=forms.NumberInput
    )
    days = forms.IntegerField(label=gettext_lazy("For how many days"), min_value=1, max_value=MOST_DAYS, initial=30)
    category = forms.ChoiceField(label=gettext_lazy("Category"), required=False)
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=400, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["category"].choices = [("", _("All categories")), *category_names().items()]  # type: ignore[attr-defined]


class LiftForm(forms.Form):
    reason = forms.CharField(max_length=400)


def _lists(request: HttpRequest) -> Any:
    rows = Handover.objects.visible_to(request.user).select_related("surface__region", "governorate", "requested_by")
    return rows.defer("governorate__boundary", *_HEAVY)


def _can(request: HttpRequest, verb: str) -> bool:
    return getattr(request.user, "can", lambda _verb: False)(verb)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """The lists there are, and a button for each governorate's next."""
    problem, status = "", 200
    if request.method == "POST":
        try:
            made = hand_over(governorate=_governorate(request), by=request.user)  # type: ignore[arg-type]
        except NotFound as error:
            raise Http404(error.message) from error
        except DomainError as error:
            problem, status = error.message, error.status
        else:
            return redirect("handover-one", pk=made.pk)
    now = timezone.now()
    places = []
    for zone in zones_in_sight(request.user, Zone.Level.GOVERNORATE):
        start, end = next_shift(zone.region, now)
        surface = surface_for(zone.region, start=start)
        ready = _lists(request).filter(governorate=zone, shift_from=start, surface=surface).first() if surface else None
        places.append({"zone": zone, "start": start, "end": end, "surface": surface, "ready": ready})
    context = {
        "places": places,
        "lists": _lists(request).order_by("-shift_from", "-pk")[:SHOWN],
        "rule": RULE,
        "may_hand_over": _can(request, "hand_over"),
        "problem": problem,
        "held_back": Suppression.objects.visible_to(request.user).in_force().count(),
    }
    return fresh(request, "dashboard/handover.html", context, status)


def _governorate(request: HttpRequest) -> Zone:
    given = request.POST.get("governorate", "")
    zones = zones_in_sight(request.user, Zone.Level.GOVERNORATE)
    found = zones.filter(pk=int(given)).first() if given.isdecimal() and len(given) < 19 else None
    if found is None:
        raise Http404(_("There is no such governorate."))
    return found


def _list(request: HttpRequest, pk: int) -> Handover:
    found: Handover | None = _lists(request).filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404(_("There is no such list."))
    return found


@login_required
@require_safe
def one(request: HttpRequest, pk: int) -> HttpResponse:
    handover = _list(request, pk)
    explored = handover.reasons.count("explore")
    context = {
        "handover": handover,
        "boxes": shown_boxes(handover),
        "explored": explored,
        "model_name": model_name(handover.surface.model),
        "region": handover.surface.region,
    }
    return fresh(request, "dashboard/handover_list.html", context)


@login_required
@require_safe
def as_csv(request: HttpRequest, pk: int) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    rows = csv_rows(_list(request, pk))
    response["Content-Disposition"] = f'attachment; filename="handover-{pk}.csv"'
    response["Cache-Control"] = "no-store"
    writer = csv.writer(response)
    writer.writerow(CSV_HEADER)
    writer.writerows(rows)
    return response


@login_required
@require_safe
def as_geojson(request: HttpRequest, pk: int) -> HttpResponse:
    response = HttpResponse(geojson_of(_list(request, pk)), content_type="application/geo+json")
    response["Content-Disposition"] = f'attachment; filename="handover-{pk}.geojson"'
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def suppressions(request: HttpRequest) -> HttpResponse:
    """The places held back, and a form; the map's panels bring ``?longitude=&latitude=`` along."""
    status = 200
    if request.method == "POST":
        form = SuppressForm(request.POST)
        status = 422
        if form.is_valid():
            given = form.cleaned_data
            try:
                suppress_place(
                    centre=Point(given["longitude"], given["latitude"], srid=4326),
                    radius_m=given["radius_m"],
                    days=given["days"],
                    category=given["category"],
                    reason=given["reason"],
                    by=request.user,  # type: ignore[arg-type]
                )
            except NotFound as error:
                raise Http404(error.message) from error
            except DomainError as error:
                status = error.status
                for name, text in (error.fields or {"": error.message}).items():
                    form.add_error(name if name in form.fields else None, text)
            else:
                messages.success(request, _("Held back. It is left out of the lists from now on; the map goes on showing it."))
                return redirect("handover-suppressions")
    else:
        form = SuppressForm(initial={name: value for name in ("longitude", "latitude") if (value := _number(request.GET.get(name)))})
    return _suppressions_page(request, form, status)


@login_required
@require_POST
def lift(request: HttpRequest, pk: int) -> HttpResponse:
    found = Suppression.objects.visible_to(request.user).filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404(_("There is no such suppression."))
    form = LiftForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    try:
        lift_suppression(suppression=found, by=request.user, reason=reason)  # type: ignore[arg-type]
    except DomainError as error:
        return _suppressions_page(request, SuppressForm(), error.status, problem=" ".join([error.message, *error.fields.values()]))
    messages.success(request, _("Lifted. The place is part of the lists again."))
    return redirect("handover-suppressions")


def _suppressions_page(request: HttpRequest, form: SuppressForm, status: int, problem: str = "") -> HttpResponse:
    rows = Suppression.objects.visible_to(request.user).select_related("governorate", "created_by", "lifted_by", "region")
    rows = rows.defer("governorate__boundary")
    standing = rows.in_force().order_by("expires_at")
    ended = rows.exclude(pk__in=standing.values("pk")).order_by("-pk")[:SHOWN]
    names = category_names()
    context = {
        "form": form,
        "problem": problem,
        "standing": [(row, names.get(row.category, row.category)) for row in standing],
        "ended": [(row, names.get(row.category, row.category)) for row in ended],
        "may_suppress": _can(request, "suppress_places"),
        "most_days": MOST_DAYS,
    }
    return fresh(request, "dashboard/suppressions.html", context, status)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
