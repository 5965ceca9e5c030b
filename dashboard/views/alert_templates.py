"""The words of messages: which there are, how one reads on a real alert, and writing it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from alerts.models import Alert, Channel, MessageTemplate
from alerts.services.delivery import preview, remove_template, save_template
from alerts.services.delivery.templates import check
from alerts.services.delivery.words import COUNTED_IN_PARTS, KNOWN
from core.errors import DomainError
from dashboard.answers import person_of

FIELDS = ("event", "channel", "language", "subject", "body", "provider_template")
ALERTS_OFFERED = 30


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def page(request: HttpRequest, pk: str = "") -> HttpResponse:
    """One template beside the list of all. POST with ``do=save`` keeps it; with anything else it only shows how it would read."""
    user = person_of(request)
    if not user.can("manage_alerts"):
        raise Http404
    row = MessageTemplate.objects.filter(pk=int(pk)).first() if pk else None
    if pk and row is None:
        raise Http404(_("There is no such template."))
    given = _given(request, row)
    wrong: dict[str, str] = {}
    status = 200
    if request.method == "POST" and request.POST.get("do") == "save":
        try:
            kept = save_template(by=user, template=row, **given)
        except DomainError as error:
            wrong, status = dict(error.fields) or {"body": error.message}, error.status
        else:
            messages.success(request, _("Saved. The next message is said in these words."))
            return redirect("templates-one", pk=kept.pk)
    elif request.method == "POST":
        wrong = check(**given)
    return render(request, "dashboard/alerts/templates.html", _facts(request, user, row, given, wrong), status=status)


@login_required
@require_POST
def remove(request: HttpRequest, pk: str) -> HttpResponse:
    user = person_of(request)
    row = MessageTemplate.objects.filter(pk=int(pk)).first() if user.can("manage_alerts") else None
    if row is None:
        raise Http404(_("There is no such template."))
    remove_template(by=user, template=row)
    messages.success(request, _("Removed. The wider template takes its place."))
    return redirect("templates")


def _given(request: HttpRequest, row: MessageTemplate | None) -> dict[str, str]:
    if request.method == "POST":
        return {name: request.POST.get(name, "")[:5000] for name in FIELDS}
    if row is not None:
        return {name: getattr(row, name) for name in FIELDS}
    return {"event": "any", "channel": "", "language": "ar", "subject": "{level}: {title}", "body": "", "provider_template": ""}


def _facts(request: HttpRequest, user: User, row: MessageTemplate | None, given: dict[str, str], wrong: dict[str, str]) -> dict[str, Any]:
    rows = MessageTemplate.objects.only("event", "channel", "language", "is_seeded")
    order = {value: number for number, value in enumerate(MessageTemplate.Event.values)}
    groups: dict[str, list[MessageTemplate]] = {}
    for one in sorted(rows, key=lambda one: (order.get(one.event, 99), one.channel, one.language)):
        groups.setdefault(str(one.get_event_display()), []).append(one)
    offered = list(Alert.objects.visible_to(user).select_related("rule").order_by("-id")[:ALERTS_OFFERED])
    chosen = request.POST.get("alert") or request.GET.get("alert", "")
    alert = next((one for one in offered if str(one.pk) == chosen), offered[0] if offered else None)
    shown = (
        preview(subject=given["subject"], body=given["body"], channel=given["channel"], language=given["language"], alert=alert)
        if not wrong
        else None
    )
    return {
        "row": row,
        "given": given,
        "wrong": wrong,
        "groups": groups,
        "offered": offered,
        "alert": alert,
        "shown": shown,
        "is_counted": given["channel"] in COUNTED_IN_PARTS,
        "names": sorted(KNOWN),
        "events": MessageTemplate.Event.choices,
        "channels": [(value, label) for value, label in Channel.choices if value != Channel.IN_APP],
        "languages": User.Language.choices,
        "is_rtl": given["language"] == "ar",
    }
