"""Partners, their feeds and their keys. A key's secret is shown once."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.jurisdiction import of_agencies
from core.admin_kit import ActsOnRows, Ask, CentreAdmin, OptionalReasonForm, age, bdi, pill, shown_once
from interop.models import Feed, Kind, Partner, PartnerKey, Scope
from interop.services import issue_key, revoke_key, rotate_key
from interop.services.keys import MOST_OVERLAP_H, OVERLAP_H

MESSAGE_KIND = {"received": "busy", "processed": "ok", "rejected": "warn", "dead": "bad"}


class PartnerForm(forms.ModelForm):
    kinds = forms.MultipleChoiceField(
        label=gettext_lazy("Messages it may send"), choices=Kind.choices, required=False, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = Partner
        fields = ["slug", "name", "agency", "region", "kinds", "cap_senders", "cap_policy", "rate_plan", "is_synthetic", "is_active"]


@admin.register(Partner)
class PartnerAdmin(CentreAdmin):
    form = PartnerForm
    list_display = ["name", "slug", "agency", "region", "sends", "standing"]
    list_filter = ["agency", "is_active", "is_synthetic"]
    list_select_related = ["agency", "region"]
    search_fields = ["slug", "name"]
    ordering = ["slug"]
    autocomplete_fields = ["agency", "region", "cap_policy"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return of_agencies(rows, viewer, "agency_id")

    @admin.display(description=gettext_lazy("may send"))
    def sends(self, partner: Partner) -> str:
        return ", ".join(str(Kind(kind).label) for kind in partner.kinds if kind in Kind.values) or "–"

    @admin.display(description=gettext_lazy("standing"), ordering="is_active")
    def standing(self, partner: Partner) -> Any:
        return pill("ok", _("in use")) if partner.is_active else pill("quiet", _("switched off"))


@admin.register(Feed)
class FeedAdmin(CentreAdmin):
    list_display = ["partner", "kind", "source", "heard"]
    list_filter = ["kind", "partner"]
    list_select_related = ["partner", "source"]
    search_fields = ["partner__slug", "partner__name", "source__slug", "source__name"]
    ordering = ["partner", "kind"]
    autocomplete_fields = ["partner", "source"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return of_agencies(rows, viewer, "partner__agency_id")

    @admin.display(description=gettext_lazy("last heard"))
    def heard(self, feed: Feed) -> Any:
        return age(feed.source.last_received_at)


class KeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(label=gettext_lazy("It may"), choices=Scope.choices, widget=forms.CheckboxSelectMultiple)

    class Meta:
        model = PartnerKey
        fields = ["partner", "name", "scopes", "all_governorates", "governorates", "networks", "precision", "expiry_date"]


class RotateForm(Ask):
    overlap_h = forms.IntegerField(
        label=gettext_lazy("Hours the old key goes on"),
        min_value=0,
        max_value=MOST_OVERLAP_H,
        initial=OVERLAP_H,
        help_text=gettext_lazy("0 ends it now."),
    )


class KeyStanding(admin.SimpleListFilter):
    title = gettext_lazy("standing")
    parameter_name = "standing"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [("usable", _("In use")), ("revoked", _("Revoked"))]

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        return queryset.filter(revoked=self.value() == "revoked") if self.value() else queryset


@admin.register(PartnerKey)
class PartnerKeyAdmin(ActsOnRows, CentreAdmin):
    """Made and revoked, never edited: what a key may do is part of what was handed over."""

    form = KeyForm
    audits_itself = True
    list_display = ["name", "partner", "prefix_shown", "may", "standing", "last_used", "expiry_date"]
    list_filter = [KeyStanding, "partner"]
    list_select_related = ["partner"]
    search_fields = ["name", "prefix", "partner__slug", "partner__name"]
    date_hierarchy = "created"
    ordering = ["-created"]
    autocomplete_fields = ["partner"]
    actions = ["rotate", "revoke"]
    object_actions = ["rotate", "revoke"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return of_agencies(rows, viewer, "partner__agency_id")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("manage_keys")

    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **({**kwargs, "form": forms.ModelForm} if obj is not None else kwargs))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return KeyForm.Meta.fields
        return [
            "partner",
            "name",
            "prefix_shown",
            "may",
            "all_governorates",
            "governorates",
            "from_where",
            "precision",
            "standing",
            "replaces",
            "created",
            "created_by",
            "last_used_at",
            "expiry_date",
            "revoked_at",
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj) if obj is not None else []

    @admin.display(description=gettext_lazy("begins with"), ordering="prefix")
    def prefix_shown(self, key: PartnerKey) -> Any:
        return bdi(f"{key.prefix}…")

    @admin.display(description=gettext_lazy("may"))
    def may(self, key: PartnerKey) -> str:
        return ", ".join(str(Scope(scope).label) for scope in key.scopes if scope in Scope.values) or "–"

    @admin.display(description=gettext_lazy("networks it may call from"))
    def from_where(self, key: PartnerKey) -> Any:
        return bdi(", ".join(key.networks)) if key.networks else _("everywhere")

    @admin.display(description=gettext_lazy("standing"), ordering="revoked")
    def standing(self, key: PartnerKey) -> Any:
        if key.revoked:
            return pill("bad", _("revoked"))
        return pill("quiet", _("expired")) if key.has_expired else pill("ok", _("in use"))

    @admin.display(description=gettext_lazy("last used"), ordering="last_used_at")
    def last_used(self, key: PartnerKey) -> Any:
        return age(key.last_used_at)

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        given = form.cleaned_data
        key, request.secret = issue_key(
            partner=given["partner"],
            name=given["name"],
            scopes=given["scopes"],
            by=request.user,
            governorates=given["governorates"],
            all_governorates=given["all_governorates"],
            networks=given["networks"] or [],
            expires_at=given["expiry_date"],
            precision=given["precision"],
        )
        obj.pk = key.pk

    def save_related(self, request: Any, form: Any, formsets: Any, change: bool) -> None:
        """The service did it."""

    def response_add(self, request: Any, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        return self._shown_once(request, [(str(obj), request.secret)])

    def _shown_once(self, request: HttpRequest, secrets: list[tuple[str, str]]) -> HttpResponse:
        note = _("Hand it over by a safe way. Only its hash is kept; it cannot be shown again.")
        return shown_once(self, request, title=_("The key, shown once"), secrets=secrets, note=note)

    @admin.action(description=gettext_lazy("Rotate…"), permissions=["manage"])
    def rotate(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        secrets: list[tuple[str, str]] = []

        def perform(key: Any, answers: dict[str, Any]) -> None:
            new, secret = rotate_key(key=key, by=request.user, overlap_h=answers["overlap_h"])  # type: ignore[arg-type]
            secrets.append((str(new), secret))

        answer = self.act(
            request,
            queryset,
            form=RotateForm,
            title=_("Rotate keys"),
            button=_("Rotate"),
            note=_("A new key with the same rights. The old one goes on for the hours you name, so that the partner can change over."),
            perform=perform,
            done=lambda count: ngettext("%(n)d key was rotated.", "%(n)d keys were rotated.", count) % {"n": count},
        )
        return self._shown_once(request, secrets) if secrets else answer

    @admin.action(description=gettext_lazy("Revoke…"), permissions=["manage"])
    def revoke(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=OptionalReasonForm,
            title=_("Revoke keys"),
            button=_("Revoke"),
            note=_("At once and for good: the partner's system is refused from the next request on."),
            is_grave=True,
            perform=lambda key, answers: revoke_key(key=key, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d key was revoked.", "%(n)d keys were revoked.", count) % {"n": count},
        )
