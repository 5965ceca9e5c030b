"""Networks that speak for devices: their token is shown once, what we call them with is never shown. Radio sessions, as servers tell."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.admin_kit import ActsOnRows, ReadOnlyAdmin, age, bdi, pill, shown_once
from iot.admin.devices import OfDeviceAdmin
from iot.admin.profiles import OfAgencyAdmin
from iot.decoders.lorawan_topics import prefix_of
from iot.models import DeviceNetwork, HeardMessage, LoraSession
from iot.services.networks import issue_broker_password, issue_network_token, keep_network, withdraw_broker_password


class NetworkForm(forms.ModelForm):
    base_url = forms.URLField(
        required=False, max_length=300, assume_scheme="https", label=gettext_lazy("address of its API"),
        help_text=gettext_lazy("For messages down to devices: https://…"),
    )  # fmt: skip
    api_token = forms.CharField(
        required=False, max_length=500, label=gettext_lazy("Key of its API"), widget=forms.PasswordInput(render_value=False),
        help_text=gettext_lazy("For messages down. Sealed, and never shown again; empty leaves it as it is."),
    )  # fmt: skip

    class Meta:
        model = DeviceNetwork
        fields = ["name", "kind", "agency", "governorate", "profile_for_strangers", "base_url", "application", "is_active"]


OF_ITS_OWN = ["begins", "account", "heard"]


@admin.register(DeviceNetwork)
class DeviceNetworkAdmin(ActsOnRows, OfAgencyAdmin):
    form = NetworkForm
    audits_itself = True
    list_display = ["name", "kind", "agency", "standing", "begins", "heard"]
    list_filter = ["kind", "agency"]
    list_select_related = ["agency"]
    search_fields = ["name"]
    ordering = ["agency", "name"]
    autocomplete_fields = ["profile_for_strangers"]
    actions = ["give_token", "give_broker_password", "withdraw_broker_password"]
    object_actions = ["give_token", "give_broker_password", "withdraw_broker_password"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [(None, {"fields": [*NetworkForm.Meta.fields, "api_token", *(OF_ITS_OWN if obj is not None else [])]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*OF_ITS_OWN, "kind", "agency"] if obj is not None else OF_ITS_OWN

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        keep_network(network=obj, by=request.user, api_token=form.cleaned_data.get("api_token") or None)

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("manage_devices")

    @admin.display(description=gettext_lazy("standing"), ordering="is_active")
    def standing(self, network: DeviceNetwork) -> Any:
        return pill("ok", _("in use")) if network.is_active else pill("quiet", _("switched off"))

    @admin.display(description=gettext_lazy("token begins with"))
    def begins(self, network: DeviceNetwork) -> Any:
        return bdi(f"{network.token_prefix}…") if network.token_prefix else _("It has no token yet.")

    @admin.display(description=gettext_lazy("account at the MQTT broker"))
    def account(self, network: DeviceNetwork) -> Any:
        return bdi(network.broker_account) if network.broker_digest else _("It has no MQTT password.")

    @admin.display(description=gettext_lazy("last heard"), ordering="last_heard_at")
    def heard(self, network: DeviceNetwork) -> Any:
        return age(network.last_heard_at)

    @admin.action(description=gettext_lazy("Give a token…"), permissions=["manage"])
    def give_token(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        secrets: list[tuple[str, str]] = []
        answer = self.act(
            request,
            queryset,
            title=_("Give networks a token"),
            button=_("Make a token"),
            note=_("The token before ends at once."),
            perform=lambda network, _answers: secrets.append((network.name, issue_network_token(network=network, by=request.user))),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d token was made.", "%(n)d tokens were made.", count) % {"n": count},
        )
        if not secrets:
            return answer
        note = _("It goes into the server's integration as the header X-Network-Token. Only its hash is kept.")
        return shown_once(self, request, title=_("The token, shown once"), secrets=secrets, note=note)

    @admin.action(description=gettext_lazy("Give an MQTT password…"), permissions=["manage"])
    def give_broker_password(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        shown: list[tuple[str, str]] = []

        def perform(network: Any, _answers: dict[str, Any]) -> None:
            by: Any = request.user
            secret = issue_broker_password(network=network, by=by)
            shown.extend(
                [(_("Account"), network.broker_account), (_("Password"), secret), (_("Prefix"), prefix_of(network.broker_account))]
            )

        answer = self.act(
            request,
            queryset,
            title=_("Give networks an MQTT password"),
            button=_("Make a password"),
            note=_("It opens the broker's port for networks, under the network's own prefix alone. An earlier password ends."),
            perform=perform,
            done=lambda count: ngettext("%(n)d password was made.", "%(n)d passwords were made.", count) % {"n": count},
        )
        if not shown:
            return answer
        note = _("It goes into the server's MQTT integration, whose topics begin with the prefix. Only its hash is kept.")
        return shown_once(self, request, title=_("The password, shown once"), secrets=shown, note=note)

    @admin.action(description=gettext_lazy("Withdraw the MQTT password…"), permissions=["manage"])
    def withdraw_broker_password(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        by: Any = request.user
        return self.act(
            request,
            queryset,
            title=_("Withdraw networks' MQTT passwords"),
            button=_("Withdraw"),
            note=_("The server is thrown out within seconds, and what it says by MQTT is not taken."),
            is_grave=True,
            perform=lambda network, _answers: withdraw_broker_password(network=network, by=by),
            done=lambda count: ngettext("%(n)d password was withdrawn.", "%(n)d passwords were withdrawn.", count) % {"n": count},
        )


@admin.register(LoraSession)
class LoraSessionAdmin(OfDeviceAdmin):
    list_display = ["device_code", "counter", "missed", "refused", "gateway", "gateways", "rssi_dbm", "snr_db", "heard"]
    list_select_related = ["device"]
    search_fields = ["device__code", "device__dev_eui", "gateway"]
    ordering = ["device__code"]
    readonly_fields = [
        "device_code", "session", "counter", "missed", "refused", "gateway", "gateways", "rssi_dbm", "snr_db", "margin_db", "joined_at",
        "heard_at",
    ]  # fmt: skip

    @admin.display(description=gettext_lazy("last heard"), ordering="heard_at")
    def heard(self, held: LoraSession) -> Any:
        return age(held.heard_at)


@admin.register(HeardMessage)
class HeardMessageAdmin(ReadOnlyAdmin):
    """For those who see everything: a message's id tells of no agency."""

    list_display = ["at", "network", "message_id"]
    list_filter = ["network"]
    search_fields = ["message_id"]
    date_hierarchy = "at"
    readonly_fields = ["at", "network", "message_id"]

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        mine = viewer.jurisdiction
        found: models.QuerySet = rows if mine.agency_ids is None and mine.governorate_ids is None else rows.none()
        return found
