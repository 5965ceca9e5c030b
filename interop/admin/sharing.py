"""Sharing agreements with both signatures, and the record of what partners read: by incident, by partner, by agreement."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core.admin_kit import ActsOnRows, Ask, CentreAdmin, ReadOnlyAdmin, ReadOnlyInline, ReasonForm, as_json, bdi, pill
from incidents.models import Incident, IncidentType
from interop.admin.limits import When
from interop.models import AgreementVersion, Part, Partner, ReadRecord, SharingAgreement, Signature
from interop.services.sharing import AgreementTerms, change_agreement, propose_agreement, revoke_agreement, sign_agreement
from interop.services.sharing.agreements import may_write

STANDING = {"proposed": "warn", "ahead": "busy", "holds": "ok", "ended": "quiet", "revoked": "bad"}
SHOWN_INCIDENTS = 200


class AgreementForm(forms.ModelForm):
    parts = forms.MultipleChoiceField(
        label=gettext_lazy("Is told besides what and when"), choices=Part.choices, required=False, widget=forms.CheckboxSelectMultiple
    )
    categories = forms.MultipleChoiceField(label=gettext_lazy("Categories"), required=False, widget=forms.CheckboxSelectMultiple)

    class Meta:
        model = SharingAgreement
        fields = [
            "title", "purpose", "giver", "receiver", "partner", "all_types", "categories", "types", "all_governorates", "governorates",
            "parts", "precision", "occurred_from", "starts_at", "ends_at",
        ]  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "categories" in self.fields:
            known = IncidentType.objects.order_by("category").values_list("category", flat=True).distinct()
            self.fields["categories"].choices = [(name, name) for name in known]  # type: ignore[attr-defined]


class SignForm(Ask):
    """Signs the versions that stood on the page that asked."""

    versions = forms.CharField(widget=forms.HiddenInput, max_length=20_000)

    def clean_versions(self) -> dict[int, int]:
        pairs = [pair.split(":") for pair in str(self.cleaned_data["versions"]).split(",")]
        if not all(len(pair) == 2 and all(part.isascii() and part.isdigit() and len(part) < 19 for part in pair) for pair in pairs):
            raise forms.ValidationError(_("It was changed meanwhile: read it again before you sign."))
        return {int(pk): int(version) for pk, version in pairs}


class SignatureInline(ReadOnlyInline):
    model = Signature
    fields = ["version", "side", "by", "at"]
    verbose_name_plural = gettext_lazy("signatures")


@admin.register(SharingAgreement)
class AgreementAdmin(ActsOnRows, CentreAdmin):
    form = AgreementForm
    audits_itself = True
    list_display = ["title_shown", "giver", "receiver", "precision", "starts_at", "ends_at", "stands"]
    list_filter = ["state", "giver", "receiver"]
    list_select_related = ["giver", "receiver"]
    search_fields = ["=id", "title"]
    search_help_text = gettext_lazy("Its number or title.")
    ordering = ["-id"]
    autocomplete_fields = ["giver", "receiver", "partner"]
    inlines = [SignatureInline]
    actions = ["sign", "revoke"]
    object_actions = ["sign", "revoke"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    def has_share_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("share")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and self.has_share_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_change_permission(request, obj) and self.has_share_permission(request)
        return may and (obj is None or may_write(obj, request.user))  # type: ignore[arg-type]

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj is not None else []

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return AgreementForm.Meta.fields
        return ["stands", "version", *AgreementForm.Meta.fields, "created_by", "created_at", "revoked_at", "revoked_by", "revoked_because"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return []
        return ["giver", "receiver", *(name for name in self.get_fields(request, obj) if name not in AgreementForm.Meta.fields)]

    @admin.display(description=gettext_lazy("title"), ordering="id")
    def title_shown(self, agreement: SharingAgreement) -> Any:
        return bdi(agreement)

    @admin.display(description=gettext_lazy("standing"), ordering="state")
    def stands(self, agreement: SharingAgreement) -> Any:
        return pill(STANDING[agreement.standing], agreement.standing.label)

    # -- made and changed by services ------------------------------------------------------------------------------------------------

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        given = dict(form.cleaned_data)
        if not change:
            obj.pk = propose_agreement(terms=AgreementTerms(**given), by=request.user).pk
        elif form.changed_data:
            held = SharingAgreement.objects.select_related("giver", "receiver").get(pk=obj.pk)
            terms = AgreementTerms(**{**given, "giver": held.giver, "receiver": held.receiver})
            change_agreement(agreement=held, terms=terms, by=request.user)

    def save_related(self, request: Any, form: Any, formsets: Any, change: bool) -> None:
        """The service did it."""

    @admin.action(description=gettext_lazy("Sign…"), permissions=["share"])
    def sign(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=lambda data=None: SignForm(data, initial={"versions": ",".join(f"{row.pk}:{row.version}" for row in queryset)}),
            title=_("Sign for your agency"),
            button=_("Sign"),
            note=_("You sign the terms as they stand now. With both signatures the other agency's systems read at once."),
            perform=lambda row, answers: sign_agreement(agreement=row, version=answers["versions"].get(row.pk, 0), by=request.user),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d agreement was signed.", "%(n)d agreements were signed.", count) % {"n": count},
        )

    @admin.action(description=gettext_lazy("Revoke…"), permissions=["share"])
    def revoke(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=ReasonForm,
            title=_("Revoke agreements"),
            button=_("Revoke"),
            note=_("Nothing more is read through it from this moment, and it does not come back: propose another."),
            perform=lambda row, answers: revoke_agreement(agreement=row, by=request.user, reason=answers["reason"]),  # type: ignore[arg-type]
            done=lambda count: ngettext("%(n)d agreement was revoked.", "%(n)d agreements were revoked.", count) % {"n": count},
            is_grave=True,
        )


class OfAgreements(ReadOnlyAdmin):
    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.filter(agreement__in=SharingAgreement.objects.visible_to(viewer).order_by())


@admin.register(AgreementVersion)
class AgreementVersionAdmin(OfAgreements):
    list_display = ["__str__", "agreement", "written_by", "written_at"]
    list_select_related = ["agreement", "written_by"]
    search_fields = ["=agreement__id"]
    search_help_text = gettext_lazy("The agreement's number.")
    ordering = ["-id"]
    fields = ["agreement", "version", "terms_shown", "written_by", "written_at"]

    @admin.display(description=gettext_lazy("terms"))
    def terms_shown(self, version: AgreementVersion) -> Any:
        return as_json(version.terms)


@admin.register(Signature)
class SignatureAdmin(OfAgreements):
    list_display = ["agreement", "version", "side", "by", "at"]
    list_select_related = ["agreement", "by"]
    list_filter = ["side"]
    ordering = ["-id"]


# --- what was read -------------------------------------------------------------------------------------------------------------------


class ByPartner(admin.SimpleListFilter):
    title = gettext_lazy("partner")
    parameter_name = "partner"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [(str(pk), name) for pk, name in Partner.objects.order_by("name").values_list("pk", "name")[:200]]

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        value = self.value()
        return queryset.filter(partner_id=int(value)) if value and value.isdigit() and len(value) < 19 else queryset


class ByRight(admin.SimpleListFilter):
    title = gettext_lazy("right")
    parameter_name = "right"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [("own", _("its own agency's")), ("shared", _("through an agreement"))]

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        return queryset.filter(agreement_id__isnull=self.value() == "own") if self.value() in {"own", "shared"} else queryset


class AtAnyTime(When):
    """Of one incident: all that is kept."""

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        return queryset if request.GET.get("q") else super().queryset(request, queryset)


@admin.register(ReadRecord)
class ReadRecordAdmin(ReadOnlyAdmin):
    """What did partner X see of incident Y: search its reference, choose the partner."""

    list_display = ["at", "reader_shown", "right", "precision", "told", "door", "request_id"]
    list_filter = [AtAnyTime, ByPartner, ByRight]
    search_fields = ["request_id"]
    search_help_text = gettext_lazy("An incident's reference: who was told it; a request id; or an agreement (SA-12).")
    ordering = ["-at", "-id"]
    fields = ["at", "reader_shown", "right", "precision", "door", "request_id", "incidents_shown"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        return rows.visible_to(viewer)  # type: ignore[attr-defined]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) and getattr(request.user, "can", lambda verb: False)("read_records")

    def get_search_results(self, request: Any, queryset: models.QuerySet, search_term: str) -> tuple[models.QuerySet, bool]:
        words = search_term.strip()
        if not words:
            return queryset, False
        if words.upper().startswith("SA-") and words[3:].split("/")[0].isdigit():
            return queryset.filter(agreement_id=int(words[3:].split("/")[0][:18])), False
        incident = Incident.objects.visible_to(request.user).by_ref(words).values_list("pk", flat=True).first()
        if incident is not None:
            return ReadRecord.objects.of_incident(incident).order_by(*self.ordering), False
        return queryset.filter(request_id=words[:64]), False

    @admin.display(description=gettext_lazy("reader"), ordering="reader")
    def reader_shown(self, read: ReadRecord) -> Any:
        return bdi(read.reader)

    @admin.display(description=gettext_lazy("by what right"), ordering="agreement_id")
    def right(self, read: ReadRecord) -> Any:
        if read.agreement_id is None:
            return pill("quiet", _("its own agency's"))
        return pill("busy", f"SA-{read.agreement_id}/{read.version}")

    @admin.display(description=gettext_lazy("incidents"))
    def told(self, read: ReadRecord) -> int:
        return len(read.incident_ids)

    @admin.display(description=gettext_lazy("incidents you may see"))
    def incidents_shown(self, read: ReadRecord) -> Any:
        rows = Incident.objects.visible_to(read.viewer)  # type: ignore[attr-defined]
        rows = rows.filter(pk__in=read.incident_ids).select_related("region").defer("search")
        return format_html_join(", ", "<bdi>{}</bdi>", ((row.ref,) for row in rows.order_by("-id")[:SHOWN_INCIDENTS])) or "–"

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        read = super().get_object(request, object_id, from_field)
        if read is not None:
            read.viewer = request.user
        return read
