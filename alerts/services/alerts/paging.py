"""The telling, as the verbs of an alert call it.

Escalation opens alerts of its own (nobody could be reached) and so does the delivery: the two packages and this one call each other.
They are met when called and not when loaded, here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib import import_module
from typing import Any

from accounts.models import User
from alerts.choices import Importance
from alerts.models import Alert, Contact, EscalationPolicy
from alerts.services.whys import Why


def start(*, alert: Alert, policy: EscalationPolicy | None, now: datetime, hurry_percent: int = 0) -> None:
    _call("escalation", "start_run", alert=alert, policy=policy, now=now, hurry_percent=hurry_percent)


def start_many(*, alerts: Sequence[Alert], policy: EscalationPolicy | None, now: datetime, hurry_percent: int = 0) -> None:
    """As ``start``, for alerts that were just opened under one policy."""
    _call("escalation", "start_first_runs", alerts=alerts, policy=policy, now=now, hurry_percent=hurry_percent)


def stop(*, alert: Alert, because: str) -> None:
    """No further step, and no page that is still under way."""
    _call("escalation", "stop_run", alert=alert, because=because)
    _call("delivery", "cancel_pages", alert=alert, because=because)


def hasten(*, alert: Alert, now: datetime) -> bool:
    """The next step is due now; false where none is under way."""
    return bool(_call("escalation", "next_at_once", alert=alert, now=now))


def tell_resolved_by_time(*, alert: Alert, now: datetime) -> None:
    """One message to whoever acknowledged it, or else to those it paged: it is over, and nobody ended it."""
    _call("delivery", "tell_resolved_by_time", alert=alert, now=now)


def page(
    *,
    alert: Alert,
    user: User | None = None,
    contact: Contact | None = None,
    channels: Sequence[str] = (),
    why: Why,
    now: datetime,
) -> None:
    _call(
        "delivery",
        "page_person",
        alert=alert,
        user=user,
        contact=contact,
        importance=Importance.IMPORTANT,
        channels=tuple(channels),
        why=why,
        now=now,
    )


def _call(package: str, verb: str, **given: Any) -> Any:
    return getattr(import_module(f"alerts.services.{package}"), verb)(**given)
