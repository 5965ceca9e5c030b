"""What a partner's key may read of other agencies' incidents at this moment."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from interop.models import PartnerKey, Precision

_FINEST_FIRST = [Precision.EXACT.value, Precision.GRID.value, Precision.AREA.value]

# One short question at every read, and no grant is ever kept: an agreement that ends or is revoked ends with the next read.
_IN_FORCE = """
SELECT a.id, a.version, a.giver_id, a.all_types, a.all_governorates, a.parts, a.precision, a.occurred_from,
       ARRAY(SELECT t.id FROM incidents_incidenttype t WHERE t.category = ANY(a.categories)
             UNION SELECT m.incidenttype_id FROM interop_sharingagreement_types m WHERE m.sharingagreement_id = a.id),
       ARRAY(SELECT g.zone_id FROM interop_sharingagreement_governorates g WHERE g.sharingagreement_id = a.id)
FROM interop_sharingagreement a
WHERE a.receiver_id = %(agency)s AND a.state = 'in_force' AND a.ends_at > %(now)s AND a.starts_at <= %(now)s
  AND (a.partner_id IS NULL OR a.partner_id = %(partner)s)
"""


# When this process last asked, by partner, where nothing held. That much is kept for a moment: most partners read nothing but their own.
_nothing_held: dict[int, float] = {}


@dataclass(frozen=True)
class Grant:
    """The rows and the precision that one agreement gives one key, the key's own limits kept: its governorates, its precision."""

    agreement_id: int
    version: int
    giver_id: int
    type_ids: tuple[int, ...] | None
    governorate_ids: tuple[int, ...] | None
    parts: frozenset[str]
    precision: str
    occurred_from: datetime | None

    @property
    def code(self) -> str:
        return f"SA-{self.agreement_id}/{self.version}"

    def condition(self) -> Q:
        """A row in no governorate is in none that an agreement names."""
        found = Q(agency_id=self.giver_id)
        if self.type_ids is not None:
            found &= Q(type_id__in=self.type_ids)
        if self.governorate_ids is not None:
            found &= Q(governorate_id__in=self.governorate_ids)
        if self.occurred_from is not None:
            found &= Q(occurred_at__gte=self.occurred_from)
        return found


def grants_for(key: PartnerKey, *, at: datetime | None = None) -> list[Grant]:
    """What holds for ``key`` now. Where two agreements of one agency cover a row, the first of the list tells it: the most precise, then
    the one that tells most, then the older."""
    if not key.is_usable:
        return []
    asked_at = time.monotonic()
    if at is None and asked_at - _nothing_held.get(key.partner_id, -math.inf) < settings.KEYS_KNOWN_S:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_IN_FORCE, {"agency": key.partner.agency_id, "partner": key.partner_id, "now": at or timezone.now()})
        rows = cursor.fetchall()
    if at is None and not rows:
        _nothing_held[key.partner_id] = asked_at
    mine = key.jurisdiction.governorate_ids
    found = []
    for pk, version, giver, all_types, all_places, parts, precision, occurred_from, types, places in rows:
        here: frozenset[int] | None = None if all_places else frozenset(places)
        if mine is not None:
            here = mine if here is None else here & mine
        grant = Grant(
            agreement_id=pk,
            version=version,
            giver_id=giver,
            type_ids=None if all_types else tuple(sorted(types)),
            governorate_ids=None if here is None else tuple(sorted(here)),
            parts=frozenset(parts),
            precision=max(precision, key.precision, key=_FINEST_FIRST.index),
            occurred_from=occurred_from,
        )
        if grant.governorate_ids != () and grant.type_ids != ():
            found.append(grant)
    return sorted(found, key=lambda grant: (_FINEST_FIRST.index(grant.precision), -len(grant.parts), grant.agreement_id))
