"""Contacts with their addresses, and people's own wishes, in the command centre. An address is read in full
on a contact's own screen, by those who manage alerts; everywhere else it is masked."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.models import Contact, ContactMethod, NotificationRule, Preferences
from alerts.services.people import add_method, change_contact, make_contact, masked, people_of, remove_method, switch_method
from alerts.services.people.methods import MOST_METHODS, OF_CONTACTS
from core.admin_kit import ReadOnlyAdmin, age, pill
from patrol.admin.force import ForceAdmin


def may_manage(request: HttpRequest) -> bool:
    return getattr(request.user, "can", lambda _verb: False)("manage_alerts")


class MethodForm(forms.ModelForm):
    channel = forms.ChoiceField(label=gettext_lazy("channel"), choices=[(one.value, one.label) for one in OF_CONTACTS])

    class Meta:
        model = ContactMethod
        fields = ["channel", "address", "secret_name", "is_active"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("channel", "address", "secret_name") if self.instance.pk else ():
            if name in self.fields:  # who may not manage it is shown another column
                self.fields[name].disabled = True  # another address is another row: what proved this one does not prove that one

    def _post_clean(self) -> None:
        """The service judges the address."""


class MethodFormSet(BaseInlineFormSet):
    def validate_unique(self) -> None:
        """The service says so in words."""


class MethodsInline(admin.TabularInline):
    model = ContactMethod
    fk_name = "contact"
    form = MethodForm
    formset = MethodFormSet
    extra = 0
    max_num = MOST_METHODS
    readonly_fields = ["verified_at", "last_ok_at", "shown_address"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        mine = ["channel", "address", "secret_name", "is_active"] if may_manage(request) else ["channel", "shown_address", "is_active"]
        return [*mine, "verified_at", "last_ok_at"]

    @admin.display(description=gettext_lazy("address"))
    def shown_address(self, method: ContactMethod) -> str:
        return masked(method.channel, method.address)


@admin.register(Contact)
class ContactAdmin(ForceAdmin):
    list_display = ["named", "kind", "code", "agency", "governorate", "language", "reach", "is_active"]
    list_filter = ["kind", "agency", "is_active"]
    list_select_related = ["agency", "governorate"]
    search_fields = ["code", "name_en", "name_ar"]
    ordering = ["code"]
    inlines = [MethodsInline]
    readonly_fields = ["is_synthetic"]
    fields = ["kind", "code", ("name_en", "name_ar"), "agency", "governorate", "language", "is_active", "is_synthetic"]
    audits_itself = True

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        usable = models.Count("methods", filter=models.Q(methods__is_active=True))
        return super().get_queryset(request).defer("governorate__boundary").annotate(ways=usable)

    @admin.display(description=gettext_lazy("name"))
    def named(self, contact: Contact) -> str:
        return contact.name

    @admin.display(description=gettext_lazy("addresses"), ordering="ways")
    def reach(self, contact: Any) -> Any:
        return contact.ways or pill("bad", _("none"))

    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        given = {name: value for name, value in form.cleaned_data.items() if name in form.changed_data or not change}
        if change:
            given.pop("agency", None)
            change_contact(contact=Contact.objects.get(pk=obj.pk), by=request.user, **given)
        else:
            given.pop("is_active", None)
            obj.__dict__.update(make_contact(by=request.user, **given).__dict__)

    def save_formset(self, request: Any, form: Any, formset: Any, change: bool) -> None:
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        contact = Contact.objects.get(pk=form.instance.pk)
        for one in formset.forms:
            told = one.cleaned_data
            if not told:
                continue
            if one.instance.pk and told.get("DELETE"):
                remove_method(method=one.instance, by=request.user)
            elif one.instance.pk and "is_active" in one.changed_data:
                switch_method(method=ContactMethod.objects.get(pk=one.instance.pk), by=request.user, is_active=told["is_active"])
            elif not one.instance.pk and not told.get("DELETE"):
                add_method(
                    by=request.user, contact=contact, channel=told["channel"], address=told["address"], secret_name=told["secret_name"]
                )  # fmt: skip


class OfPeopleAdmin(ReadOnlyAdmin):
    """People say it themselves, on their own page ("How I am told"); it is read here."""

    list_select_related = ["user"]
    search_fields = ["user__username", "user__full_name"]

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        found: models.QuerySet = rows.filter(user__in=people_of(viewer))
        return found


@admin.register(ContactMethod)
class ContactMethodAdmin(OfPeopleAdmin):
    list_display = ["owner", "channel", "shown_address", "verified", "is_active", "disabled_because", "reached"]
    list_select_related = ["user", "contact"]
    list_filter = ["channel", "is_active"]
    search_fields = ["user__username", "user__full_name", "contact__code", "contact__name_en", "contact__name_ar"]
    exclude = ["address"]
    readonly_fields = ["shown_address"]
    ordering = ["-pk"]

    def visible(self, rows: Any, viewer: Any) -> models.QuerySet:
        mine = models.Q(user__in=people_of(viewer)) | models.Q(contact__in=Contact.objects.visible_to(viewer))
        found: models.QuerySet = rows.filter(mine)
        return found

    @admin.display(description=gettext_lazy("of"))
    def owner(self, method: ContactMethod) -> str:
        return str(method.user or method.contact)

    @admin.display(description=gettext_lazy("address"))
    def shown_address(self, method: ContactMethod) -> str:
        return masked(method.channel, method.address)

    @admin.display(description=gettext_lazy("verified"), boolean=True)
    def verified(self, method: ContactMethod) -> bool:
        return method.verified_at is not None

    @admin.display(description=gettext_lazy("last reached"))
    def reached(self, method: ContactMethod) -> Any:
        return age(method.last_ok_at)


@admin.register(NotificationRule)
class NotificationRuleAdmin(OfPeopleAdmin):
    list_display = ["user", "importance", "position", "channel", "wait_s"]
    list_filter = ["importance", "channel"]


@admin.register(Preferences)
class PreferencesAdmin(OfPeopleAdmin):
    list_display = ["user", "quiet_from", "quiet_to", "sound_muted_until"]
