"""What the frame says of the signed-in person's own duty: one query."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Q

from accounts.models import User
from patrol.models import Member


@dataclass(frozen=True)
class OwnDuty:
    is_member: bool
    since: datetime | None = None
    unit: str = ""

    @property
    def is_on(self) -> bool:
        return self.since is not None


def own_duty(user: User) -> OwnDuty:
    is_open = Q(duties__ended_at=None)
    rows = Member.objects.filter(user_id=user.pk, is_active=True).annotate(
        since=Max("duties__started_at", filter=is_open), on=Max("duties__unit__call_sign", filter=is_open)
    )
    found = rows.values_list("since", "on").first()
    return OwnDuty(False) if found is None else OwnDuty(True, found[0], found[1] or "")
