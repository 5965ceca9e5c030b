"""Who may see and change whose addresses: everybody their own, those who manage alerts those of their jurisdiction."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.jurisdiction import jurisdiction_of
from accounts.models import User
from alerts.models import Channel, Contact, ContactMethod
from alerts.permissions import Actor, require
from core.errors import NotAllowed, NotFound


def people_of(viewer: object) -> QuerySet[User]:
    """The accounts of one's jurisdiction: of its agencies, and working in its governorates or in all of them."""
    mine = jurisdiction_of(viewer)
    people = User.objects.all()
    if mine.agency_ids is not None:
        people = people.filter(agency_id__in=sorted(mine.agency_ids))
    if mine.governorate_ids is not None:
        placed = User.governorates.through.objects.filter(zone_id__in=sorted(mine.governorate_ids)).values("user_id")
        people = people.filter(Q(pk__in=placed))
    return people


def require_person(by: Actor | None, user: User) -> None:
    """Oneself, or somebody of one's jurisdiction for those who manage alerts; anybody else is not there."""
    if by is None or _is_self(by, user):
        return
    if getattr(by, "audit_kind", "") == "key" or not people_of(by).filter(pk=user.pk).exists():
        raise NotFound(_("There is no such person here."))
    if not by.can("manage_alerts"):
        raise NotAllowed(_("Only they themselves and whoever manages alerts may do this."))


def require_method(by: Actor | None, method: ContactMethod) -> None:
    if method.contact is not None:
        require_contact(by, method.contact)
    elif method.user is not None:
        require_person(by, method.user)


def require_contact(by: Actor | None, contact: Contact) -> None:
    require(by, "manage_alerts", contact)


def sees_address(viewer: object, method: ContactMethod) -> bool:
    """Whether this viewer reads the address in full; everybody else reads it masked, a partner's key not at all."""
    if getattr(viewer, "audit_kind", "") != "user":
        return False
    try:
        require_method(viewer, method)  # type: ignore[arg-type]
    except (NotFound, NotAllowed):
        return False
    return True


def masked(channel: str, address: str) -> str:
    """Enough to recognise one's own, too little to write to.

    >>> masked("sms", "+96550000001"), masked("email", "sara@example.org")
    ('+965••••01', 's•••@example.org')
    """
    if not address:
        return ""
    if channel == Channel.EMAIL and "@" in address:
        name, _at, domain = address.rpartition("@")
        return f"{name[:1]}•••@{domain}"
    if channel in {Channel.SMS, Channel.WHATSAPP, Channel.VOICE, Channel.GATEWAY}:
        return f"{address[:4]}••••{address[-2:]}" if len(address) > 7 else "••••"
    return "••••"


def _is_self(by: Actor, user: User) -> bool:
    return getattr(by, "audit_kind", "") == "user" and getattr(by, "pk", None) == user.pk
