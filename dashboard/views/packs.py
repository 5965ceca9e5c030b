"""Shift handover packs: drawing one up, adding to it, signing it, taking it away."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from accounts.sign_in import confirm_password
from core.errors import DomainError, NotFound
from dashboard.answers import fresh, pdf_file
from dashboard.packs import as_pdf, context_of
from dashboard.patrol_scope import scope_of
from patrol.models import Shift, ShiftPack
from patrol.permissions import may
from patrol.services import packs

SHOWN = 60


def _reader(request: HttpRequest) -> User:
    user = request.user
    if not isinstance(user, User) or not (may(user, "watch_units") or may(user, "sign_handover")):
        raise Http404
    return user


def find(request: HttpRequest, pk: int) -> ShiftPack:
    rows = ShiftPack.objects.visible_to(_reader(request)).select_related(
        "agency", "governorate", "signed_out_by", "signed_in_by", "created_by"
    )
    found = rows.defer("governorate__boundary").filter(pk=pk).first()
    if found is None:
        raise Http404(_("There is no such pack."))
    return found


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """The packs of one agency in one governorate, and the shifts that have none."""
    user = _reader(request)
    scope = scope_of(request)
    problem, status = "", 200
    may_make = may(user, "sign_handover") or may(user, "dispatch")
    waiting = packs.shifts_to_hand_over(agency=scope.agency, governorate=scope.governorate, now=timezone.now())
    if request.method == "POST":
        shift = next((one for one in waiting if str(one.pk) == request.POST.get("shift", "")), None)
        if shift is None:
            raise Http404(_("There is no such shift."))
        try:
            made = _make(shift, scope, user)
        except NotFound as error:
            raise Http404(error.message) from error
        except DomainError as error:
            problem, status = error.message, error.status
        else:
            return redirect("packs-one", pk=made.pk)
    rows = ShiftPack.objects.visible_to(user).filter(agency=scope.agency, governorate=scope.governorate)
    listed = rows.select_related("signed_out_by", "signed_in_by").defer("facts", "notes")[:SHOWN]
    context = {"scope": scope, "packs": listed, "waiting": waiting, "may_make": may_make, "problem": problem}
    return fresh(request, "dashboard/patrol/packs.html", context, status)


def _make(shift: Shift, scope: Any, user: User) -> ShiftPack:
    return packs.make_pack(agency=scope.agency, governorate=scope.governorate, start=shift.starts_at, end=shift.ends_at, by=user)


@login_required
@require_safe
def one(request: HttpRequest, pk: int) -> HttpResponse:
    return _one(request, find(request, pk))


def _one(request: HttpRequest, pack: ShiftPack, problem: str = "", status: int = 200, typed: dict[str, str] | None = None) -> HttpResponse:
    user = _reader(request)
    is_draft = pack.state == ShiftPack.State.DRAFT
    context = context_of(pack) | {
        "problem": problem,
        "typed": typed or {},
        "may_edit": is_draft and (may(user, "sign_handover") or may(user, "dispatch")),
        "may_sign_out": is_draft and may(user, "sign_handover"),
        "may_sign_in": pack.state == ShiftPack.State.HANDED and may(user, "sign_handover") and pack.signed_out_by_id != user.pk,
        "may_return": pack.state == ShiftPack.State.HANDED and may(user, "sign_handover"),
    }
    return fresh(request, "dashboard/patrol/pack.html", context, status)


@sensitive_post_parameters("password")
@login_required
@require_POST
def act(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """One step: ``note``, ``renew``, ``sign-out``, ``sign-in``, ``return``."""
    pack, user, given = find(request, pk), _reader(request), request.POST
    try:
        if verb == "note":
            seen = given.get("seen")
            packs.note_pack(pack=pack, by=user, section=given.get("section", ""), text=given.get("text", ""), seen=seen)
            said = _("Kept.")
        elif verb == "renew":
            packs.renew_pack(pack=pack, by=user)
            said = _("The facts are as of now.")
        elif verb == "return":
            packs.return_pack(pack=pack, by=user, reason=given.get("reason", ""))
            said = _("The signature is taken back.")
        else:
            confirm_password(request, given.get("password", ""))
            packs.sign_pack(pack=pack, by=user, part=verb.removeprefix("sign-"), seen=given.get("seen", ""))
            said = _("Signed.")
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        typed = {"section": given.get("section", ""), "text": given.get("text", "")} if verb == "note" else None
        return _one(request, find(request, pk), error.message, error.status, typed)
    messages.success(request, said)
    return redirect("packs-one", pk=pk)


@login_required
@require_safe
def document(request: HttpRequest, pk: int) -> HttpResponse:
    pack = find(request, pk)
    return pdf_file(lambda: as_pdf(pack), f"handover-{pack.pk}-{get_language()}.pdf")
