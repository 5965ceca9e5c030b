from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.db.models import Q
from rest_framework_api_key.crypto import KeyGenerator
from rest_framework_api_key.models import BaseAPIKeyManager

from accounts.jurisdiction import jurisdiction_of, of_agencies

if TYPE_CHECKING:
    from interop.models import (  # noqa: F401
        BatchJob,
        ExternalSystem,
        InboxMessage,
        KeyUsage,
        PartnerKey,
        ReadRecord,
        RequestLog,
        SharingAgreement,
        SystemProbe,
        WebhookDelivery,
        WebhookSubscription,
    )


_VERSION = """
SELECT key.xmin::text, key.ctid::text, partner.xmin::text, partner.ctid::text,
       ARRAY(SELECT zone_id FROM interop_partnerkey_governorates WHERE partnerkey_id = key.id ORDER BY zone_id)
FROM interop_partnerkey key JOIN interop_partner partner ON partner.id = key.partner_id
WHERE key.prefix = %s
"""


class _Seen(NamedTuple):
    """What this process knows of a key: when it last asked (by its own clock), the version it was told, the key as it then was."""

    asked_at: float
    version: tuple[Any, ...]
    key: PartnerKey


_seen: dict[str, _Seen] = {}


class PartnerKeyManager(BaseAPIKeyManager):
    key_generator = KeyGenerator(prefix_length=8, secret_key_length=40)

    def assign_key(self, obj: PartnerKey) -> str:  # type: ignore[override]
        """Give ``obj`` a new secret and return it: the only time it is seen."""
        key, obj.prefix, obj.hashed_key = self.key_generator.generate()
        return str(key)

    def visible_to(self, viewer: object) -> models.QuerySet[Any]:
        """The keys of the agencies the viewer sees."""
        return of_agencies(self.all(), viewer, "partner__agency_id")

    def presented(self, secret: str) -> PartnerKey | None:
        """The key that ``secret`` opens, revoked or not, with its partner and governorates; ``None`` for a wrong one.

        The database is asked at most every ``KEYS_KNOWN_S`` seconds, so that is how long a revocation may need to hold in every process.
        The row is only read anew when it or its partner has changed (``xmin`` and ``ctid`` say which version of a row this is) or its
        governorates have.
        """
        prefix, dot, _rest = secret.partition(".")
        if not dot or len(prefix) != self.key_generator.prefix_length or not prefix.isalnum() or not secret.isascii():
            return None
        known = _seen.get(prefix)
        if known is None or time.monotonic() - known.asked_at >= settings.KEYS_KNOWN_S:
            known = self._ask(prefix, known)
            if known is None:
                _seen.pop(prefix, None)
                return None
            if len(_seen) > 10_000:
                _seen.clear()
            _seen[prefix] = known
        return known.key if self.key_generator.verify(secret, known.key.hashed_key) else None

    def _ask(self, prefix: str, known: _Seen | None) -> _Seen | None:
        asked_at = time.monotonic()  # before the question: the answer is at least as young
        with connection.cursor() as cursor:
            cursor.execute(_VERSION, [prefix])
            version = cursor.fetchone()
        if version is None:
            return None
        if known is not None and known.version == version:
            return known._replace(asked_at=asked_at)
        key: Any = self.select_related("partner__agency", "partner__region").filter(prefix=prefix).first()
        if key is None:
            return None
        key.governorate_ids = version[-1]
        return _Seen(asked_at, version, key)


class InboxQuerySet(models.QuerySet["InboxMessage"]):
    def visible_to(self, viewer: object) -> InboxQuerySet:
        """A message belongs to its source's agency; one with no place yet is seen by whoever sees the agency."""
        return self.filter(jurisdiction_of(viewer).condition())

    def waiting(self) -> InboxQuerySet:
        """Kept and not yet processed, oldest first."""
        return self.filter(status="received").order_by("id")

    def refused(self) -> InboxQuerySet:
        """What waits for a person: rejected or dead."""
        return self.filter(status__in=["dead", "rejected"])

    def wrong_with(self, code: str) -> InboxQuerySet:
        """Those one of whose errors has this short word."""
        return self.filter(errors__contains=[{"code": code}])


class JobQuerySet(models.QuerySet["BatchJob"]):
    def visible_to(self, viewer: object) -> JobQuerySet:
        """A partner's system sees the jobs of its own key and no other; a person those of the agencies they see."""
        if getattr(viewer, "audit_kind", "") == "key":
            return self.filter(key_id=getattr(viewer, "pk", None))
        return of_agencies(self, viewer)

    def unfinished(self) -> JobQuerySet:
        """What the workers have still to do, the one that has waited longest first: no long batch holds up a short one."""
        return self.filter(state__in=["queued", "running"]).order_by(models.F("worked_at").asc(nulls_first=True), "id")


class WebhookQuerySet(models.QuerySet["WebhookSubscription"]):
    def visible_to(self, viewer: object) -> WebhookQuerySet:
        """A key sees those that belong to it, or to a key it replaced; a person those of the agencies they see."""
        lineage = getattr(viewer, "lineage", None)
        if lineage is not None:
            return self.filter(key__in=lineage()).exclude(state="removed") if getattr(viewer, "is_usable", False) else self.none()
        return of_agencies(self, viewer, "partner__agency_id")

    def sending(self) -> WebhookQuerySet:
        """Those that are told of what happens."""
        return self.filter(state="active", partner__is_active=True)


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def visible_to(self, viewer: object) -> WebhookDeliveryQuerySet:
        subscriptions = apps.get_model("interop", "WebhookSubscription").objects.visible_to(viewer)
        return self.filter(subscription__in=subscriptions)


class RequestLogQuerySet(models.QuerySet["RequestLog"]):
    def visible_to(self, viewer: object) -> RequestLogQuerySet:
        """Calls by keys and people of the agencies the viewer sees; those of nobody known, by whoever sees every agency."""
        return of_agencies(self, viewer)


class UsageQuerySet(models.QuerySet["KeyUsage"]):
    def visible_to(self, viewer: object) -> UsageQuerySet:
        return of_agencies(self, viewer, "key__partner__agency_id")


class AgreementQuerySet(models.QuerySet["SharingAgreement"]):
    def visible_to(self, viewer: object) -> AgreementQuerySet:
        """Those an agency of the viewer's is a side of; a key sees no agreement that names another system than its own."""
        agencies = jurisdiction_of(viewer).agency_ids
        rows = self if agencies is None else self.filter(Q(giver__in=sorted(agencies)) | Q(receiver__in=sorted(agencies)))
        partner = getattr(viewer, "partner_id", None)
        return rows if partner is None else rows.filter(Q(partner=None) | Q(partner=partner))

    def in_force(self, *, at: datetime) -> AgreementQuerySet:
        return self.filter(state="in_force", starts_at__lte=at, ends_at__gt=at)

    def with_sides(self) -> AgreementQuerySet:
        return self.select_related("giver", "receiver", "partner", "created_by", "revoked_by")


class ReadQuerySet(models.QuerySet["ReadRecord"]):
    def visible_to(self, viewer: object) -> ReadQuerySet:
        """Reads by systems of the viewer's agencies, and reads through agreements one of them is a side of."""
        agencies = jurisdiction_of(viewer).agency_ids
        if agencies is None:
            return self
        mine = apps.get_model("interop", "SharingAgreement").objects.visible_to(viewer).order_by()
        return self.filter(Q(agency_id__in=sorted(agencies)) | Q(agreement_id__in=mine.values("pk")))

    def of_incident(self, pk: int) -> ReadQuerySet:
        return self.filter(incident_ids__contains=[pk])


class SystemQuerySet(models.QuerySet["ExternalSystem"]):
    def visible_to(self, viewer: object) -> SystemQuerySet:
        return of_agencies(self, viewer, "agency")

    def due(self, *, at: datetime) -> SystemQuerySet:
        return self.filter(Q(next_probe_at=None) | Q(next_probe_at__lte=at), is_active=True)


class ProbeQuerySet(models.QuerySet["SystemProbe"]):
    def visible_to(self, viewer: object) -> ProbeQuerySet:
        return self.filter(system__in=apps.get_model("interop", "ExternalSystem").objects.visible_to(viewer).order_by())
