"""Sharing on the dashboard: agreements to read, sign and revoke, and what partners' systems were told. For supervisors and auditors."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from core.errors import DomainError, NotFound
from incidents.models import Incident
from interop.models import Part, SharingAgreement, Signature, Standing
from interop.services.sharing import records, revoke_agreement, sign_agreement
from interop.services.sharing.agreements import may_sign, may_write, side_of

SHOWN = 100


@login_required
@require_safe
@never_cache
def agreements(request: HttpRequest) -> HttpResponse:
    user = _viewer(request)
    rows = list(_rows(user)[:SHOWN])
    waiting = [row for row in rows if row.standing == Standing.PROPOSED and may_sign(row, user)]
    return render(request, "interop/sharing.html", {"agreements": rows, "waiting": len(waiting), "may_write": user.can("share")})


@login_required
@require_safe
@never_cache
def agreement(request: HttpRequest, pk: str) -> HttpResponse:
    user = _viewer(request)
    row = _found(user, pk)
    signed: dict[str, Signature] = {one.side: one for one in row.signatures.all() if one.version == row.version}
    sides = [(row.giver, signed.get("giver"), _("Gives")), (row.receiver, signed.get("receiver"), _("Receives"))]
    context = {
        "agreement": row,
        "sides": sides,
        "parts": [Part(part).label for part in row.parts if part in Part.values],
        "categories": row.categories,
        "versions": list(row.versions.select_related("written_by").order_by("-version")[:20]),
        "may_sign": may_sign(row, user),
        "may_revoke": may_write(row, user),
        "own_side": side_of(row, user),
        "may_edit": may_write(row, user) and user.is_staff,
    }
    return render(request, "interop/agreement.html", context)


@login_required
@require_POST
def act(request: HttpRequest, pk: str, verb: str) -> HttpResponse:
    user = _viewer(request)
    row = _found(user, pk)
    try:
        if verb == "sign":
            version = request.POST.get("version", "")
            after = sign_agreement(agreement=row, version=int(version) if version.isdigit() and len(version) < 10 else 0, by=user)
            messages.success(request, _("Signed: it is in force.") if after.state == "in_force" else _("Signed."))
        else:
            revoke_agreement(agreement=row, by=user, reason=request.POST.get("reason", ""))
            messages.success(request, _("Revoked: nothing more is read through it."))
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        messages.error(request, " ".join([error.message, *error.fields.values()]))
    return redirect("sharing-agreement", pk=str(row.pk))


@login_required
@require_safe
@never_cache
def reads(request: HttpRequest) -> HttpResponse:
    """What did partner X see of incident Y, from either end."""
    user = _viewer(request)
    if not user.can("read_records"):
        raise PermissionDenied
    ref, slug = request.GET.get("incident", "").strip()[:40], request.GET.get("partner", "")
    partners = list(records.partners_for(user)[:500])
    partner = next((one for one in partners if one.slug == slug), None)
    context: dict[str, Any] = {
        "ref": ref,
        "partners": partners,
        "partner": partner,
        "days": records.DAYS,
        "most": records.MOST_ROWS,
        "own_days": settings.READS_KEEP_DAYS,
        "shared_days": settings.SHARED_READS_KEEP_DAYS,
    }
    if ref:
        incident = Incident.objects.visible_to(user).for_card().by_ref(ref).first()
        context["incident"] = incident
        if incident is not None:
            readers = records.readers_of(incident=incident, by=user)
            context["readers"] = [one for one in readers if partner is None or one.partner_id == partner.pk]
    elif partner is not None:
        since = timezone.now() - timedelta(days=records.DAYS)
        context["seen"] = records.seen_by(partner=partner, by=user, since=since)
    return render(request, "interop/reads.html", context)


def _viewer(request: HttpRequest) -> User:
    user = request.user
    if not isinstance(user, User) or not (user.can("share") or user.can("read_records")):
        raise PermissionDenied
    return user


def _rows(user: User) -> Any:
    rows = SharingAgreement.objects.visible_to(user).with_sides()
    return rows.prefetch_related("types", "governorates", "signatures__by")


def _found(user: User, pk: str) -> SharingAgreement:
    row: SharingAgreement | None = _rows(user).filter(pk=int(pk)).first()
    if row is None:
        raise Http404(_("There is no such agreement."))
    return row
