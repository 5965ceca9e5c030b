"""People come, change and leave. Each verb asks for ``manage_people``, is audited and announced; ``by=None`` is the system itself."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import events
from accounts.models import Agency, User
from accounts.roles import Role
from core import audit
from core.errors import Conflict, Invalid, NotAllowed
from core.events import publish
from geography.models import Zone

# Without letters and digits that are mistaken for one another when read out.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_RIGHTS = frozenset({"role", "agency", "sees_all_agencies", "governorates", "sees_all_governorates", "is_active"})


@dataclass(frozen=True)
class Issued:
    """A person and the password made for them: to be shown once, and kept nowhere."""

    person: User
    password: str


def new_password() -> str:
    """Five groups of five characters that can be read out over a telephone: 123 bits."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _place in range(5)) for _group in range(5))


def _require(by: User | None) -> None:
    if by is not None and not by.can("manage_people"):
        raise NotAllowed(_("Your role does not allow this."))


@transaction.atomic
def create_person(
    *,
    by: User | None,
    username: str,
    role: str,
    full_name: str = "",
    email: str = "",
    agency: Agency | None = None,
    sees_all_agencies: bool = False,
    governorates: Iterable[Zone] = (),
    sees_all_governorates: bool = False,
    language: str = User.Language.ARABIC,
) -> Issued:
    """Add a person with a generated password."""
    _require(by)
    person = User(
        username=username.strip(),
        role=role,
        full_name=full_name.strip(),
        email=email,
        agency=agency,
        sees_all_agencies=sees_all_agencies,
        sees_all_governorates=sees_all_governorates,
        language=language,
    )
    password = new_password()
    person.set_password(password)
    try:
        person.full_clean()
    except ValidationError as error:
        raise Invalid(
            _("This person cannot be added as they are."), fields={field: texts[0] for field, texts in error.message_dict.items()}
        ) from error
    person.save()
    person.governorates.set(governorates)
    audit.record("user.add", obj=person, by=by, after=_rights(person))
    publish(events.PERSON_ADDED, subject=person, data={"role": role})
    return Issued(person, password)


@transaction.atomic
def change_person(*, person: User, by: User | None, reason: str = "", **wanted: Any) -> User:
    """Change a person's details, role or jurisdiction. Nobody changes their own rights; the last superadmin stays one."""
    _require(by)
    locked = _locked(person)
    governorates = wanted.pop("governorates", None)
    changed = {name: value for name, value in wanted.items() if getattr(locked, name) != value}
    moved = governorates is not None and {zone.pk for zone in governorates} != set(locked.governorates.values_list("pk", flat=True))
    if not changed and not moved:
        return locked
    if by is not None and by.pk == locked.pk and (moved or _RIGHTS & changed.keys()):
        raise NotAllowed(_("Nobody changes their own role or jurisdiction. Ask another super administrator."))
    if changed.get("role", Role.SUPERADMIN) != Role.SUPERADMIN:
        _keep_one_superadmin(locked)
    before = _rights(locked)
    for name, value in changed.items():
        setattr(locked, name, value)
    try:
        locked.full_clean(exclude=["password"])
    except ValidationError as error:
        raise Invalid(_("This cannot be changed so."), fields={field: texts[0] for field, texts in error.message_dict.items()}) from error
    if changed:
        locked.save(update_fields=list(changed))
    if moved:
        locked.governorates.set(governorates or [])
    after = _rights(locked)
    fields = sorted(name for name in after if after[name] != before[name])
    audit.record(
        "user.change",
        obj=locked,
        by=by,
        before={name: before[name] for name in fields},
        after={name: after[name] for name in fields},
        reason=reason,
    )
    publish(events.PERSON_CHANGED, subject=locked, data={"fields": fields})
    return locked


@transaction.atomic
def deactivate_person(*, person: User, by: User | None, reason: str) -> User:
    """End somebody's access at once: every session dies with the password, and coming back takes a new one."""
    _require(by)
    if not reason.strip():
        raise Invalid(_("Say why."), fields={"reason": _("A reason is needed here.")})
    locked = _locked(person)
    if by is not None and by.pk == locked.pk:
        raise NotAllowed(_("Nobody deactivates themselves. Ask another super administrator."))
    if not locked.is_active:
        raise Conflict(_("%(name)s is deactivated already.") % {"name": locked})
    _keep_one_superadmin(locked)
    locked.is_active = False
    locked.set_unusable_password()
    locked.save(update_fields=["is_active", "password"])
    audit.record("user.deactivate", obj=locked, by=by, before={"is_active": True}, after={"is_active": False}, reason=reason)
    publish(events.PERSON_DEACTIVATED, subject=locked)
    return locked


@transaction.atomic
def reactivate_person(*, person: User, by: User | None) -> Issued:
    """Let somebody in again, with a new password."""
    _require(by)
    locked = _locked(person)
    if locked.is_active:
        raise Conflict(_("%(name)s is active already.") % {"name": locked})
    password = new_password()
    locked.is_active = True
    locked.set_password(password)
    locked.save(update_fields=["is_active", "password"])
    audit.record("user.reactivate", obj=locked, by=by, before={"is_active": False}, after={"is_active": True})
    publish(events.PERSON_CHANGED, subject=locked, data={"fields": ["is_active"]})
    return Issued(locked, password)


@transaction.atomic
def reset_password(*, person: User, by: User | None) -> Issued:
    """Give somebody a new password; every session of theirs ends."""
    _require(by)
    locked = _locked(person)
    if not locked.is_active:
        raise Conflict(_("%(name)s is deactivated. Let them in again first.") % {"name": locked})
    password = new_password()
    locked.set_password(password)
    locked.save(update_fields=["password"])
    audit.record("user.reset_password", obj=locked, by=by)
    publish(events.PERSON_CHANGED, subject=locked, data={"fields": ["password"]})
    return Issued(locked, password)


def _locked(person: User) -> User:
    return User.objects.select_for_update(of=("self",)).get(pk=person.pk)


def _keep_one_superadmin(person: User) -> None:
    """The caller is about to take ``person``'s rights: there must be another active superadmin. Their rows stay locked."""
    if person.role != Role.SUPERADMIN or not person.is_active:
        return
    active = User.objects.select_for_update(of=("self",)).filter(role=Role.SUPERADMIN, is_active=True).order_by("pk")
    if not [other for other in active if other.pk != person.pk]:
        raise Conflict(_("This is the last super administrator. Name another one first."))


def _rights(person: User) -> dict[str, Any]:
    return {
        "username": person.username,
        "full_name": person.full_name,
        "email": person.email,
        "role": str(person.role),
        "agency": person.agency_id,
        "sees_all_agencies": person.sees_all_agencies,
        "governorates": sorted(person.governorates.values_list("pk", flat=True)),
        "sees_all_governorates": person.sees_all_governorates,
        "language": person.language,
        "theme": person.theme,
        "is_active": person.is_active,
    }
