"""What escalation asks of the parts beside it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from django.db.models import Q

from accounts.models import User
from alerts.models import Alert, Contact, ContactMethod, Page, PushSubscription, StepRun


def _verb(module: str, name: str) -> Any:
    return getattr(import_module(module), name, None)


def on_call_now(*, schedule_id: int, at: datetime) -> list[int]:
    verb = _verb("alerts.services.oncall", "on_call_now")
    return list(verb(schedule_id=schedule_id, at=at)) if verb is not None else []


def is_reachable(row: User | Contact) -> bool:
    verb = _verb("alerts.services.people", "is_reachable")
    if verb is not None:
        return bool(verb(row))
    mine = Q(user=row) if isinstance(row, User) else Q(contact=row)
    if ContactMethod.objects.filter(mine, is_active=True, verified_at__isnull=False).exists():
        return True
    return isinstance(row, User) and PushSubscription.objects.filter(user=row, gone_at=None).exists()


def page_person(
    *, alert: Alert, step_run: StepRun, user: User | None, contact: Contact | None, importance: str, channels: Sequence[str], why: str,
    now: datetime,
) -> Page:  # fmt: skip
    verb = _verb("alerts.services.delivery", "page_person")
    if verb is not None:
        page: Page = verb(
            alert=alert, step_run=step_run, user=user, contact=contact, importance=importance, channels=tuple(channels), why=why, now=now
        )
        return page
    return Page.objects.get_or_create(
        step_run=step_run, user=user, contact=contact,
        defaults={"alert": alert, "importance": importance, "why": why, "next_at": now, "code": secrets.token_hex(5),
                  "code_expires_at": now + timedelta(days=1)},
    )[0]  # fmt: skip


def open_alert(**given: Any) -> Alert | None:
    verb = _verb("alerts.services.alerts", "open_alert")
    return verb(**given) if verb is not None else None


def climb_due(*, limit: int, owner: str) -> int:
    verb = _verb("alerts.services.delivery", "climb_due")
    return int(verb(limit=limit, owner=owner)) if verb is not None else 0


def send_due(*, limit: int, owner: str, workers: int) -> int:
    verb = _verb("alerts.services.delivery", "send_due")
    return int(verb(limit=limit, owner=owner, workers=workers)) if verb is not None else 0


def let_messages_finish(*, within_s: float) -> None:
    try:
        pool = import_module("alerts.services.delivery.pool").POOL
    except ImportError:
        return
    pool.wait(within_s)


def look_after() -> None:
    verb = _verb("alerts.services.alerts", "look_after")
    if verb is not None:
        verb()
