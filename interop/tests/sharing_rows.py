"""A row of each table of sharing, for the walk through the command centre."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from interop.models import AgreementVersion, ExternalSystem, ReadRecord, SharingAgreement, Signature, SystemProbe


def rows_of_sharing(cast, incident):
    now = timezone.now()
    agreement = SharingAgreement.objects.create(
        title="Fires for the police", purpose="Decree 7", giver=cast.police, receiver=cast.fire, all_types=True, all_governorates=True,
        starts_at=now, ends_at=now + timedelta(days=30), created_by=cast.superadmin,
    )  # fmt: skip
    AgreementVersion.objects.create(agreement=agreement, version=1, terms={"title": "Fires"}, written_by=cast.superadmin)
    Signature.objects.create(agreement=agreement, version=1, side="giver", by=cast.supervisor)
    ReadRecord.objects.create(
        at=now, request_id="r", reader="police-cad/pull", agency_id=cast.police.pk, door="external/incidents.json", precision="exact",
        incident_ids=[incident.pk],
    )  # fmt: skip
    system = ExternalSystem.objects.create(name="Fire CAD", agency=cast.police, health_url="https://cad.example/health", state="up")
    SystemProbe.objects.create(system=system, at=now, is_ok=True, ms=12.5, code=200)
