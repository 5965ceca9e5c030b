"""What was sent is not kept for ever: bodies and answers go first, outcomes later, what was removed with its last delivery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

from interop.models import WebhookSecret

AT_A_TIME = 5_000
EVER = datetime(2000, 1, 1, tzinfo=UTC)
MADE_UP = timedelta(days=21)
_BODIES = """
WITH old AS (
    SELECT id FROM interop_webhookdelivery
    WHERE done_at < %s AND done_at >= %s AND state <> 'pending' AND body <> '' ORDER BY done_at LIMIT %s
), bare AS (
    UPDATE interop_webhookattempt SET excerpt = '' WHERE excerpt <> '' AND delivery_id IN (SELECT id FROM old)
)
UPDATE interop_webhookdelivery SET body = '' WHERE id IN (SELECT id FROM old)
"""
_ROWS = """
WITH old AS (SELECT id FROM interop_webhookdelivery WHERE done_at < %s AND done_at >= %s AND state <> 'pending' ORDER BY done_at LIMIT %s),
tries AS (DELETE FROM interop_webhookattempt WHERE delivery_id IN (SELECT id FROM old))
DELETE FROM interop_webhookdelivery WHERE id IN (SELECT id FROM old)
"""


def forget_old_deliveries(*, now: datetime | None = None) -> tuple[int, int]:
    """Empty bodies after ``WEBHOOK_KEEP_DAYS``, drop rows after three times as long: ``(emptied, dropped)``."""
    now = now or timezone.now()
    kept = timedelta(days=settings.WEBHOOK_KEEP_DAYS)
    WebhookSecret.objects.filter(expires_at__lt=now - kept).delete()
    dropped = _repeat(_ROWS, now - 3 * kept, EVER)
    # Those emptied by an earlier round are not looked at again; a round that was missed for weeks is made up for.
    return _repeat(_BODIES, now - kept, now - kept - MADE_UP), dropped


def _repeat(statement: str, before: datetime, since: datetime) -> int:
    total = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, [before, since, AT_A_TIME])
            total += cursor.rowcount
            if cursor.rowcount < AT_A_TIME:
                return total
