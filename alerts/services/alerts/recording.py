"""What every verb leaves behind: a line in the alert's log, an event, and an audit row where a person acted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts.models import User
from alerts.choices import Through
from alerts.models import Alert, AlertLog
from core import audit
from core.events import publish_many, unpublished
from core.models import Event

MOST_NOTE = 400


def write(
    alert: Alert, kind: str, *, by: User | None = None, through: str = "", note: str = "", facts: Mapping[str, Any] | None = None
) -> None:
    """One line of the timeline."""
    line(alert, kind, by=by, through=through, note=note, facts=facts).save(force_insert=True)


def line(
    alert: Alert, kind: str, *, by: User | None = None, through: str = "", note: str = "", facts: Mapping[str, Any] | None = None
) -> AlertLog:
    """``write``, for a batch: not saved yet."""
    return AlertLog(
        alert=alert,
        kind=kind,
        by=by,
        through=through or (Through.SCREEN if by is not None else Through.SYSTEM),
        note=note[:MOST_NOTE],
        facts=dict(facts or {}),
    )


def announce(type: str, alert: Alert, **data: Any) -> None:
    publish_many([about(type, alert, **data)])


def about(type: str, alert: Alert, **data: Any) -> Event:
    """``announce``, for a batch: to be handed to ``publish_many``."""
    return unpublished(type, subject=alert, data=data, agency_id=alert.agency_id, governorate_id=alert.governorate_id)


def trail(verb: str, alert: Alert, *, by: object | None, reason: str = "", after: Mapping[str, Any] | None = None) -> None:
    """The audit trail, for what a person (or somebody outside) did; what the system does is in the log."""
    audit.record(f"alert.{verb}", obj=alert, by=by, reason=reason, after=after)
