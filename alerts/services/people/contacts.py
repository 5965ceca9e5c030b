"""Contacts: governorates' operations rooms, duty desks, switchboards. Whoever manages alerts keeps them."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.models import Agency, User
from alerts.models import Contact
from alerts.permissions import Actor, require
from core import audit
from core.errors import Conflict, Invalid
from geography.models import Zone

_COLUMNS = ("kind", "code", "name_en", "name_ar", "governorate", "language", "is_active")


@transaction.atomic
def make_contact(
    *, by: Actor | None, code: str, name_en: str, name_ar: str, agency: Agency, kind: str = Contact.Kind.DESK,
    governorate: Zone | None = None, language: str = User.Language.ARABIC, is_synthetic: bool = False,
) -> Contact:  # fmt: skip
    contact = Contact(agency=agency, is_synthetic=is_synthetic)
    _fill(contact, {"kind": kind, "code": code, "name_en": name_en, "name_ar": name_ar, "governorate": governorate, "language": language})
    require(by, "manage_alerts", contact)
    _save(contact)
    audit.record("contact.add", obj=contact, by=by, after=_plain(contact))
    return contact


@transaction.atomic
def change_contact(*, contact: Contact, by: Actor | None, **changes: Any) -> Contact:
    """Change its names, kind, place, language or use. One that is out of use is told nothing."""
    locked = Contact.objects.select_for_update().get(pk=contact.pk)
    require(by, "manage_alerts", locked)
    before = _plain(locked)
    _fill(locked, changes)
    require(by, "manage_alerts", locked)
    _save(locked)
    audit.record("contact.change", obj=locked, by=by, before=before, after=_plain(locked))
    contact.__dict__.update(locked.__dict__)
    return contact


def _fill(contact: Contact, given: dict[str, Any]) -> None:
    unknown = sorted(set(given) - set(_COLUMNS))
    if unknown:
        raise Invalid(_("%(name)s cannot be changed.") % {"name": unknown[0]}, fields={unknown[0]: _("Unknown.")})
    for name in ("name_en", "name_ar"):
        if name in given and not 1 <= len(str(given[name]).strip()) <= 120:
            raise Invalid(_("A contact has a name in both languages."), fields={name: _("From 1 to 120 characters.")})
    if given.get("kind", Contact.Kind.DESK) not in Contact.Kind.values or given.get("language", "ar") not in User.Language.values:
        raise Invalid(_("Choose one of the kinds and languages."))
    if "code" in given:
        try:
            validate_slug(given["code"])
        except ValidationError as error:
            raise Invalid(_("A code has letters, digits, hyphens."), fields={"code": _("A code has letters, digits, hyphens.")}) from error
    for name, value in given.items():
        setattr(contact, name, value.strip() if isinstance(value, str) else value)


def _save(contact: Contact) -> None:
    try:
        with transaction.atomic():
            contact.save()
    except IntegrityError as error:
        if "operations_room" in str(error):
            raise Conflict(_("This agency has an operations room there already.")) from error
        raise Conflict(_("There is a contact of this code already."), fields={"code": _("Taken.")}) from error


def _plain(contact: Contact) -> dict[str, Any]:
    return {name: getattr(contact, name if name != "governorate" else "governorate_id") for name in _COLUMNS}
