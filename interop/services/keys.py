"""Partners' keys: made, shown once, revoked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid
from geography.models import Zone
from incidents.permissions import Actor, require
from interop.models import Partner, PartnerKey, Precision, Scope

USE_IS_NOTED_EVERY = timedelta(minutes=1)


@transaction.atomic
def issue_key(
    *,
    partner: Partner,
    name: str,
    scopes: Sequence[str],
    by: Actor | None,
    governorates: Iterable[Zone] = (),
    all_governorates: bool = False,
    expires_at: datetime | None = None,
    precision: str = Precision.EXACT,
) -> tuple[PartnerKey, str]:
    """Make a key; the second of the pair is the secret, which is kept nowhere and cannot be shown again.

    Where the key holds is said, never assumed: name its ``governorates`` or set ``all_governorates``.
    """
    require(by, "manage_keys")
    places = list(governorates)
    problems: dict[str, str] = {}
    if not name.strip() or len(name) > 50:
        problems["name"] = _("1 to %(limit)d characters.") % {"limit": 50}
    if not scopes or set(scopes) - set(Scope.values):
        problems["scopes"] = _("Choose at least one of the list.")
    if bool(places) == all_governorates:
        problems["governorates"] = _("Name the governorates, or choose every governorate.")
    elif any(zone.level != Zone.Level.GOVERNORATE or zone.region_id != partner.region_id for zone in places):
        problems["governorates"] = _("Choose governorates of the partner's region.")
    if expires_at is not None and expires_at <= timezone.now():
        problems["expires_at"] = _("This time has passed.")
    if precision not in Precision.values:
        problems["precision"] = _("Choose at least one of the list.")
    if problems:
        raise Invalid(_("The key cannot be made so."), fields=problems)
    key = PartnerKey(
        partner=partner,
        name=name.strip(),
        scopes=sorted(set(scopes)),
        all_governorates=all_governorates,
        expiry_date=expires_at,
        precision=precision,
        created_by_id=getattr(by, "pk", None),
    )
    secret = PartnerKey.objects.assign_key(key)
    key.save()
    key.governorates.set(places)
    audit.record(
        "key.issue",
        obj=key,
        by=by,
        after={
            "partner": partner.slug,
            "scopes": key.scopes,
            "governorates": [zone.code for zone in places] or "all",
            "expires_at": expires_at.isoformat() if expires_at else None,
            "precision": key.precision,
        },
    )
    return key, secret


@transaction.atomic
def revoke_key(*, key: PartnerKey, by: Actor | None, reason: str = "") -> PartnerKey:
    """End the key, at once and for good."""
    require(by, "manage_keys")
    now = timezone.now()
    if PartnerKey.objects.filter(pk=key.pk, revoked=False).update(revoked=True, revoked_at=now) != 1:
        raise Conflict(_("This key is revoked already."))
    key.revoked, key.revoked_at = True, now
    key.__dict__.pop("jurisdiction", None)
    audit.record("key.revoke", obj=key, by=by, before={"revoked": False}, after={"revoked": True}, reason=reason)
    return key


def note_use(*, key: PartnerKey) -> None:
    """Remember that the key was used, at most once a minute."""
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > USE_IS_NOTED_EVERY:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_IS_NOTED_EVERY)
        PartnerKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
