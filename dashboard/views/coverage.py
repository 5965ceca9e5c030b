"""Coverage: gaps by zone and hour, where units should stand, whom to move now; and what if."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from core.errors import DomainError, NotFound
from dashboard.answers import fresh
from dashboard.context_processors import Shell
from dashboard.coverage import NOTES, StudyShown, gap_rows, say_sources, window_of
from dashboard.patrol_scope import Scope, scope_of
from patrol.models import CoverageStudy, Station
from patrol.services import coverage as covering
from patrol.services.coverage.ground import stations_of, units_at
from patrol.services.coverage.studies import MOST_UNITS

WHENS = ("now", "tomorrow")
KEPT = 10


class StudyForm(forms.Form):
    when = forms.ChoiceField(choices=[(when, when) for when in WHENS])
    method = forms.ChoiceField(choices=[("cover", "cover"), ("median", "median")])
    units = forms.IntegerField(required=False, min_value=1, max_value=MOST_UNITS)
    minutes = forms.IntegerField(required=False, min_value=1, max_value=60)


def _start(request: HttpRequest) -> Scope:
    if not Shell(request).may_watch_units:
        raise Http404
    return scope_of(request)


def _minutes(request: HttpRequest, scope: Scope) -> int:
    given = request.GET.get("minutes", "")
    return int(given) if given.isdecimal() and len(given) < 3 and 1 <= int(given) <= 60 else round(covering.limit_for(scope.agency) / 60)


def _may_study(request: HttpRequest) -> bool:
    return getattr(request.user, "can", lambda _verb: False)("study_coverage")


def _study(request: HttpRequest, kinds: tuple[str, ...]) -> CoverageStudy | None:
    given = request.GET.get("study", "")
    if not given:
        return None
    rows = (
        CoverageStudy.objects.visible_to(request.user).filter(kind__in=kinds).select_related("agency", "governorate__region", "created_by")
    )
    found: CoverageStudy | None = rows.filter(pk=int(given)).first() if given.isdecimal() and len(given) < 19 else None
    if found is None:
        raise Http404(_("There is no such study."))
    return found


def _kept(request: HttpRequest, scope: Scope, kinds: tuple[str, ...]) -> Any:
    rows = CoverageStudy.objects.visible_to(request.user).filter(agency=scope.agency, governorate=scope.governorate, kind__in=kinds)
    return rows.select_related("created_by").order_by("-pk")[:KEPT]


def _text(error: DomainError) -> str:
    return " ".join([error.message, *error.fields.values()])


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def coverage(request: HttpRequest) -> HttpResponse:
    scope = _start(request)
    clock = scope.governorate.region.zone_info
    problem, status = "", 200
    if request.method == "POST":
        form = StudyForm(request.POST)
        if form.is_valid():
            given = form.cleaned_data
            start, end = window_of(given["when"], timezone.now(), clock)
            try:
                study = covering.study_coverage(
                    governorate=scope.governorate,
                    agency=scope.agency,
                    start=start,
                    end=end,
                    by=request.user,  # type: ignore[arg-type]
                    units=given["units"],
                    method=given["method"],
                    limit_s=given["minutes"] * 60 if given["minutes"] else None,
                )
            except DomainError as error:
                problem, status = _text(error), error.status
            else:
                return redirect(f"{reverse('coverage')}?{scope.query}&when={given['when']}&study={study.pk}#study")
        else:
            problem, status = " ".join(str(text) for texts in form.errors.values() for text in texts), 422
    when = request.GET.get("when", "now")
    when = when if when in WHENS else "now"
    minutes = _minutes(request, scope)
    start, end = window_of(when, timezone.now(), clock)
    context: dict[str, Any] = {
        "scope": scope, "region": scope.governorate.region, "when": when, "minutes": minutes, "start": start, "end": end,
        "may_study": _may_study(request), "most_units": MOST_UNITS,
        "kept": _kept(request, scope, ("cover", "median", "move_up")),
    }  # fmt: skip
    study_row = _study(request, ("cover", "median"))
    if study_row is not None:
        context["study"] = StudyShown(study_row, study_row.governorate.region.zone_info)
    if _may_study(request):
        given_by: Any = request.user
        here = {"governorate": scope.governorate, "agency": scope.agency, "by": given_by, "limit_s": minutes * 60}
        try:
            gaps = covering.gaps_for(start=start, end=end, **here)
            context |= {"gaps": gaps, "rows": gap_rows(gaps), "sources": say_sources(gaps.source)}
            advice = covering.advise_move_up(**here)
            context |= {"advice": advice, "advice_notes": [str(NOTES.get(code, code)) for code in advice.result.notes] if advice else []}
        except DomainError as error:
            context["nothing"] = _text(error)
    return fresh(request, "dashboard/patrol/coverage.html", {**context, "problem": problem}, status)


@login_required
@require_POST
def keep_advice(request: HttpRequest) -> HttpResponse:
    """Keep the move-up advice of this moment, as a study."""
    scope = _start(request)
    here: dict[str, Any] = {"governorate": scope.governorate, "agency": scope.agency, "by": request.user}
    try:
        advice = covering.advise_move_up(**here, limit_s=_minutes(request, scope) * 60)
        if advice is not None:
            covering.keep_advice(**here, advice=advice)
            messages.success(request, _("Kept."))
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        messages.error(request, _text(error))
    return redirect(f"{reverse('coverage')}?{scope.query}")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def what_if(request: HttpRequest) -> HttpResponse:
    scope = _start(request)
    clock = scope.governorate.region.zone_info
    stations = stations_of(scope.governorate, scope.agency)
    problem, status = "", 200
    if request.method == "POST":
        when = request.POST.get("when", "")
        when = when if when in WHENS else "now"
        start, end = window_of(when, timezone.now(), clock)
        try:
            more, moved = _wishes(request, stations)
            study = covering.ask_what_if(
                governorate=scope.governorate, agency=scope.agency, start=start, end=end, by=request.user,  # type: ignore[arg-type]
                more=more, moved=moved, name=request.POST.get("name", ""),
            )  # fmt: skip
        except NotFound as error:
            raise Http404(error.message) from error
        except DomainError as error:
            problem, status = _text(error), error.status
        except ValueError:
            problem, status = _("Write numbers: units as whole numbers, places as degrees."), 422
        else:
            return redirect(f"{reverse('whatif')}?{scope.query}&study={study.pk}#answer")
    start, end = window_of("now", timezone.now(), clock)
    working, source = units_at(scope.governorate, scope.agency, start, end)
    counts = {station.pk: sum(1 for unit in working if unit.station_id == station.pk) for station in stations}
    row = _study(request, ("what_if",))
    context = {
        "scope": scope,
        "region": scope.governorate.region,
        "stations": [(station, counts[station.pk]) for station in stations],
        "source": source,
        "may_study": _may_study(request),
        "study": StudyShown(row, row.governorate.region.zone_info) if row is not None else None,
        "kept": _kept(request, scope, ("what_if",)),
        "problem": problem,
        "posted": request.POST if problem else {},
    }
    return fresh(request, "dashboard/patrol/what_if.html", context, status)


def _wishes(request: HttpRequest, stations: list[Station]) -> tuple[dict[int, int], dict[int, tuple[float, float]]]:
    """What was written beside each station; ``ValueError`` for what is no number."""
    more: dict[int, int] = {}
    moved: dict[int, tuple[float, float]] = {}
    for station in stations:
        change = request.POST.get(f"more-{station.pk}", "").strip()[:8]
        if change and int(change):
            more[station.pk] = int(change)
        lon, lat = (request.POST.get(f"{name}-{station.pk}", "").strip()[:24] for name in ("lon", "lat"))
        if lon and lat:
            moved[station.pk] = (float(lon), float(lat))
    return more, moved
