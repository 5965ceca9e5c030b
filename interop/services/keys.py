"""Partners' keys: made, shown once, rotated, revoked. Whoever does so gives nothing they have not themselves."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from geography.models import Zone
from incidents.permissions import Actor, require
from interop.models import Partner, PartnerKey, Precision, Scope

USE_IS_NOTED_EVERY = timedelta(minutes=1)
OVERLAP_H = 24  # how long the old key goes on after a rotation, unless somebody says otherwise
MOST_OVERLAP_H = 14 * 24
MOST_NETWORKS = 50


@transaction.atomic
def issue_key(
    *,
    partner: Partner,
    name: str,
    scopes: Sequence[str],
    by: Actor | None,
    governorates: Iterable[Zone] = (),
    all_governorates: bool = False,
    networks: Sequence[str] = (),
    expires_at: datetime | None = None,
    precision: str = Precision.EXACT,
) -> tuple[PartnerKey, str]:
    """Make a key; the second of the pair is the secret, which is kept nowhere and cannot be shown again.

    Where the key holds is said, never assumed: name its ``governorates`` or set ``all_governorates``.
    """
    _require(by, partner)
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
    try:
        allowed = networks_of(networks)
    except ValueError as refusal:
        problems["networks"] = str(refusal)
    if expires_at is not None and expires_at <= timezone.now():
        problems["expires_at"] = _("This time has passed.")
    if precision not in Precision.values:
        problems["precision"] = _("Choose at least one of the list.")
    if problems:
        raise Invalid(_("The key cannot be made so."), fields=problems)
    if isinstance(by, PartnerKey):
        _gives_what_it_has(by, scopes=scopes, places=None if all_governorates else places, precision=precision, expires_at=expires_at)
    key = PartnerKey(
        partner=partner,
        name=name.strip(),
        scopes=sorted(set(scopes)),
        all_governorates=all_governorates,
        networks=allowed,
        expiry_date=expires_at,
        precision=precision,
    )
    return key, _kept(key, places=places, by=by, verb="key.issue")


@transaction.atomic
def rotate_key(
    *, key: PartnerKey, by: Actor | None, overlap_h: float = OVERLAP_H, expires_at: datetime | None = None
) -> tuple[PartnerKey, str]:
    """A new key with the same rights. The old one goes on for ``overlap_h`` hours, so that the partner can change over in peace; with 0 it
    is revoked now. Unless ``expires_at`` is given, the new key lasts as long as the old one was made for.
    """
    _require(by, key.partner)
    now = timezone.now()
    problems: dict[str, str] = {}
    if not 0 <= overlap_h <= MOST_OVERLAP_H:
        problems["overlap_h"] = _("0 to %(limit)d hours.") % {"limit": MOST_OVERLAP_H}
    if expires_at is not None and expires_at <= now:
        problems["expires_at"] = _("This time has passed.")
    if problems:
        raise Invalid(_("The key cannot be rotated so."), fields=problems)
    old = PartnerKey.objects.select_for_update(of=("self",)).select_related("partner").get(pk=key.pk)
    if not old.is_usable:
        raise Conflict(_("This key is revoked or expired: make a new one."))
    if old.replaced_by.exists():
        raise Conflict(_("This key was rotated already: rotate the one that replaced it."))
    places = list(old.governorates.all())
    if expires_at is None and old.expiry_date is not None:
        expires_at = now + (old.expiry_date - old.created)
    if isinstance(by, PartnerKey):
        if by.expiry_date is not None:
            expires_at = min(expires_at or by.expiry_date, by.expiry_date)
        if by.pk != old.pk:
            _gives_what_it_has(
                by,
                scopes=old.scopes,
                places=None if old.all_governorates else places,
                precision=old.precision,
                expires_at=expires_at,
            )
    new = PartnerKey(
        partner=old.partner,
        name=old.name,
        scopes=old.scopes,
        all_governorates=old.all_governorates,
        networks=old.networks,
        precision=old.precision,
        expiry_date=expires_at,
        replaces=old,
    )
    secret = _kept(new, places=places, by=by, verb="key.rotate")
    if overlap_h == 0:
        _end(old, by=by, reason=_("Rotated"))
    else:
        ends_at = now + timedelta(hours=overlap_h)
        if old.expiry_date is None or ends_at < old.expiry_date:
            PartnerKey.objects.filter(pk=old.pk).update(expiry_date=ends_at)
            before = {"expires_at": old.expiry_date.isoformat() if old.expiry_date else None}
            audit.record("key.overlap", obj=old, by=by, before=before, after={"expires_at": ends_at.isoformat()})
    return new, secret


@transaction.atomic
def revoke_key(*, key: PartnerKey, by: Actor | None, reason: str = "") -> PartnerKey:
    """End the key, at once and for good."""
    _require(by, key.partner)
    if isinstance(by, PartnerKey) and by.pk != key.pk and Scope.ADMIN in key.scopes:
        raise NotAllowed(_("Only people end the keys that manage keys."))
    return _end(key, by=by, reason=reason)


def _end(key: PartnerKey, *, by: Actor | None, reason: str) -> PartnerKey:
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
        key.last_used_at = now


def networks_of(given: Sequence[str]) -> list[str]:
    """Networks as they are kept, sorted, each once; ``ValueError`` with a sentence for one that is none."""
    found = set()
    for text in given:
        try:
            network = ipaddress.ip_network(text.strip())
        except ValueError as error:
            raise ValueError(_("“%(text)s” is no address and no network.") % {"text": text[:60]}) from error
        if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped is not None:
            raise ValueError(_("Write “%(text)s” as an IPv4 network.") % {"text": text[:60]})
        found.add(network)
    if len(found) > MOST_NETWORKS:
        raise ValueError(_("At most %(limit)d networks.") % {"limit": MOST_NETWORKS})
    return [
        str(network) for network in sorted(found, key=lambda network: (network.version, int(network.network_address), network.prefixlen))
    ]


def _require(by: Actor | None, partner: Partner) -> None:
    require(by, "manage_keys")
    if by is not None and by.jurisdiction.agency_ids is not None and partner.agency_id not in by.jurisdiction.agency_ids:
        raise NotFound(_("There is no such partner."))


def _gives_what_it_has(
    by: PartnerKey, *, scopes: Sequence[str], places: Sequence[Zone] | None, precision: str, expires_at: datetime | None
) -> None:
    """A key that manages keys makes none that manage keys, that reach further than itself or that outlive it."""
    if Scope.ADMIN in scopes:
        raise NotAllowed(_("Only people give the right to manage keys."))
    own = by.jurisdiction.governorate_ids
    if own is not None and (places is None or {zone.pk for zone in places} - own):
        raise NotAllowed(_("A key gives no governorate that it has not itself."))
    finest = list(Precision.values)
    if finest.index(precision) < finest.index(by.precision):
        raise NotAllowed(_("A key gives no finer places than it is told itself."))
    if by.expiry_date is not None and (expires_at is None or expires_at > by.expiry_date):
        raise NotAllowed(_("A key makes none that outlives it: name an earlier end."))


def _kept(key: PartnerKey, *, places: Sequence[Zone], by: Actor | None, verb: str) -> str:
    key.created_by_id = None if by is None or isinstance(by, PartnerKey) else getattr(by, "pk", None)
    secret = PartnerKey.objects.assign_key(key)
    key.save()
    key.governorates.set(places)
    audit.record(
        verb,
        obj=key,
        by=by,
        after={
            "partner": key.partner.slug,
            "scopes": key.scopes,
            "governorates": [zone.code for zone in places] or "all",
            "precision": key.precision,
            "networks": key.networks or "everywhere",
            "expires_at": key.expiry_date.isoformat() if key.expiry_date else None,
            **({"replaces": key.replaces_id} if key.replaces_id else {}),
        },
    )
    return secret
