"""Devices: their state, what they said last, their keys. A key's secret is shown once."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.admin_kit import ActsOnRows, Ask, OptionalReasonForm, ReadOnlyAdmin, ReasonForm, age, bdi, pill, shown_once
from core.admin_map import MapMedia
from iot.admin.certificates import BrokerActions, EndingFilter
from iot.admin.profiles import OfAgencyAdmin
from iot.models import Datastream, Device, DeviceCredential, DeviceOutage, Reading
from iot.quality import labels_of
from iot.services import (
    approve_device,
    change_device,
    issue_device_key,
    register_device,
    resume_device,
    retire_device,
    revoke_credential,
    suspend_device,
)
from iot.services.certificates import ENDING_WITHIN
from iot.services.devices import IDENTITIES, tidied_identity

STATE = {"unclaimed": "quiet", "quarantined": "warn", "active": "ok", "suspended": "bad", "retired": "quiet"}
STATUS = {"unheard": "quiet", "online": "ok", "offline": "bad"}
SHOWN_READINGS = 30
CHANGED = ["name", "location", "gateway", "maintenance_until", *IDENTITIES, "groups"]


class DeviceForm(forms.ModelForm):
    """Identities are kept in one spelling, whatever way they are typed."""

    class Meta:
        model = Device
        fields = ["code", "name", "profile", "agency", "location", "groups", "gateway", *IDENTITIES, "maintenance_until"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in IDENTITIES:
            if name in self.fields:
                self.fields[name].max_length = None  # type: ignore[attr-defined]
                self.fields[name] = forms.CharField(required=False, max_length=40, label=self.fields[name].label)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        return cleaned | {name: tidied_identity(name, cleaned[name]) for name in IDENTITIES if cleaned.get(name)}


class KeyForm(Ask):
    not_after = forms.SplitDateTimeField(
        required=False, label=gettext_lazy("Valid until"), help_text=gettext_lazy("Empty: until it is revoked."),
        widget=admin.widgets.AdminSplitDateTime,
    )  # fmt: skip


@admin.register(Device)
class DeviceAdmin(BrokerActions, MapMedia, ActsOnRows, OfAgencyAdmin):
    form = DeviceForm
    audits_itself = True
    list_display = ["code", "name_shown", "profile", "agency", "governorate_name", "stands", "status_shown", "seen", "battery_pct"]
    list_filter = ["state", "status", "profile", "agency", "is_synthetic"]
    list_select_related = ["profile", "agency", "governorate"]
    search_fields = ["code", "name", *IDENTITIES]
    ordering = ["code"]
    autocomplete_fields = ["profile", "gateway", "groups"]
    actions = ["approve", "give_key", "give_certificate", "give_mqtt_password", "command", "suspend", "resume", "retire"]
    object_actions = ["approve", "give_key", "give_certificate", "give_mqtt_password", "command", "suspend", "resume", "retire"]
    facts = [
        "stands", "status_shown", "status_since", "seen", "clock_skew_s", "battery_pct", "signal_dbm", "firmware",
        "governorate_name", "area_name", "flapping_since", "registered_at", "is_synthetic",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).defer("governorate__boundary", "area__boundary")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        own = (None, {"fields": DeviceForm.Meta.fields})
        if obj is None:
            return [own]
        said = (gettext_lazy("What it said"), {"fields": ["last_values", "newest_readings"]})
        return [(gettext_lazy("How it stands"), {"fields": self.facts}), said, own]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = [*self.facts, "last_values", "newest_readings"]
        return [*shown, "code", "agency", "profile"] if obj is not None else shown

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        given = form.cleaned_data
        if change:
            changes = {name: given[name] for name in CHANGED if name in given and name in form.changed_data}
            change_device(device=Device.objects.get(pk=obj.pk), by=request.user, changes=changes)
            return
        made = register_device(
            code=given["code"], name=given["name"], profile=given["profile"], agency=given["agency"], by=request.user,
            location=given["location"], groups=given["groups"], gateway=given["gateway"],
            identities={name: given[name] for name in IDENTITIES},
        )  # fmt: skip
        obj.pk = made.pk
        if given["maintenance_until"]:
            change_device(device=made, by=request.user, changes={"maintenance_until": given["maintenance_until"]})

    def save_related(self, request: Any, form: Any, formsets: Any, change: bool) -> None:
        """The service did it."""

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("manage_devices")

    # -- columns ------------------------------------------------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("name"), ordering="name")
    def name_shown(self, device: Device) -> Any:
        return format_html("{} {}", device.name, pill("quiet", _("synthetic"))) if device.is_synthetic else device.name or "–"

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def stands(self, device: Device) -> Any:
        return pill(STATE[device.state], device.get_state_display())

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def status_shown(self, device: Device) -> Any:
        if device.is_in_maintenance:
            return pill("busy", _("in maintenance"))
        if device.flapping_since is not None:
            return pill("warn", _("comes and goes"))
        return pill(STATUS[device.status], device.get_status_display())

    @admin.display(description=gettext_lazy("last seen"), ordering="last_seen_at")
    def seen(self, device: Device) -> Any:
        return age(device.last_seen_at)

    @admin.display(description=gettext_lazy("governorate"), ordering="governorate")
    def governorate_name(self, device: Device) -> str:
        return str(device.governorate or "–")

    @admin.display(description=gettext_lazy("area"))
    def area_name(self, device: Device) -> str:
        return str(device.area or "–")

    @admin.display(description=gettext_lazy("last values"))
    def last_values(self, device: Device) -> SafeString | str:
        rows = [
            {"metric": stream.metric, "at": stream.last_at, "value": stream.last_value, "quality": labels_of(stream.last_quality)}
            for stream in device.datastreams.select_related("metric").order_by("metric__code")
        ]
        return render_to_string("admin/iot/_readings.html", {"rows": rows}) if rows else _("It has not said anything yet.")

    @admin.display(description=gettext_lazy("newest readings"))
    def newest_readings(self, device: Device) -> SafeString | str:
        streams = list(device.datastreams.select_related("metric"))
        # A few of each stream by its key, so that no day's table is read through.
        newest = [
            {"metric": stream.metric, "at": at, "value": value, "quality": labels_of(quality)}
            for stream in streams
            if stream.last_at is not None
            for at, value, quality in Reading.objects.filter(datastream=stream, at__lte=stream.last_at)
            .order_by("-at")
            .values_list("at", "value", "quality")[:SHOWN_READINGS]
        ]
        newest.sort(key=lambda row: row["at"], reverse=True)
        return render_to_string("admin/iot/_readings.html", {"rows": newest[:SHOWN_READINGS]}) if newest else "–"

    # -- verbs --------------------------------------------------------------------------------------------------------------------------

    @admin.action(description=gettext_lazy("Approve…"), permissions=["manage"])
    def approve(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            title=_("Approve devices"),
            button=_("Approve"),
            note=_("What they say is kept from now on. Look whether each is what it says it is, and where."),
            perform=lambda device, _answers: approve_device(device=device, by=request.user),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d device was approved.", "%(n)d devices were approved.", count) % {"n": count},
        )

    @admin.action(description=gettext_lazy("Suspend…"), permissions=["manage"])
    def suspend(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=ReasonForm,
            title=_("Suspend devices"),
            button=_("Suspend"),
            note=_("Nothing they say is kept until somebody resumes them."),
            is_grave=True,
            perform=lambda device, answers: suspend_device(device=device, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d device was suspended.", "%(n)d devices were suspended.", count) % {"n": count},
        )

    @admin.action(description=gettext_lazy("Resume…"), permissions=["manage"])
    def resume(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=OptionalReasonForm,
            title=_("Resume devices"),
            button=_("Resume"),
            perform=lambda device, answers: resume_device(device=device, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d device is in use again.", "%(n)d devices are in use again.", count) % {"n": count},
        )

    @admin.action(description=gettext_lazy("Retire…"), permissions=["manage"])
    def retire(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=ReasonForm,
            title=_("Retire devices"),
            button=_("Retire"),
            note=_("For good: their keys end with them. Their readings stay as long as they are kept."),
            is_grave=True,
            perform=lambda device, answers: retire_device(device=device, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d device was retired.", "%(n)d devices were retired.", count) % {"n": count},
        )

    @admin.action(description=gettext_lazy("Give a key…"), permissions=["manage"])
    def give_key(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        secrets: list[tuple[str, str]] = []

        def perform(device: Any, answers: dict[str, Any]) -> None:
            secrets.append((device.code, issue_device_key(device=device, by=request.user, not_after=answers["not_after"])[1]))  # type: ignore[arg-type]

        answer = self.act(
            request,
            queryset,
            form=KeyForm,
            title=_("Give devices a key"),
            button=_("Make a key"),
            perform=perform,
            done=lambda count: ngettext("%(n)d key was made.", "%(n)d keys were made.", count) % {"n": count},
        )
        if not secrets:
            return answer
        note = _("Put it into the device by a safe way. Only its hash is kept; it cannot be shown again.")
        return shown_once(self, request, title=_("The key, shown once"), secrets=secrets, note=note)


class OfDeviceAdmin(ReadOnlyAdmin):
    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.visible_to(viewer)
        return found

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return list(self.readonly_fields)

    @admin.display(description=gettext_lazy("device"), ordering="device__code")
    def device_code(self, row: Any) -> SafeString | str:
        return bdi(row.device.code) if row.device is not None else "–"


@admin.register(DeviceCredential)
class DeviceCredentialAdmin(ActsOnRows, OfDeviceAdmin):
    """Made on a device's page, revoked here. Nobody sees a secret again, nor its hash."""

    list_display = ["device_code", "kind", "begins", "standing", "not_after", "last_used", "issued_at"]
    list_filter = ["kind", EndingFilter]
    list_select_related = ["device"]
    search_fields = ["device__code", "prefix", "serial"]
    date_hierarchy = "issued_at"
    readonly_fields = [
        "device_code",
        "kind",
        "begins",
        "serial",
        "standing",
        "not_after",
        "last_used",
        "issued_at",
        "issued_by",
        "revoked_at",
    ]
    actions = ["revoke"]
    object_actions = ["revoke"]

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("manage_devices")

    @admin.display(description=gettext_lazy("begins with"), ordering="prefix")
    def begins(self, credential: DeviceCredential) -> Any:
        return "–" if credential.kind == "mqtt" else bdi(f"{credential.prefix or credential.digest[:8]}…")

    @admin.display(description=gettext_lazy("standing"), ordering="revoked_at")
    def standing(self, credential: DeviceCredential) -> Any:
        if credential.revoked_at is not None:
            return pill("bad", _("revoked"))
        now = timezone.now()
        if not credential.is_usable_at(now):
            return pill("quiet", _("expired"))
        ends_soon = credential.not_after is not None and credential.not_after <= now + ENDING_WITHIN
        return pill("warn", _("ends soon")) if ends_soon else pill("ok", _("in use"))

    @admin.display(description=gettext_lazy("last used"), ordering="last_used_at")
    def last_used(self, credential: DeviceCredential) -> Any:
        return age(credential.last_used_at)

    @admin.action(description=gettext_lazy("Revoke…"), permissions=["manage"])
    def revoke(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=OptionalReasonForm,
            title=_("Revoke credentials"),
            button=_("Revoke"),
            note=_("At once and for good: the device is refused from its next message on."),
            is_grave=True,
            perform=lambda credential, answers: revoke_credential(
                credential=credential,
                by=request.user,  # type: ignore[arg-type]
                reason=answers["reason"],
            ),
            done=lambda count: ngettext("%(n)d credential was revoked.", "%(n)d credentials were revoked.", count) % {"n": count},
        )


@admin.register(Datastream)
class DatastreamAdmin(OfDeviceAdmin):
    list_display = ["device_code", "metric", "last_value", "doubts", "last_at", "heard"]
    list_filter = ["metric__profile"]
    list_select_related = ["device", "metric"]
    search_fields = ["device__code", "metric__code"]
    ordering = ["device__code", "metric__code"]
    readonly_fields = ["device_code", "metric", "last_value", "doubts", "last_at", "last_received_at"]

    @admin.display(description=gettext_lazy("known against it"))
    def doubts(self, stream: Datastream) -> str:
        return labels_of(stream.last_quality) or "–"

    @admin.display(description=gettext_lazy("last seen"), ordering="last_received_at")
    def heard(self, stream: Datastream) -> Any:
        return age(stream.last_received_at)


@admin.register(DeviceOutage)
class DeviceOutageAdmin(OfDeviceAdmin):
    list_display = ["device_code", "began_at", "noticed_at", "ended_at"]
    list_select_related = ["device"]
    search_fields = ["device__code"]
    date_hierarchy = "noticed_at"
    readonly_fields = ["device_code", "began_at", "noticed_at", "ended_at"]
