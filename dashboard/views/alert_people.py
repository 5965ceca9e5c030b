"""How I am told: one's own addresses, ladders, quiet hours and sound; for those who manage alerts also other people's, and the contacts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from alerts.models import ContactMethod
from alerts.services import channels, people
from core.errors import DomainError, Invalid, NotFound
from dashboard.answers import fresh, person_of, row_id
from dashboard.my_pages import channels_to_add, channels_to_climb, contacts_listed, people_listed, told_of

MUTES_H = (1, 2, 4, 8)


class QuietForm(forms.Form):
    quiet_from = forms.TimeField(required=False)
    quiet_to = forms.TimeField(required=False)


@login_required
@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    return _page(request, person_of(request))


@login_required
@require_safe
def person(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, _person(request, pk))


@login_required
@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """People who can and cannot be reached, and the contacts: for those who manage alerts."""
    viewer = person_of(request)
    if not viewer.can("manage_alerts"):
        raise Http404
    context = {"people": people_listed(viewer), "contacts": contacts_listed(viewer)}
    return fresh(request, "dashboard/alerts/contacts.html", context)


@login_required
@require_POST
def act(request: HttpRequest, pk: str, verb: str) -> HttpResponse:
    """One change of one person's own page: a verb each, refusals shown where they were asked for."""
    user = _person(request, row_id(pk))
    try:
        said = _VERBS[verb](request, user)
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        return _page(request, user, error=error, verb=verb)
    messages.success(request, said)
    return redirect("mypages") if user.pk == person_of(request).pk else redirect("mypages-person", pk=user.pk)


# --- the verbs ---------------------------------------------------------------------------------------------------------------------------


def _add(request: HttpRequest, user: User) -> str:
    channel, address = request.POST.get("channel", ""), request.POST.get("address", "")
    method = people.add_method(by=person_of(request), user=user, channel=channel, address=address)
    try:
        people.send_code(method=method, by=person_of(request))
    except DomainError as error:
        return _("The address is kept. %(why)s") % {"why": error.message}
    return _("The address is kept, and a code is on its way to it. Type it in to prove the address.")


def _code(request: HttpRequest, user: User) -> str:
    people.send_code(method=_method(request, user), by=person_of(request))
    return _("A code is on its way.")


def _prove(request: HttpRequest, user: User) -> str:
    people.prove(method=_method(request, user), by=person_of(request), code=request.POST.get("code", ""))
    return _("The address is proved: alerts can reach you by it.")


def _remove(request: HttpRequest, user: User) -> str:
    people.remove_method(method=_method(request, user), by=person_of(request))
    return _("The address is gone.")


def _on(request: HttpRequest, user: User) -> str:
    people.switch_method(method=_method(request, user), by=person_of(request), is_active=True)
    return _("The address is in use again.")


def _test(request: HttpRequest, user: User) -> str:
    method = _method(request, user)
    channels.send_test(by=person_of(request), channel=method.channel, method=method)
    return _("A test is on its way to that address.")


def _ladder(request: HttpRequest, user: User) -> str:
    rungs = []
    for number, (channel, wait) in enumerate(zip(request.POST.getlist("channel"), request.POST.getlist("wait_s"), strict=False)):
        if not channel:
            continue
        if not (wait.isascii() and wait.isdigit() and len(wait) < 6):
            raise Invalid(_("Give the seconds to wait."), fields={f"rungs.{number}.wait_s": _("A number of seconds.")})
        rungs.append((channel, int(wait)))
    people.set_ladder(user=user, by=person_of(request), importance=request.POST.get("importance", ""), rungs=rungs)
    return _("The order is kept.")


def _quiet(request: HttpRequest, user: User) -> str:
    form = QuietForm(request.POST)
    if not form.is_valid():
        raise Invalid(_("Give both times."), fields={name: str(texts[0]) for name, texts in form.errors.items()})
    people.set_quiet_hours(user=user, by=person_of(request), **form.cleaned_data)
    return _("The quiet hours are kept.")


def _mute(request: HttpRequest, user: User) -> str:
    hours = row_id(request.POST.get("hours", ""))
    until = timezone.now() + timedelta(hours=hours) if hours in MUTES_H else None
    people.mute_sound(user=user, by=person_of(request), until=until)
    return _("The sound is muted.") if until else _("The sound is on.")


_VERBS: dict[str, Callable[[HttpRequest, User], str]] = {
    "add": _add, "code": _code, "prove": _prove, "remove": _remove, "on": _on, "test": _test, "ladder": _ladder, "quiet": _quiet,
    "mute": _mute,
}  # fmt: skip
VERBS = "|".join(_VERBS)


# --- the parts ---------------------------------------------------------------------------------------------------------------------------


def _page(request: HttpRequest, user: User, *, error: DomainError | None = None, verb: str = "") -> HttpResponse:
    viewer = person_of(request)
    context: dict[str, Any] = {
        "told": told_of(user, viewer=viewer), "is_own": user.pk == viewer.pk, "error": error, "failed": verb, "given": request.POST,
        "failed_method": row_id(request.POST.get("method", "")), "to_add": channels_to_add(), "to_climb": channels_to_climb(),
        "mutes": MUTES_H, "now": timezone.now(),
    }  # fmt: skip
    return fresh(request, "dashboard/alerts/me.html", context, error.status if error else 200)


def _person(request: HttpRequest, pk: int) -> User:
    """Oneself; or for those who manage alerts, somebody of their jurisdiction."""
    viewer = person_of(request)
    if pk == viewer.pk:
        return viewer
    found = people.people_of(viewer).filter(pk=pk).first() if viewer.can("manage_alerts") and pk < 2**63 else None
    if found is None:
        raise Http404
    return found


def _method(request: HttpRequest, user: User) -> ContactMethod:
    found = ContactMethod.objects.filter(user=user, pk=row_id(request.POST.get("method", ""))).first()
    if found is None:
        raise Http404
    return found
