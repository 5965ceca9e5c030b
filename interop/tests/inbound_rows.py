"""A row of each of the intake's own tables, for the walk through the command centre."""

from __future__ import annotations

from django.utils import timezone

from incidents.models import DuplicateCandidate, FeedHour
from interop.models import BatchJob, BatchRow, Correction, InboxMessage, Partner, PartnerKey


def rows_of_inbound(cast, places, source, incident, other):
    partner = Partner.objects.create(slug="batches", name="Batches", agency=cast.police, region=places.region, kinds=["moi-incident"])
    key = PartnerKey(partner=partner, name="walk", scopes=["incidents:write"], all_governorates=True)
    PartnerKey.objects.assign_key(key)
    key.save()
    job = BatchJob.objects.create(key=key, source=source, kind="moi-incident", digest="0" * 64, total=1, agency_id=cast.police.pk)
    BatchRow.objects.create(job=job, index=0, body={"report_number": "1"}, incident=incident)
    message = InboxMessage.objects.create(
        source=source, kind="moi-incident", message_id="walk-1", digest="0" * 64, body={"a": 1}, status="rejected", agency_id=cast.police.pk
    )
    Correction.objects.create(message=message, before={"a": 0}, after={"a": 1}, reason="typing error", author_kind="user")
    alike = {"score": 0.8, "distance_m": 40, "minutes": 3, "parts": {"near": 0.9, "soon": 0.9, "kin": 1, "words": None}}
    DuplicateCandidate.objects.get_or_create(first=incident, second=other, defaults=alike)  # a running relay may have found the pair
    now = timezone.now()
    FeedHour.objects.create(source=source, hour=now.replace(minute=0, second=0, microsecond=0), accepted=30, counted_at=now)
