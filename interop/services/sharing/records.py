"""What did partner X see of incident Y: the record of reads, looked up from either end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count, Max, Min, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from core.errors import NotAllowed
from incidents.models import Incident
from interop.models import Partner, Precision, ReadRecord

MOST_ROWS = 200
DAYS = 30  # how far back a partner's reads are looked through, unless somebody says otherwise


@dataclass(frozen=True)
class Reader:
    """One key's reads of one incident by one right."""

    reader: str
    partner_id: int | None
    agreement_id: int | None
    version: int | None
    precision: str
    first_at: datetime
    last_at: datetime
    times: int

    @property
    def right(self) -> str:
        """The agreement it was read through; empty: the partner's own right."""
        return f"SA-{self.agreement_id}/{self.version}" if self.agreement_id is not None else ""

    @property
    def precision_label(self) -> str:
        return str(Precision(self.precision).label) if self.precision in Precision.values else self.precision


@dataclass(frozen=True)
class Seen:
    """One incident as a partner read it."""

    incident: Incident
    first_at: datetime
    last_at: datetime
    times: int
    precisions: tuple[str, ...]
    rights: tuple[str, ...]  # the agreements; an empty text is the own right

    @property
    def precision_labels(self) -> str:
        return ", ".join(str(Precision(one).label) for one in self.precisions if one in Precision.values)


def require_reader(by: User) -> None:
    if not by.can("read_records"):
        raise NotAllowed(_("Your role does not allow this."))


def partners_for(by: User) -> QuerySet[Partner]:
    """The systems whose reads ``by`` may look up: of their agencies, and of those their agencies share with."""
    agencies = by.jurisdiction.agency_ids
    rows = Partner.objects.select_related("agency").order_by("slug")
    if agencies is None:
        return rows
    mine = sorted(agencies)
    return rows.filter(Q(agency__in=mine) | Q(agency__agreements_received__giver__in=mine)).distinct()


def readers_of(*, incident: Incident, by: User) -> list[Reader]:
    """Who was told ``incident``, which ``by`` may see: each key and right, the latest first."""
    require_reader(by)
    rows = ReadRecord.objects.of_incident(incident.pk).order_by()
    told = rows.values("reader", "partner_id", "agreement_id", "version", "precision").annotate(
        first_at=Min("at"), last_at=Max("at"), times=Count("id")
    )
    return [Reader(**row) for row in told.order_by("-last_at")[:MOST_ROWS]]


def reads_of(*, incident: Incident, by: User) -> QuerySet[ReadRecord]:
    """Each read of ``incident``, newest first."""
    require_reader(by)
    return ReadRecord.objects.of_incident(incident.pk).defer("incident_ids").order_by("-at", "-id")


# Which incidents a partner was told, those told last first. What the viewer may not see is sorted out afterwards, so more are asked for.
_SEEN = """
SELECT pk, min(at), max(at), count(*), array_agg(DISTINCT precision), array_agg(DISTINCT right_code)
FROM (SELECT unnest(incident_ids) AS pk, at, precision,
             CASE WHEN agreement_id IS NULL THEN '' ELSE 'SA-' || agreement_id || '/' || version END AS right_code
      FROM interop_readrecord WHERE partner_id = %(partner)s AND at >= %(since)s AND at < %(until)s
        AND (%(agreement)s::bigint IS NULL OR agreement_id = %(agreement)s)
      ORDER BY at DESC LIMIT %(looked_at)s) AS told
GROUP BY pk ORDER BY max(at) DESC, pk DESC LIMIT %(most)s
"""
LOOKED_AT = 200_000


def seen_by(
    *, partner: Partner, by: User, since: datetime | None = None, until: datetime | None = None, agreement_id: int | None = None
) -> list[Seen]:
    """What ``partner`` was told of the incidents ``by`` may see, of the last ``DAYS`` unless said otherwise: at most ``MOST_ROWS``."""
    require_reader(by)
    until = until or timezone.now() + timedelta(seconds=1)
    with connection.cursor() as cursor:
        cursor.execute(
            _SEEN,
            {
                "partner": partner.pk,
                "since": since or until - timedelta(days=DAYS),
                "until": until,
                "agreement": agreement_id,
                "looked_at": LOOKED_AT,
                "most": MOST_ROWS * 25,
            },
        )
        rows = cursor.fetchall()
    visible = Incident.objects.visible_to(by).select_related("region", "type", "agency").defer("search")
    known = {incident.pk: incident for incident in visible.filter(pk__in=[row[0] for row in rows])}
    found = [row for row in rows if row[0] in known][:MOST_ROWS]
    return [
        Seen(known[pk], first, last, times, tuple(precisions), tuple(sorted(rights)))
        for pk, first, last, times, precisions, rights in found
    ]
