"""The on-call calendar: who is on call now, two or four weeks of a schedule, overrides, swaps, and the feed phones subscribe to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from alerts.analytics.oncall import instant
from alerts.models import OnCallOverride, OnCallSchedule, ShiftSwap
from alerts.services import oncall
from core.errors import DomainError, NotFound
from dashboard.oncall import WEEKS, asked_of_me, calendar_of, now_of, side_of

NOBODY = "nobody"


class SpanForm(forms.Form):
    starts_at = forms.DateTimeField(input_formats=["%Y-%m-%dT%H:%M"])
    ends_at = forms.DateTimeField(input_formats=["%Y-%m-%dT%H:%M"])
    person = forms.CharField(required=False, max_length=20)
    reason = forms.CharField(required=False, max_length=400)
    over_others = forms.BooleanField(required=False)


@login_required
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    return _page(request, _chosen(request, request.GET.get("schedule", "")))


@login_required
@require_POST
def override(request: HttpRequest, pk: int) -> HttpResponse:
    schedule = _schedule(request, pk)
    try:
        given = _span(request, schedule)
        who = given.pop("person")
        user = None if who == NOBODY else _person(schedule, who)
        oncall.make_override(schedule=schedule, by=request.user, user=user, **given)  # type: ignore[arg-type]
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        return _page(request, schedule, error=error, form="override")
    messages.success(request, _("The calendar is changed."))
    return _back(request, schedule)


@login_required
@require_POST
def override_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    row = OnCallOverride.objects.visible_to(request.user).select_related("schedule").filter(pk=pk).first() if pk < 2**63 else None
    if row is None:
        raise Http404
    return _done(request, row.schedule, lambda: oncall.cancel_override(override=row, by=request.user), _("The override has ended."))  # type: ignore[arg-type]


@login_required
@require_POST
def swap(request: HttpRequest, pk: int) -> HttpResponse:
    schedule = _schedule(request, pk)
    try:
        given = _span(request, schedule)
        who, _over = given.pop("person"), given.pop("over_others")
        oncall.ask_swap(schedule=schedule, by=request.user, asked_of=_person(schedule, who) if who else None, **given)  # type: ignore[arg-type]
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        return _page(request, schedule, error=error, form="swap")
    messages.success(request, _("You have asked to be relieved."))
    return _back(request, schedule)


@login_required
@require_POST
def swap_take(request: HttpRequest, pk: int) -> HttpResponse:
    row = _swap(request, pk)
    return _done(request, row.schedule, lambda: oncall.take_swap(swap=row, by=request.user), _("You are on call for it now."))  # type: ignore[arg-type]


@login_required
@require_POST
def swap_decline(request: HttpRequest, pk: int) -> HttpResponse:
    row, answer = _swap(request, pk), request.POST.get("answer", "")
    return _done(request, row.schedule, lambda: oncall.decline_swap(swap=row, by=request.user, answer=answer), _("You have declined."))  # type: ignore[arg-type]


@login_required
@require_POST
def swap_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    row = _swap(request, pk)
    return _done(request, row.schedule, lambda: oncall.withdraw_swap(swap=row, by=request.user), _("The swap is withdrawn."))  # type: ignore[arg-type]


@login_required
@require_POST
def feed(request: HttpRequest, pk: int) -> HttpResponse:
    """A new secret address of the calendar, shown this once; or none any more."""
    schedule = _schedule(request, pk)
    try:
        if request.POST.get("close"):
            oncall.close_feed(schedule=schedule, by=request.user)  # type: ignore[arg-type]
            messages.success(request, _("The calendar's address answers no more."))
            return _back(request, schedule)
        key = oncall.rotate_feed_key(schedule=schedule, by=request.user)  # type: ignore[arg-type]
    except DomainError as error:
        return _page(request, schedule, error=error, form="feed")
    return _page(request, schedule, feed_url=request.build_absolute_uri(reverse("oncall-ics", args=[key])))


@require_safe
def ics(request: HttpRequest, key: str) -> HttpResponse:
    """Read without signing in, by whoever has the secret: calendars on phones cannot sign in."""
    schedule = oncall.schedule_of_key(key)
    if schedule is None:
        raise Http404
    language = "en" if request.GET.get("lang") == "en" else "ar"
    response = HttpResponse(oncall.calendar_of(schedule=schedule, language=language), content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = f'inline; filename="{schedule.code}.ics"'
    response["Cache-Control"] = "private, max-age=300"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response


# --- the parts ---------------------------------------------------------------------------------------------------------------------------


def _page(
    request: HttpRequest, chosen: OnCallSchedule | None, *, error: DomainError | None = None, form: str = "", feed_url: str = ""
) -> HttpResponse:
    now = timezone.now()
    rows = list(_rows(request))
    context: dict[str, Any] = {
        "now_of": now_of(rows, at=now), "schedule": chosen, "error": error, "failed": form, "feed_url": feed_url, "given": request.POST,
        "asked_of_me": asked_of_me(request.user, at=now),  # type: ignore[arg-type]
        "is_synthetic": any(row.is_synthetic for row in rows), "language": get_language(),
    }  # fmt: skip
    if chosen is not None:
        weeks = 4 if request.GET.get("weeks") == "4" else WEEKS[0]
        around = _day(request.GET.get("from", ""), ZoneInfo(chosen.time_zone)) or now
        shown = calendar_of(chosen, weeks=weeks, around=around, at=now, viewer=request.user)  # type: ignore[arg-type]
        context |= side_of(chosen, at=now, viewer=request.user)  # type: ignore[arg-type]
        context |= {
            "calendar": shown, "weeks": weeks, "zone": chosen.time_zone, "week_choices": WEEKS,
            "before": shown.first - timedelta(weeks=weeks - 1), "after": shown.last + timedelta(days=1),
            "prefill": _prefill(request, shown.zone, now),
        }  # fmt: skip
    response = render(request, "dashboard/alerts/oncall.html", context, status=error.status if error else 200)
    response["Cache-Control"] = "no-store"
    return response


def _rows(request: HttpRequest) -> Any:
    """Those in use the viewer may see; somebody who sees no alerts and stands on none has no such page."""
    rows = oncall.seen_by(request.user).active().select_related("agency", "governorate").defer("governorate__boundary")
    if not request.user.can("see_alerts") and not rows.exists():  # type: ignore[union-attr]
        raise Http404
    return rows.order_by("code")


def _chosen(request: HttpRequest, code: str) -> OnCallSchedule | None:
    rows = _rows(request)
    found: OnCallSchedule | None = rows.filter(code=code[:64]).first() if code else rows.first()
    if code and found is None:
        raise Http404
    return found


def _schedule(request: HttpRequest, pk: int) -> OnCallSchedule:
    found: OnCallSchedule | None = _rows(request).filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404
    return found


def _swap(request: HttpRequest, pk: int) -> ShiftSwap:
    row = ShiftSwap.objects.select_related("schedule", "asked_by", "asked_of").filter(pk=pk).first() if pk < 2**63 else None
    if row is None or not oncall.seen_by(request.user).filter(pk=row.schedule_id).exists():
        raise Http404
    return row


def _span(request: HttpRequest, schedule: OnCallSchedule) -> dict[str, Any]:
    """What a form said, with its times read on the schedule's clock."""
    form = SpanForm(request.POST)
    if not form.is_valid():
        name, texts = next(iter(form.errors.items()))
        raise _Unread(_("Give both times."), fields={name: str(texts[0])})
    zone, given = ZoneInfo(schedule.time_zone), form.cleaned_data
    for name in ("starts_at", "ends_at"):
        given[name] = instant(given[name].replace(tzinfo=None), zone)
    return given


class _Unread(DomainError):
    status = 422


def _person(schedule: OnCallSchedule, text: str) -> User:
    found = oncall.candidates(schedule).filter(pk=int(text)).first() if text.isdecimal() and int(text) < 2**63 else None
    if found is None:
        raise _Unread(_("Choose a person."), fields={"person": _("Choose a person.")})
    return found


def _prefill(request: HttpRequest, zone: ZoneInfo, now: datetime) -> dict[str, str]:
    """The span that was clicked on, else the next eight hours; as the fields of a form want it."""

    def read(name: str) -> datetime | None:
        try:
            return datetime.fromtimestamp(int(request.GET.get(name, "")), tz=UTC)
        except (ValueError, OverflowError, OSError):
            return None

    start = max(read("s") or now, now)
    end = read("e") or start + timedelta(hours=8)
    return {
        "starts_at": request.POST.get("starts_at") or f"{start.astimezone(zone):%Y-%m-%dT%H:%M}",
        "ends_at": request.POST.get("ends_at") or f"{end.astimezone(zone):%Y-%m-%dT%H:%M}",
    }


def _day(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime(found.year, found.month, found.day, 12, tzinfo=zone) if date(2000, 1, 1) <= found <= date(2100, 1, 1) else None


def _done(request: HttpRequest, schedule: OnCallSchedule, act: Any, said: str) -> HttpResponse:
    try:
        act()
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        return _page(request, schedule, error=error)
    messages.success(request, said)
    return _back(request, schedule)


def _back(request: HttpRequest, schedule: OnCallSchedule) -> HttpResponse:
    if not oncall.seen_by(request.user).filter(pk=schedule.pk).exists():
        return redirect("mypages")  # who was only asked, and has said no, sees the schedule no more
    return redirect(f"{reverse('oncall')}?schedule={schedule.code}")
