"""To whom an event may go. Asked when the row is made and again each time it is sent: a key may have been revoked in between."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Prefetch

from accounts.jurisdiction import Jurisdiction
from geography.models import Zone
from interop.models import PartnerKey, SharingAgreement, WebhookSubscription
from interop.services.webhooks.catalogue import CATALOGUE, TEST, TEST_TYPE, EventType, Sight, matching


@dataclass(frozen=True)
class Rights:
    """What one subscription may hear now, and what of that it wants to."""

    stands: bool  # a key stands behind it
    scopes: frozenset[str]
    jurisdiction: Jurisdiction
    partner_id: int
    wanted: frozenset[str]  # names of types
    only_in: frozenset[int]  # governorates; empty: wherever it may

    def may_hear(self, name: str, *, agency_id: int | None, governorate_id: int | None, subject_id: int | None) -> bool:
        """Whether it may be told of such an event at all."""
        kind = TEST_TYPE if name == TEST else CATALOGUE.get(name)
        if kind is None or not self.stands:
            return False
        return name == TEST or (kind.scope in self.scopes and self._sees(kind, agency_id, governorate_id, subject_id))

    def wants(self, name: str, *, governorate_id: int | None) -> bool:
        return name in self.wanted and (not self.only_in or governorate_id in self.only_in)

    def _sees(self, kind: EventType, agency_id: int | None, governorate_id: int | None, subject_id: int | None) -> bool:
        if kind.sight is Sight.AGREED:  # seldom enough to ask each time
            return subject_id is not None and SharingAgreement.objects.visible_to(self).filter(pk=subject_id).exists()
        if kind.sight in (Sight.OWNED, Sight.SHARED):
            is_shared = kind.sight is Sight.SHARED
            return self.jurisdiction.admits(agency_id=agency_id, governorate_id=governorate_id, or_shared=is_shared)
        places = self.jurisdiction.governorate_ids
        if kind.sight is Sight.GENERAL:
            return places is None or bool(places)
        return places is None or governorate_id in places


def with_rights(rows: Iterable[int] | None = None) -> list[tuple[WebhookSubscription, Rights]]:
    """The subscriptions that are sending (or those of ``rows``, whatever their state), each with its rights at this moment."""
    found = WebhookSubscription.objects.all() if rows is not None else WebhookSubscription.objects.sending()
    found = found.filter(pk__in=list(rows)) if rows is not None else found
    found = found.select_related("partner", "key__partner").prefetch_related(
        Prefetch("governorates", queryset=Zone.objects.only("pk")), "key__governorates"
    )
    return [(one, rights_of(one)) for one in found]


def rights_of(subscription: WebhookSubscription) -> Rights:
    key = standing_key(subscription.key)
    if key is subscription.key:
        key.__dict__["governorate_ids"] = [zone.pk for zone in key.governorates.all()]  # read along, and spares a query each
    return Rights(
        stands=key is not None and subscription.partner.is_active,
        scopes=frozenset(key.scopes) if key is not None else frozenset(),
        partner_id=subscription.partner_id,
        jurisdiction=key.jurisdiction if key is not None else Jurisdiction.nothing(),
        wanted=frozenset(one.name for one in matching(subscription.types)),
        only_in=frozenset(zone.pk for zone in subscription.governorates.all()),
    )


def standing_key(key: PartnerKey) -> PartnerKey | None:
    """The key itself while it can be used, else the one that replaced it; ``None`` where neither can."""
    seen: set[int] = set()
    while not key.is_usable:
        seen.add(key.pk)
        successor = PartnerKey.objects.filter(replaces=key.pk).select_related("partner").order_by("-pk").first()
        if successor is None or successor.pk in seen:
            return None
        key = successor
    return key
