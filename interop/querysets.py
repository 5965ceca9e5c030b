from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import models
from django.db.models import Q
from rest_framework_api_key.crypto import KeyGenerator
from rest_framework_api_key.models import BaseAPIKeyManager

from accounts.jurisdiction import jurisdiction_of

if TYPE_CHECKING:
    from interop.models import InboxMessage, PartnerKey  # noqa: F401


class PartnerKeyManager(BaseAPIKeyManager):
    key_generator = KeyGenerator(prefix_length=8, secret_key_length=40)

    def assign_key(self, obj: PartnerKey) -> str:  # type: ignore[override]
        """Give ``obj`` a new secret and return it: the only time it is seen."""
        key, obj.prefix, obj.hashed_key = self.key_generator.generate()
        return str(key)

    def presented(self, secret: str) -> PartnerKey | None:
        """The key that ``secret`` opens, revoked or not, with its partner and governorates, in one query; ``None`` for a wrong one."""
        prefix, dot, _rest = secret.partition(".")
        if not dot or len(prefix) != self.key_generator.prefix_length or not secret.isascii() or "\0" in secret:
            return None
        here = ArrayAgg("governorates", filter=Q(governorates__isnull=False), default=[])
        key: Any = self.select_related("partner__agency", "partner__region").annotate(governorate_ids=here).filter(prefix=prefix).first()
        return cast("PartnerKey", key) if key is not None and self.key_generator.verify(secret, key.hashed_key) else None


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
