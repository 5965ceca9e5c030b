"""What devices are let in by at the broker, and what they are told: the forms, and the list of commands."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.admin_kit import Ask, ReadOnlyAdmin, bdi, pill, shown_once
from iot.models import DeviceCommand
from iot.services import issue_certificate, issue_mqtt_password, send_command
from iot.services.certificates import DAYS, ENDING_WITHIN, MOST_DAYS

STANDING = {"queued": "busy", "sent": "warn", "acknowledged": "ok", "failed": "bad"}


class CertificateForm(Ask):
    days = forms.IntegerField(label=gettext_lazy("Valid for (days)"), initial=DAYS, min_value=1, max_value=MOST_DAYS)
    csr = forms.CharField(
        required=False, label=gettext_lazy("Request (PEM)"), widget=forms.Textarea(attrs={"rows": 6, "dir": "ltr", "spellcheck": "false"}),
        help_text=gettext_lazy("For one device, if it made its key itself. Empty: a key is made here and shown once."),
    )  # fmt: skip


class CommandForm(Ask):
    payload = forms.CharField(
        label=gettext_lazy("Command (JSON)"), initial="{}", widget=forms.Textarea(attrs={"rows": 4, "dir": "ltr", "spellcheck": "false"})
    )
    lasts_min = forms.IntegerField(label=gettext_lazy("Of use for (minutes)"), initial=60, min_value=1, max_value=7 * 24 * 60)
    cause = forms.CharField(label=gettext_lazy("Why"), max_length=200)

    def clean_payload(self) -> dict[str, Any]:
        try:
            given = json.loads(self.cleaned_data["payload"])
        except ValueError as error:
            raise ValidationError(_("This is no JSON.")) from error
        if not isinstance(given, dict) or not given:
            raise ValidationError(_("A JSON object that is not empty."))
        return given


class BrokerActions:
    """What a device is given for the broker, and what it is told; for the device's admin."""

    @admin.action(description=gettext_lazy("Give a certificate…"), permissions=["manage"])
    def give_certificate(self: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        shown: list[tuple[str, str]] = []
        authority: set[str] = set()

        def perform(device: Any, answers: dict[str, Any]) -> None:
            csr = answers["csr"].strip().encode() or None
            issued = issue_certificate(device=device, by=request.user, days=answers["days"], csr=csr)  # type: ignore[arg-type]
            shown.append((f"{device.code}.pem", issued.pem))
            if issued.key_pem is not None:
                shown.append((f"{device.code}.key", issued.key_pem))
            authority.add(issued.authority_pem)

        answer: HttpResponse | None = self.act(
            request,
            queryset,
            form=CertificateForm,
            title=_("Give devices a certificate"),
            button=_("Make a certificate"),
            note=_("It opens the MQTT broker under the device's own code, and nothing else."),
            perform=perform,
            done=lambda count: ngettext("%(n)d certificate was made.", "%(n)d certificates were made.", count) % {"n": count},
        )
        if not shown:
            return answer
        note = _("Put them into the device by a safe way, with the authority's certificate (ca.pem). The key is kept nowhere.")
        shown += [("ca.pem", pem) for pem in authority]
        return shown_once(self, request, title=_("The certificate, its key shown once"), secrets=shown, note=note)

    @admin.action(description=gettext_lazy("Give an MQTT password…"), permissions=["manage"])
    def give_mqtt_password(self: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        shown: list[tuple[str, str]] = []

        def perform(device: Any, _answers: dict[str, Any]) -> None:
            shown.append((device.code, issue_mqtt_password(device=device, by=request.user)[1]))  # type: ignore[arg-type]

        answer: HttpResponse | None = self.act(
            request,
            queryset,
            title=_("Give devices an MQTT password"),
            button=_("Make a password"),
            note=_("For a device that cannot have a certificate, on a closed network. An earlier password ends."),
            perform=perform,
            done=lambda count: ngettext("%(n)d password was made.", "%(n)d passwords were made.", count) % {"n": count},
        )
        if not shown:
            return answer
        note = _("Put it into the device by a safe way. Only its hash is kept; it cannot be shown again.")
        return shown_once(self, request, title=_("The password, shown once"), secrets=shown, note=note)

    @admin.action(description=gettext_lazy("Send a command…"), permissions=["manage"])
    def command(self: Any, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        def perform(device: Any, answers: dict[str, Any]) -> None:
            lasts = timedelta(minutes=answers["lasts_min"])
            by: Any = request.user
            send_command(device=device, payload=answers["payload"], by=by, cause=answers["cause"], lasts=lasts)

        answer: HttpResponse | None = self.act(
            request,
            queryset,
            form=CommandForm,
            title=_("Send devices a command"),
            button=_("Send"),
            note=_("It waits until the device listens, or until it is of no use any more."),
            perform=perform,
            done=lambda count: ngettext("%(n)d command waits to be sent.", "%(n)d commands wait to be sent.", count) % {"n": count},
        )
        return answer


class EndingFilter(admin.SimpleListFilter):
    title = gettext_lazy("ends")
    parameter_name = "ends"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("soon", _("Within 30 days")), ("ended", _("Has ended"))]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        now = timezone.now()
        if self.value() == "soon":
            return queryset.filter(revoked_at=None, not_after__gt=now, not_after__lte=now + ENDING_WITHIN).order_by("not_after")
        if self.value() == "ended":
            return queryset.filter(revoked_at=None, not_after__lte=now)
        return queryset


@admin.register(DeviceCommand)
class DeviceCommandAdmin(ReadOnlyAdmin):
    """Asked for on a device's page; a record here."""

    list_display = ["device_code", "payload", "standing", "transport", "cause", "asked_at", "sent_at", "ended_at"]
    list_filter = ["state", "transport"]
    list_select_related = ["device"]
    search_fields = ["device__code", "cause"]
    date_hierarchy = "asked_at"
    readonly_fields = [
        "device_code", "reference", "payload", "standing", "transport", "cause", "asked_by", "asked_at", "expires_at", "tries", "sent_at",
        "ended_at", "problem",
    ]  # fmt: skip

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.visible_to(viewer)
        return found

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return list(self.readonly_fields)

    @admin.display(description=gettext_lazy("device"), ordering="device__code")
    def device_code(self, command: DeviceCommand) -> SafeString:
        return bdi(command.device.code)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def standing(self, command: DeviceCommand) -> Any:
        return pill(STANDING[command.state], command.get_state_display())
