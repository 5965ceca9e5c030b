"""A row in each table of the people out there, for tests that walk all screens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

from patrol.models import ShiftPack, Sos, WelfareCheck


def rows_of_safety(cast: Any, force: Any, places: Any) -> None:
    now = timezone.now()
    of = {"agency": cast.police, "governorate": places.hawalli}
    Sos.objects.create(
        key=uuid4(), user=cast.officer, unit=force.p1, member=force.officer, pressed_at=now, location=places.in_salmiya, **of
    )
    WelfareCheck.objects.create(unit=force.p1, minutes=20, started_at=now, due_at=now + timedelta(minutes=20))
    ShiftPack.objects.create(shift_from=now - timedelta(hours=8), shift_to=now, generated_at=now, facts={"units": []}, **of)
