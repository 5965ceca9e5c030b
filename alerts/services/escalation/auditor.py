"""Is anything late? Counted in the database by a few indexed questions, and told by a path that needs neither pager nor Celery.

Asked by beat's task, by the pager, and by every open page (``/alerts/late.json``): whoever still lives finds out. What it finds is told
by e-mail straight through SMTP, by a banner on every page, by an event, by ``/healthz/alerts`` and by a ping that stays away.
"""

from __future__ import annotations

import logging
import smtplib
import threading
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from environ import Env

from alerts import events
from alerts.models import Heartbeat
from alerts.services.escalation.heart import AUDITOR, OUTSIDE, PAGER, TOLD, beat, take_turn
from core import audit
from core.events import publish

logger = logging.getLogger("alerts.auditor")

LATE_AFTER = timedelta(seconds=30)
TELL_EVERY = timedelta(minutes=10)
PING_EVERY = timedelta(seconds=60)
LOOK_EVERY = timedelta(seconds=15)  # open pages ask more often; the database is not
MOST_COUNTED = 10_000

# Each reads one partial index; the counts stop at ten thousand, so that the auditor is quick on the worst day of all.
_COUNTS = """
SELECT
    (SELECT count(*) FROM (SELECT 1 FROM alerts_escalationrun WHERE state = 'running' AND next_at < %(due)s LIMIT %(most)s) late),
    (SELECT min(next_at) FROM alerts_escalationrun WHERE state = 'running' AND next_at < %(due)s),
    (SELECT count(*) FROM (SELECT 1 FROM alerts_page WHERE state IN ('running', 'held') AND next_at < %(due)s LIMIT %(most)s) late),
    (SELECT min(next_at) FROM alerts_page WHERE state IN ('running', 'held') AND next_at < %(due)s),
    (SELECT count(*) FROM (SELECT 1 FROM alerts_delivery WHERE state IN ('pending', 'sending') AND next_at < %(due)s
        AND (lease_until IS NULL OR lease_until < %(now)s) LIMIT %(most)s) late),
    (SELECT min(next_at) FROM alerts_delivery WHERE state IN ('pending', 'sending') AND next_at < %(due)s
        AND (lease_until IS NULL OR lease_until < %(now)s)),
    (SELECT count(*) FROM (SELECT 1 FROM core_event WHERE seq IS NULL AND occurred_at < %(due)s ORDER BY id LIMIT %(most)s) late),
    (SELECT occurred_at FROM core_event WHERE seq IS NULL AND occurred_at < %(due)s ORDER BY id LIMIT 1),
    (SELECT event.occurred_at FROM core_eventcursor reader JOIN core_event event ON event.seq = reader.seq + 1
        WHERE reader.name = %(rules)s AND event.occurred_at < %(due)s),
    (SELECT greatest(log.seq - reader.seq, 0) FROM core_eventcursor reader JOIN core_eventcursor log ON log.name = 'log'
        WHERE reader.name = %(rules)s)
"""
RULES_CURSOR = "alerts.rules"


@dataclass(frozen=True)
class Late:
    """What is overdue by more than half a minute, by kind, and for how long the oldest of it has been."""

    steps: int = 0
    pages: int = 0
    deliveries: int = 0
    unnumbered: int = 0  # events the relay has not seen
    unread: int = 0  # events the rules have not seen
    oldest_s: float = 0.0

    @property
    def is_late(self) -> bool:
        return bool(self.steps or self.pages or self.deliveries or self.unnumbered or self.unread)


def count_late(*, now: datetime | None = None) -> Late:
    """One statement, no lock."""
    now = now or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"due": now - LATE_AFTER, "now": now, "most": MOST_COUNTED, "rules": RULES_CURSOR})
        steps, steps_at, pages, pages_at, deliveries, sent_at, unnumbered, events_at, unread_at, behind = cursor.fetchone()
    oldest = [at for at in (steps_at, pages_at, sent_at, events_at, unread_at) if at is not None]
    return Late(
        steps=steps,
        pages=pages,
        deliveries=deliveries,
        unnumbered=unnumbered,
        unread=int(behind or 0) if unread_at is not None else 0,
        oldest_s=max(0.0, round((now - min(oldest)).total_seconds(), 1)) if oldest else 0.0,
    )


def look(*, now: datetime | None = None, tells: bool = True) -> Late:
    """Count, keep what was found, and raise the alarm if anything is late. Safe from many places at once."""
    now = now or timezone.now()
    late = count_late(now=now)
    beat(AUDITOR, facts=asdict(late), now=now)
    if not tells:
        return late
    if late.is_late:
        if take_turn(TOLD, every=TELL_EVERY, now=now):
            raise_alarm(late)
    elif settings.HEARTBEAT_URL and take_turn(OUTSIDE, every=PING_EVERY, now=now):
        threading.Thread(target=_ping, args=(settings.HEARTBEAT_URL,), daemon=True).start()
    return late


def look_if_due(*, now: datetime | None = None) -> Late:
    """What was found in the last quarter of a minute, by whomever; else look. This is what open pages call."""
    now = now or timezone.now()
    last = Heartbeat.objects.filter(name=AUDITOR, beat_at__gt=now - LOOK_EVERY, beat_at__lte=now + LOOK_EVERY).first()
    return Late(**last.facts) if last is not None else look(now=now)


def raise_alarm(late: Late) -> None:
    """By paths of its own. None of them waits for another, and the caller (it may be answering a page) waits for none."""
    logger.error("alerting is late: %s", asdict(late))
    with transaction.atomic():
        publish(events.ALERTING_LATE, data=asdict(late))
        audit.record("alerting.late", after=asdict(late))
    if settings.ALERT_AUDIT_EMAIL and settings.EMAIL_URL:
        threading.Thread(target=_mail, args=(late,), daemon=True).start()


def words_of(late: Late) -> list[str]:
    """What is late, a line each."""
    lines = (
        (late.steps, _("Escalation steps overdue: %(n)d")),
        (late.pages, _("Pages overdue: %(n)d")),
        (late.deliveries, _("Messages not handed over: %(n)d")),
        (late.unnumbered, _("Events the relay has not seen: %(n)d")),
        (late.unread, _("Events the rules have not read: %(n)d")),
    )
    return [text % {"n": count} for count, text in lines if count]


def _mail(late: Late) -> None:
    """Straight to the mail server, not through the deliveries that may be what is late."""
    body = "\n".join([_("Alerts are late: the oldest by %(n)d seconds.") % {"n": round(late.oldest_s)}, "", *words_of(late)])
    body += "\n\n" + _("Look at the processes pager, worker, beat and relay, and at the database.") + f"\n{settings.PUBLIC_URL}"
    try:
        with _mail_server() as server:
            EmailMessage(
                _("Khareetaty: alerts are late"), body, settings.ALERT_FROM_EMAIL, list(settings.ALERT_AUDIT_EMAIL), connection=server,
                headers={"Auto-Submitted": "auto-generated"},
            ).send()  # fmt: skip
    except (OSError, smtplib.SMTPException):
        logger.exception("nobody could be told by e-mail that alerts are late")


def _mail_server() -> Any:
    config = Env.email_url_config(settings.EMAIL_URL)
    if "filebased" in config["EMAIL_BACKEND"]:
        return get_connection(config["EMAIL_BACKEND"], file_path="/" + config["EMAIL_FILE_PATH"].lstrip("/"))
    return get_connection(
        config["EMAIL_BACKEND"], host=config["EMAIL_HOST"], port=config["EMAIL_PORT"] or 25, username=config["EMAIL_HOST_USER"] or "",
        password=config["EMAIL_HOST_PASSWORD"] or "", use_tls=config.get("EMAIL_USE_TLS", False),
        use_ssl=config.get("EMAIL_USE_SSL", False), timeout=settings.ALERT_SEND_TIMEOUT_S,
    )  # fmt: skip


def _ping(url: str) -> None:
    try:
        httpx.get(url, timeout=5)
    except httpx.HTTPError as error:
        logger.warning("the heartbeat could not be sent: %s", error)


def health(*, now: datetime | None = None) -> tuple[bool, dict[str, Any]]:
    """Whether alerts leave in time, with the counts and who was last heard of: what ``/healthz/alerts`` answers."""
    now = now or timezone.now()
    late = count_late(now=now)
    beats = {name: max(0.0, round((now - at).total_seconds(), 1)) for name, at in Heartbeat.objects.values_list("name", "beat_at")}
    heard = {"pager": beats.get(PAGER), "auditor": beats.get(AUDITOR), "beat": beats.get("beat")}
    return not late.is_late, {"late": asdict(late), "last_beat_s": heard}
