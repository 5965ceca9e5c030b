"""Deliveries are claimed, and what came of them is written down. The row is the queue: any number of senders, each may die at any moment.

A claim moves ``next_at`` to the end of its lease and writes its owner; a claim that nobody finished is due again by itself. A later event
of a subject waits while an earlier one is on its way or being retried shortly (``ORDER_HOLD``); after that it goes, and its sequence
tells the receiver which is newer (docs/decisions/0222).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from interop.models import ErrorClass, WebhookDelivery
from interop.services.webhooks.health import note_failures, note_gone, note_successes

State = WebhookDelivery.State
Trigger = WebhookDelivery.Trigger

# Seconds until the next attempt after the first, second, … failure: about 28 hours in all, then it has failed.
SCHEDULE_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
SPREAD = 0.1
MOST_RETRY_AFTER_S = 3_600.0
ORDER_HOLD = timedelta(minutes=10)
MOST_KEPT = 4_096


@dataclass(frozen=True)
class Claim:
    """A delivery that is ours to send until ``next_at``."""

    pk: int
    subscription_id: int
    event_id: int
    type: str
    agency_id: int | None
    governorate_id: int | None
    subject_id: int | None
    body: str
    trigger: str
    tries: int

    @property
    def webhook_id(self) -> str:
        return f"evt_{self.event_id}_{self.subscription_id}"


@dataclass(frozen=True)
class Outcome:
    """What came of one call. Without an ``error`` it was accepted; ``is_given_back``: it was never made."""

    claim: Claim
    started_at: datetime
    ms: int = 0
    code: int | None = None
    error: str = ""
    detail: str = ""
    excerpt: str = ""
    retry_after_s: float | None = None
    is_given_back: bool = False

    @property
    def is_gone(self) -> bool:
        return self.code == 410


_CLAIM = """
WITH room(subscription_id, free) AS (SELECT * FROM unnest(%(ids)s::bigint[], %(free)s::int[])),
due AS (
    SELECT one.id FROM room CROSS JOIN LATERAL (
        SELECT d.id FROM interop_webhookdelivery d
        WHERE d.subscription_id = room.subscription_id AND d.state = 'pending' AND d.next_at <= %(now)s
        AND NOT EXISTS (
            SELECT 1 FROM interop_webhookdelivery e
            WHERE e.subscription_id = d.subscription_id AND e.state = 'pending' AND e.subject_type = d.subject_type
            AND e.subject_id = d.subject_id AND e.event_id < d.event_id AND e.queued_at > %(since)s
        )
        ORDER BY d.next_at, d.id LIMIT room.free
        FOR UPDATE OF d SKIP LOCKED
    ) AS one
)
UPDATE interop_webhookdelivery SET next_at = %(until)s, lease_owner = %(owner)s WHERE id IN (SELECT id FROM due)
RETURNING id, subscription_id, event_id, type, agency_id, governorate_id, subject_id, body, trigger, tries
"""
_CLAIM_TESTS = """
WITH due AS (
    SELECT id FROM interop_webhookdelivery WHERE state = 'pending' AND trigger = 'test' AND next_at <= %(now)s
    ORDER BY next_at LIMIT 50 FOR UPDATE SKIP LOCKED
)
UPDATE interop_webhookdelivery SET next_at = %(until)s, lease_owner = %(owner)s WHERE id IN (SELECT id FROM due)
RETURNING id, subscription_id, event_id, type, agency_id, governorate_id, subject_id, body, trigger, tries
"""


def claim_due(*, room: Mapping[int, int], owner: str, lease: timedelta, now: datetime | None = None) -> list[Claim]:
    """At most ``room[subscription]`` rows of each, oldest first. No row is claimed by two at once, nor two of a subject."""
    free = {pk: count for pk, count in room.items() if count > 0}
    if not free:
        return []
    now = now or timezone.now()
    given = {"ids": list(free), "free": list(free.values()), "now": now, "since": now - ORDER_HOLD, "until": now + lease, "owner": owner}
    return _claimed(_CLAIM, given)


def claim_tests(*, owner: str, lease: timedelta, now: datetime | None = None) -> list[Claim]:
    """Tests somebody asked for, whatever the state of their webhook."""
    now = now or timezone.now()
    return _claimed(_CLAIM_TESTS, {"now": now, "until": now + lease, "owner": owner})


def _claimed(statement: str, given: dict[str, Any]) -> list[Claim]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return sorted((Claim(*row) for row in cursor.fetchall()), key=lambda claim: claim.event_id)


_DELIVERED = """
UPDATE interop_webhookdelivery d
SET state = 'delivered', done_at = %(now)s, last_code = o.code, last_ms = o.ms, last_error = '', lease_owner = '',
    tries = d.tries + 1, round_tries = d.round_tries + 1
FROM unnest(%(ids)s::bigint[], %(codes)s::int[], %(ms)s::int[]) AS o(id, code, ms)
WHERE d.id = o.id AND d.state IN ('pending', 'failed')
"""


@transaction.atomic
def write_down(outcomes: Sequence[Outcome], *, owner: str, now: datetime | None = None) -> None:
    """One transaction for all. An acceptance counts whoever the row belongs to by now; a failure only where the lease is still ours."""
    now = now or timezone.now()
    given_back = [one for one in outcomes if one.is_given_back]
    made = [one for one in outcomes if not one.is_given_back]
    if given_back:
        ids = [one.claim.pk for one in given_back]
        WebhookDelivery.objects.filter(pk__in=ids, lease_owner=owner, state=State.PENDING).update(next_at=now, lease_owner="")
    accepted = [one for one in made if not one.error]
    failed = [one for one in made if one.error]
    if accepted:
        with connection.cursor() as cursor:
            cursor.execute(
                _DELIVERED,
                {"now": now, "ids": [one.claim.pk for one in accepted], "codes": [one.code for one in accepted],
                 "ms": [one.ms for one in accepted]},
            )  # fmt: skip
    for one in failed:
        _write_failure(one, owner=owner, now=now)
    _write_attempts(made)
    _write_health(accepted, failed, now=now)


_ATTEMPTS = """
INSERT INTO interop_webhookattempt (delivery_id, number, trigger, started_at, ms, code, error, detail, excerpt)
SELECT * FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::timestamptz[], %s::int[], %s::int[], %s::text[], %s::text[], %s::text[])
"""


def _write_attempts(made: Sequence[Outcome]) -> None:
    """One statement, whose rows cost a tenth of what they cost as objects."""
    if not made:
        return
    columns = (
        [one.claim.pk for one in made],
        [one.claim.tries + 1 for one in made],
        [one.claim.trigger for one in made],
        [one.started_at for one in made],
        [one.ms for one in made],
        [one.code for one in made],
        [str(one.error) for one in made],
        [one.detail[:300] for one in made],
        [one.excerpt[:MOST_KEPT] for one in made],
    )
    with connection.cursor() as cursor:
        cursor.execute(_ATTEMPTS, columns)


def _write_failure(one: Outcome, *, owner: str, now: datetime) -> None:
    ours = WebhookDelivery.objects.filter(pk=one.claim.pk, lease_owner=owner, state=State.PENDING)
    held = ours.only("round_tries", "subject_type", "subject_id", "queued_at", "event_id", "subscription_id").first()
    if held is None:
        return
    told = {"last_code": one.code, "last_ms": one.ms, "last_error": one.error, "lease_owner": "", "tries": F("tries") + 1,
            "round_tries": held.round_tries + 1}  # fmt: skip
    wait_s = wait_before_retry(held.round_tries, one.retry_after_s)
    is_test = one.claim.trigger == Trigger.TEST
    if wait_s is None or is_test or one.is_gone or one.error in {ErrorClass.RIGHTS, ErrorClass.STATE}:
        cancelled = one.error in {ErrorClass.RIGHTS, ErrorClass.STATE}
        ours.update(state=State.CANCELLED if cancelled else State.FAILED, done_at=now, **told)
        return
    next_at = now + timedelta(seconds=wait_s)
    ours.update(next_at=next_at, **told)
    if held.subject_id is not None and next_at <= held.queued_at + ORDER_HOLD:
        # Those behind it would be looked at in vain until then.
        WebhookDelivery.objects.filter(
            subscription_id=held.subscription_id, state=State.PENDING, subject_type=held.subject_type, subject_id=held.subject_id,
            event_id__gt=held.event_id, lease_owner="", next_at__lt=next_at,
        ).update(next_at=next_at)  # fmt: skip


def wait_before_retry(failures_before: int, retry_after_s: float | None) -> float | None:
    """Until the next attempt; ``None`` when there is none. A receiver may ask for more time than the schedule gives, up to an hour."""
    if failures_before >= len(SCHEDULE_S):
        return None
    base = float(SCHEDULE_S[failures_before])
    if retry_after_s is not None:
        base = max(base, min(retry_after_s, MOST_RETRY_AFTER_S))
    return base * (1 + random.uniform(0.0, SPREAD))


def _write_health(accepted: Sequence[Outcome], failed: Sequence[Outcome], *, now: datetime) -> None:
    took = {one.claim.subscription_id for one in accepted}
    if took:
        note_successes(took, now=now)
    # A replay or a test that fails says nothing new about how long the address has been failing.
    worst: dict[int, Outcome] = {}
    for one in failed:
        if one.is_gone:
            note_gone(one.claim.subscription_id, now=now)
            give_up(webhook_id=one.claim.subscription_id, error=ErrorClass.STATE, now=now)
        elif one.claim.trigger == Trigger.EVENT and one.error not in {ErrorClass.RIGHTS, ErrorClass.STATE}:
            worst[one.claim.subscription_id] = one
    for subscription_id in sorted(worst.keys() - took):
        one = worst[subscription_id]
        if note_failures(subscription_id, error=describe(one), now=now):
            give_up(webhook_id=subscription_id, error=ErrorClass.STATE, now=now)


def describe(one: Outcome) -> str:
    return f"HTTP {one.code}" if one.code is not None else f"{one.error}: {one.detail}"[:200]


def give_up(*, webhook_id: int, error: str, now: datetime | None = None) -> int:
    """What waits for a webhook that was switched off has failed, and can be replayed when it is back."""
    waiting = WebhookDelivery.objects.filter(subscription=webhook_id, state=State.PENDING).exclude(trigger=Trigger.TEST)
    return waiting.update(state=State.FAILED, done_at=now or timezone.now(), last_error=error, lease_owner="")
