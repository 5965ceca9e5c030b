"""People and agencies. People change through services: passwords are made, shown once and kept nowhere."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from import_export.admin import ExportMixin, ImportExportMixin

from accounts.models import Agency, TokenSession, User
from accounts.services import (
    Issued,
    change_person,
    create_person,
    deactivate_person,
    reactivate_person,
    reset_password,
)
from accounts.tokens import end_session
from core.admin_exchange import Exchange, TableResource
from core.admin_kit import ActsOnRows, Ask, CentreAdmin, ReadOnlyAdmin, ReasonForm, age, pill, shown_once
from geography.models import Zone

_DETAILS = ["username", "full_name", "email", "role", "agency", "sees_all_agencies", "governorates", "sees_all_governorates", "language"]


class AgencyResource(TableResource):
    class Meta(TableResource.Meta):
        model = Agency
        fields = ("slug", "kind", "name_en", "name_ar")
        import_id_fields = ("slug",)


class PersonResource(TableResource):
    """What may be known of people outside: never a password."""

    class Meta(TableResource.Meta):
        model = User
        fields = ("username", "full_name", "email", "role", "agency__slug", "sees_all_agencies", "sees_all_governorates", "is_active")


@admin.register(Agency)
class AgencyAdmin(Exchange, ImportExportMixin, CentreAdmin):
    list_display = ["name", "slug", "kind"]
    list_filter = ["kind"]
    search_fields = ["slug", "name_en", "name_ar"]
    ordering = ["slug"]
    resource_classes = [AgencyResource]


class PersonForm(forms.ModelForm):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=2_000,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=gettext_lazy("Why it changes; kept in the audit trail."),
    )

    class Meta:
        model = User
        fields = _DETAILS


class WithoutPasswordYet(admin.SimpleListFilter):
    title = gettext_lazy("signed in")
    parameter_name = "signed_in"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        return [("never", _("Never")), ("yes", _("At least once"))]

    def queryset(self, request: Any, queryset: models.QuerySet) -> models.QuerySet:
        if self.value() == "never":
            return queryset.filter(last_login=None)
        return queryset.filter(last_login__isnull=False) if self.value() == "yes" else queryset


@admin.register(User)
class UserAdmin(ActsOnRows, Exchange, ExportMixin, CentreAdmin):
    form = PersonForm
    audits_itself = True
    list_display = ["username", "full_name", "role_shown", "agency", "sees", "standing", "last_seen"]
    list_filter = ["role", "agency", "is_active", WithoutPasswordYet]
    list_select_related = ["agency"]
    search_fields = ["username", "full_name", "email"]
    search_help_text = gettext_lazy("User name, full name or e-mail.")
    ordering = ["username"]
    autocomplete_fields = ["agency"]
    readonly_fields = ["is_active", "theme", "last_login", "created_at"]
    actions = ["deactivate", "reactivate", "new_passwords"]
    object_actions = ["new_passwords", "deactivate", "reactivate"]
    resource_classes = [PersonResource]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        """Those of the viewer's agencies; who sees every agency sees everybody."""
        agencies = viewer.jurisdiction.agency_ids
        return rows if agencies is None else rows.filter(agency_id__in=sorted(agencies))

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return (
            super().get_queryset(request).prefetch_related(models.Prefetch("governorates", to_attr="their_governorates", queryset=_names()))
        )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        who = (None, {"fields": ["username", "full_name", "email", "language"]})
        rights = (
            _("Role and jurisdiction"),
            {"fields": ["role", "agency", "sees_all_agencies", "governorates", "sees_all_governorates"]},
        )
        if obj is None:
            return [who, rights]
        return [
            who,
            rights,
            *([(_("Why"), {"fields": ["reason"]})] if self.has_change_permission(request, obj) else []),
            (_("Standing"), {"fields": ["is_active", "theme", "last_login", "created_at"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        own = obj is not None and obj.pk == request.user.pk
        return [*self.readonly_fields, *(_DETAILS[3:8] if own else [])]

    # -- lists ----------------------------------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("role"), ordering="role")
    def role_shown(self, person: User) -> Any:
        return pill("quiet", person.get_role_display())

    @admin.display(description=gettext_lazy("sees"))
    def sees(self, person: Any) -> str:
        if person.sees_all_governorates:
            return _("every governorate")
        return ", ".join(zone.name for zone in person.their_governorates) or _("nothing")

    @admin.display(description=gettext_lazy("standing"), ordering="is_active")
    def standing(self, person: User) -> Any:
        return pill("ok", _("active")) if person.is_active else pill("bad", _("deactivated"))

    @admin.display(description=gettext_lazy("last signed in"), ordering="last_login")
    def last_seen(self, person: User) -> Any:
        return age(person.last_login)

    # -- changes go through services ----------------------------------------------------------------------------------------------

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        details = {name: form.cleaned_data[name] for name in _DETAILS if name in form.cleaned_data}
        if change:
            change_person(person=obj, by=request.user, reason=form.cleaned_data.get("reason", ""), **details)
        else:
            request.issued = create_person(by=request.user, **details)
            obj.pk = request.issued.person.pk

    def save_related(self, request: Any, form: Any, formsets: Any, change: bool) -> None:
        """The service did it."""

    def response_add(self, request: Any, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        return self.show_passwords(request, [request.issued])

    def show_passwords(self, request: HttpRequest, issued: list[Issued]) -> HttpResponse:
        return shown_once(
            self,
            request,
            title=ngettext("The password, shown once", "The passwords, shown once", len(issued)),
            secrets=[(one.person.username, one.password) for one in issued],
            note=_("Hand it over in person or by telephone. It is kept nowhere and cannot be shown again."),
        )

    # -- verbs ------------------------------------------------------------------------------------------------------------------

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("manage_people")

    @admin.action(description=gettext_lazy("Deactivate…"), permissions=["manage"])
    def deactivate(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=ReasonForm,
            title=_("Deactivate people"),
            button=_("Deactivate"),
            note=_("Their sessions end at once. They can be let in again with a new password."),
            is_grave=True,
            perform=lambda person, answers: deactivate_person(person=person, by=_user(request), reason=answers["reason"]),
            done=lambda count: ngettext("%(n)d person was deactivated.", "%(n)d people were deactivated.", count) % {"n": count},
        )

    @admin.action(description=gettext_lazy("Let in again…"), permissions=["manage"])
    def reactivate(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self._issue(request, queryset, reactivate_person, _("Let people in again"), _("Let in again"))

    @admin.action(description=gettext_lazy("New password…"), permissions=["manage"])
    def new_passwords(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self._issue(request, queryset, reset_password, _("Make new passwords"), _("Make a new password"))

    def _issue(self, request: HttpRequest, queryset: models.QuerySet, verb: Any, title: str, button: str) -> HttpResponse | None:
        issued: list[Issued] = []
        asked = self.act(
            request,
            queryset,
            form=Ask,
            title=title,
            button=button,
            note=_("Their sessions end. Each new password is shown once, on the next page."),
            perform=lambda person, answers: issued.append(verb(person=person, by=_user(request))),
            done=lambda count: ngettext("%(n)d password was made.", "%(n)d passwords were made.", count) % {"n": count},
        )
        return self.show_passwords(request, issued) if issued else asked


@admin.register(TokenSession)
class TokenSessionAdmin(ActsOnRows, ReadOnlyAdmin):
    """Where people are signed in with tokens."""

    list_display = ["user", "standing", "created_at", "last_used", "expires_at", "address", "agent"]
    list_select_related = ["user"]
    search_fields = ["user__username", "user__full_name"]
    date_hierarchy = "created_at"
    ordering = ["-created_at"]
    fields = ["user", "standing", "created_at", "refreshed_at", "expires_at", "revoked_at", "address", "agent"]
    readonly_fields = ["standing"]
    actions = ["end"]
    object_actions = ["end"]

    def visible(self, rows: models.QuerySet, viewer: Any) -> models.QuerySet:
        agencies = viewer.jurisdiction.agency_ids
        return rows if agencies is None else rows.filter(user__agency_id__in=sorted(agencies))

    def has_manage_permission(self, request: HttpRequest) -> bool:
        return getattr(request.user, "can", lambda verb: False)("manage_people")

    @admin.display(description=gettext_lazy("standing"))
    def standing(self, session: TokenSession) -> Any:
        return pill("ok", _("signed in")) if session.holds else pill("quiet", _("ended"))

    @admin.display(description=gettext_lazy("refreshed at"), ordering="refreshed_at")
    def last_used(self, session: TokenSession) -> Any:
        return age(session.refreshed_at)

    @admin.action(description=gettext_lazy("End…"), permissions=["manage"])
    def end(self, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        return self.act(
            request,
            queryset,
            form=Ask,
            title=_("End sign-ins"),
            button=_("End"),
            note=_("Their tokens are refused from the next request on."),
            is_grave=True,
            perform=lambda session, answers: end_session(session=session, by=_user(request)),
            done=lambda count: ngettext("%(n)d sign-in was ended.", "%(n)d sign-ins were ended.", count) % {"n": count},
        )


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _names() -> models.QuerySet:
    return Zone.objects.only("name_en", "name_ar").order_by("code")
