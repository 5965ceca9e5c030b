"""A row in each table of dispatch, for tests that walk all screens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

from patrol.models import AidRequest, FieldAction, MutualAid, RunCard, RunCardLine
from patrol.services.assignments import assign
from patrol.services.recommend import advise
from patrol.services.targets import ensure_default_targets


def rows_of_dispatch(cast: Any, force: Any, incident: Any) -> None:
    now = timezone.now()
    ensure_default_targets()
    card = RunCard.objects.create(agency=cast.police, type=incident.type)
    RunCardLine.objects.create(card=card, count=2, skill=force.first_aid, within_minutes=20)
    advice = advise(incident=incident, by=None)
    assign(unit=force.p1, incident=incident, kind="incident", by=None, recommendation=advice, override_reason="a row")
    FieldAction.objects.create(key=uuid4(), user=cast.officer, verb="accepted", at=now, answer={"state": "accepted"})
    agreement = MutualAid.objects.create(lender=cast.fire, borrower=cast.police, starts_at=now, ends_at=now + timedelta(days=1))
    AidRequest.objects.create(
        agreement=agreement, incident=incident, requested_by=cast.dispatcher, requested_at=now, ends_at=now + timedelta(hours=1)
    )
