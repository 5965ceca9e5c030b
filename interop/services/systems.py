"""Whether the systems around us answer: probes claimed and kept, a change of state announced once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Invalid
from core.events import publish
from core.outbound import BadUrl, Guard, check_url
from interop import events
from interop.models import ExternalSystem, Feed, PartnerKey, SystemProbe

State, Probe, Error = ExternalSystem.State, ExternalSystem.Probe, SystemProbe.Error
AT_ONCE = 50


@dataclass(frozen=True)
class Finding:
    """What one look at a system found."""

    system_id: int
    at: datetime
    is_ok: bool
    ms: float | None = None
    code: int | None = None
    error: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Trend:
    """How a system answered in the last day, and beside it in the week before that."""

    looks: int
    answered_share: float | None
    median_ms: float | None
    earlier_share: float | None
    earlier_ms: float | None


def guard() -> Guard:
    """The same networks that webhooks may call."""
    return Guard(tuple(settings.WEBHOOK_ALLOW))


def check_system(system: ExternalSystem) -> None:
    """``Invalid`` for an address that must not be called: judged when it is saved, and again each time it is looked at."""
    if system.probe == Probe.HTTP:
        try:
            check_url(system.health_url, guard())
        except BadUrl as refusal:
            raise Invalid(refusal.message, fields={"health_url": refusal.message}) from refusal
    if system.probe == Probe.TCP:
        host = f"[{system.host}]" if ":" in system.host else system.host
        try:
            check_url(f"https://{host}/", guard())
        except BadUrl as refusal:
            raise Invalid(refusal.message, fields={"host": refusal.message}) from refusal
    if system.probe == Probe.HEARD and system.partner is not None and system.partner.agency_id != system.agency_id:
        raise Invalid(_("The system cannot be kept so."), fields={"partner": _("Choose a partner of the same agency.")})


@transaction.atomic
def claim_due(*, now: datetime | None = None) -> list[ExternalSystem]:
    """Systems whose turn it is: each is one claimer's, and comes again after its time whatever becomes of the look."""
    now = now or timezone.now()
    rows = ExternalSystem.objects.due(at=now).select_for_update(of=("self",), skip_locked=True).select_related("partner")
    found = list(rows.order_by("next_probe_at")[:AT_ONCE])
    for system in found:
        ExternalSystem.objects.filter(pk=system.pk).update(next_probe_at=now + timedelta(seconds=system.every_s))
    return found


def listen_for(system: ExternalSystem, *, now: datetime | None = None) -> Finding:
    """When its partner last called or sent anything: its keys (noted once a minute) and its feeds say."""
    now = now or timezone.now()
    calls = PartnerKey.objects.filter(partner=system.partner_id).aggregate(at=Max("last_used_at"))["at"]
    feeds = Feed.objects.filter(partner=system.partner_id).aggregate(at=Max("last_heard_at"))["at"]
    heard = max((at for at in (calls, feeds) if at is not None), default=None)
    if heard is None:
        return Finding(system.pk, now, False, error=Error.SILENT, detail="")
    minutes = int((now - heard) / timedelta(minutes=1))
    is_ok = minutes < system.heard_within_min
    return Finding(system.pk, now, is_ok, error="" if is_ok else Error.SILENT, detail=f"{minutes} min")


@transaction.atomic
def note_findings(findings: Sequence[Finding]) -> int:
    """Keep what was found; how many systems changed their state by it."""
    changed = 0
    for finding in findings:
        row = ExternalSystem.objects.select_for_update(of=("self",)).select_related("agency").filter(pk=finding.system_id).first()
        if row is None or not row.is_active:
            continue
        SystemProbe.objects.create(
            system=row, at=finding.at, is_ok=finding.is_ok, ms=finding.ms, code=finding.code, error=finding.error,
            detail=finding.detail[:200],
        )  # fmt: skip
        before = row.state
        row.failures = 0 if finding.is_ok else row.failures + 1
        row.last_probe_at = finding.at
        if finding.is_ok:
            row.last_up_at, row.last_error, row.state = finding.at, "", State.UP
        else:
            row.last_error = f"{finding.error} {finding.code or finding.detail}".strip()[:300]
            if row.failures >= row.failures_to_down:
                row.state = State.DOWN
        since = row.state_since
        if row.state != before:
            row.state_since = finding.at
        row.save(update_fields=["failures", "last_probe_at", "last_up_at", "last_error", "state", "state_since"])
        if row.state != before and State.DOWN in (row.state, before):
            changed += 1
            _announce(row, finding, since)
    return changed


def _announce(system: ExternalSystem, finding: Finding, since: datetime | None) -> None:
    data = {"system": system.name, "kind": system.kind, "error": finding.error, "code": finding.code, "is_synthetic": system.is_synthetic}
    if system.state == State.UP and since is not None:
        data["minutes"] = int((finding.at - since) / timedelta(minutes=1))
    publish(events.SYSTEM_DOWN if system.state == State.DOWN else events.SYSTEM_UP, subject=system, agency_id=system.agency_id, data=data)


# One question for a page of systems. The median is of answers alone: a time-out says how long we waited, not how long they took.
_TREND = """
SELECT system_id, at >= %(day)s AS is_lately, count(*), avg(is_ok::int),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) FILTER (WHERE is_ok AND ms IS NOT NULL)
FROM interop_systemprobe WHERE system_id = ANY(%(ids)s) AND at >= %(week)s GROUP BY 1, 2
"""


def trends(ids: Sequence[int], *, now: datetime | None = None) -> dict[int, Trend]:
    now = now or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_TREND, {"ids": list(ids), "day": now - timedelta(days=1), "week": now - timedelta(days=8)})
        rows = {(pk, lately): (looks, float(share), ms) for pk, lately, looks, share, ms in cursor.fetchall()}
    found = {}
    for pk in ids:
        looks, share, ms = rows.get((pk, True), (0, None, None))
        _looks, earlier, earlier_ms = rows.get((pk, False), (0, None, None))
        found[pk] = Trend(looks, share, ms, earlier, earlier_ms)
    return found


def forget_old_probes(*, now: datetime | None = None) -> int:
    old = SystemProbe.objects.filter(at__lt=(now or timezone.now()) - timedelta(days=settings.PROBES_KEEP_DAYS))
    return old._raw_delete(old.db)
