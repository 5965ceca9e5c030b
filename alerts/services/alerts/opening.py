"""An alert begins, or what happened joins the one that is open."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.gis.geos import Point
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Agency, User
from alerts import events
from alerts.choices import Channel, Level
from alerts.models import Alert, AlertLog, AlertRule, AlertState, Contact, EscalationPolicy, Inhibition, Occurrence
from alerts.permissions import require
from alerts.services import whys
from alerts.services.alerts import paging
from alerts.services.alerts.joining import MOST_TITLE, Joining, Seen, join_all, keep_occurrences
from alerts.services.alerts.labels import labels_of, with_labels
from alerts.services.alerts.quiets import QUIETABLE, Quiets
from alerts.services.alerts.recording import announce, trail, write
from core.errors import Conflict, Invalid
from geography.models import Zone
from incidents.models import Incident

MOST_PEOPLE = 200


@transaction.atomic
def open_alert(
    *,
    kind: str,
    fingerprint: str,
    level: str,
    title_en: str,
    title_ar: str,
    caused_at: datetime,
    rule: AlertRule | None = None,
    policy: EscalationPolicy | None = None,
    agency_id: int | None = None,
    governorate_id: int | None = None,
    zone_id: int | None = None,
    location: Point | None = None,
    incident: Incident | None = None,
    incident_id: int | None = None,
    subject: tuple[str, int | None] = ("", None),
    measure: float | None = None,
    threshold: float | None = None,
    facts: Mapping[str, Any] | None = None,
    type_code: str = "",
    category: str = "",
    priority: int = 3,
    parent: Alert | None = None,
    text: str = "",
    event_id: int | None = None,
    is_synthetic: bool = False,
    resolve_after_min: int = 1440,
    hurry_percent: int = 0,
    group_window_min: int | None = None,
    seen: Sequence[Seen] = (),
    quiets: Quiets | None = None,
    by: User | None = None,
    now: datetime | None = None,
) -> Alert:
    """Open an alert, or join the open one of the same fingerprint. Unless it is kept quiet its escalation begins at once.

    What joins raises the level where it is worse, and what got worse after somebody acknowledged it fires again. The same event, and the
    same counted incident, are one occurrence of an alert however often they come. An alert somebody has acknowledged takes in what comes
    within ``group_window_min``; what comes later is a new alert, and the old one is over.
    """
    now = now or timezone.now()
    incident_id = incident.pk if incident is not None else incident_id
    if not seen and (event_id is not None or incident_id is not None):
        seen = (Seen(caused_at, event_id, incident_id, measure),)
    for _attempt in range(3):
        known = Alert.objects.select_for_update(no_key=True).filter(fingerprint=fingerprint).exclude(state=AlertState.RESOLVED).first()
        if known is not None and is_over(known, seen, group_window_min, now):
            _supersede(known, now=now)
            known, parent = None, known
        if known is not None:
            join_all(
                joining=[
                    Joining(
                        alert=known,
                        seen=seen,
                        level=level,
                        measure=measure,
                        threshold=threshold,
                        facts=facts,
                        title=(title_en, title_ar),
                        is_synthetic=is_synthetic,
                        resolve_after_min=resolve_after_min,
                        hurry_percent=hurry_percent,
                    )
                ],
                now=now,
            )
            return known
        alert = Alert(
            key=uuid.uuid4(),
            kind=kind,
            rule=rule,
            rule_version=rule.version if rule else None,
            parent=parent,
            fingerprint=fingerprint,
            level=level,
            priority=priority,
            title_en=title_en[:MOST_TITLE],
            title_ar=title_ar[:MOST_TITLE],
            text=text,
            agency_id=agency_id,
            governorate_id=governorate_id,
            zone_id=zone_id,
            type_code=type_code,
            category=category,
            location=location,
            incident_id=incident_id,
            subject_type=subject[0],
            subject_id=subject[1],
            measure=measure,
            threshold=threshold,
            facts=dict(facts or {}),
            caused_at=caused_at,
            opened_at=now,
            last_seen_at=now,
            occurrence_count=max(1, len(seen)),
            resolve_due_at=now + timedelta(minutes=resolve_after_min),
            is_synthetic=is_synthetic,
        )
        # Two that come first at once: one row is written, and the other joins it.
        Alert.objects.bulk_create([alert], ignore_conflicts=True)
        stored = Alert.objects.filter(key=alert.key).values_list("pk", flat=True).first()
        if stored is not None:
            alert.pk, alert._state.adding = stored, False
            _begin(alert, policy or (rule.policy if rule else None), seen, quiets or Quiets.at(now), hurry_percent, by=by, now=now)
            return alert
    raise Conflict(_("This alert is being opened and resolved at the same moment. Try again."))


def is_over(alert: Alert, seen: Sequence[Seen], group_window_min: int | None, now: datetime) -> bool:
    """Whether something new comes too late to belong to an alert that somebody has in hand."""
    if group_window_min is None or alert.state != AlertState.ACKNOWLEDGED or (alert.snoozed_until and alert.snoozed_until > now):
        return False
    if alert.last_seen_at >= now - timedelta(minutes=group_window_min):
        return False
    old = set(Occurrence.objects.filter(alert=alert).values_list("event_id", "incident_id"))
    return any((one.event_id, one.incident_id) not in old for one in seen) or not seen


def _supersede(alert: Alert, *, now: datetime) -> None:
    from alerts.services.alerts.resolving import close

    close(alert, because=Alert.Because.TIME, outcome=_("It happened again after the time in which it would have joined."), now=now)


def _begin(
    alert: Alert,
    policy: EscalationPolicy | None,
    seen: Sequence[Seen],
    quiets: Quiets,
    hurry_percent: int,
    *,
    by: User | None,
    now: datetime,
) -> None:
    kept = keep_occurrences([(alert, seen)])[alert.pk]
    if kept > 1 and kept != alert.occurrence_count:
        Alert.objects.filter(pk=alert.pk).update(occurrence_count=kept)
        alert.occurrence_count = kept
    write(alert, AlertLog.Kind.OPENED, by=by, facts=opened_facts(alert))
    announce(events.ALERT_FIRED, alert, **fired_data(alert))
    if not quiet_down(alert, quiets, now=now) and (policy is not None or alert.kind != Alert.Kind.MANUAL):
        paging.start(alert=alert, policy=policy, now=now, hurry_percent=hurry_percent)
    quiet_others(alert, quiets, now=now)


def fired_data(alert: Alert) -> dict[str, Any]:
    return {"kind": alert.kind, "level": alert.level, **({"rule": alert.rule.code} if alert.rule else {})}


def opened_facts(alert: Alert) -> dict[str, Any]:
    return {"level": alert.level, "measure": alert.measure, "threshold": alert.threshold}


def quiet_down(alert: Alert, quiets: Quiets, *, now: datetime, labels: Mapping[str, str] | None = None) -> bool:
    """Note the silence or the open alert that keeps this one quiet, if there is one. Only what a rule fired can be kept quiet: what a
    person raised, and what says that nobody was reached, is heard."""
    if alert.kind not in QUIETABLE or not (quiets.silences or quiets.inhibitions):
        return False
    labels = labels or labels_of(alert)
    silence = quiets.silence_of(alert, labels)
    if silence is not None:
        Alert.objects.filter(pk=alert.pk).update(silenced_by=silence)
        alert.silenced_by = silence
        write(alert, AlertLog.Kind.SILENCED, note=silence.reason, facts={"silence": silence.pk, "until": silence.ends_at.isoformat()})
        announce(events.ALERT_QUIETED, alert, how="silenced", until=silence.ends_at.isoformat())
        return True
    found = quiets.inhibitor_of(alert, labels) if quiets.inhibitions else None
    if found is not None:
        inhibit(alert, *found)
        return True
    return False


def inhibit(alert: Alert, inhibition: Inhibition, source: Alert) -> None:
    Alert.objects.filter(pk=alert.pk).update(inhibited_by=source, inhibition=inhibition)
    alert.inhibited_by, alert.inhibition = source, inhibition
    write(alert, AlertLog.Kind.INHIBITED, note=source.title_en, facts={"inhibition": inhibition.code, "by": source.pk})
    announce(events.ALERT_QUIETED, alert, how="inhibited")


def quiet_others(source: Alert, quiets: Quiets, *, now: datetime, labels: Mapping[str, str] | None = None) -> None:
    """A new alert that inhibits others quiets those that fire already."""
    if not quiets.inhibitions or source.inhibited_by_id is not None:
        return
    if not quiets.may_inhibit(labels or labels_of(source)):
        return
    firing = Alert.objects.firing().filter(inhibited_by=None, silenced_by=None, kind__in=QUIETABLE).exclude(pk=source.pk)
    for inhibition, alert in quiets.inhibited_by(source, list(with_labels(firing)[:2000])):
        if Alert.objects.filter(pk=alert.pk, state=AlertState.FIRING, inhibited_by=None).update(inhibited_by=source):
            inhibit(alert, inhibition, source)
            paging.stop(alert=alert, because="inhibited")


@transaction.atomic
def raise_manual(
    *,
    by: User,
    title: str,
    text: str,
    level: str,
    agency: Agency,
    governorate: Zone | None = None,
    zone: Zone | None = None,
    location: Point | None = None,
    users: Sequence[User] = (),
    contacts: Sequence[Contact] = (),
    channels: Sequence[str] = (),
    policy: EscalationPolicy | None = None,
) -> Alert:
    """A person tells others: the people named are paged at once, by the channels named or as each of them chose; a policy goes on from
    there where one is named."""
    require(by, "raise_alert")
    title, problems = title.strip(), {}
    if not title:
        problems["title"] = _("Say what it is.")
    elif len(title) > MOST_TITLE:
        problems["title"] = _("At most %(limit)d characters.") % {"limit": MOST_TITLE}
    if level not in Level.values:
        problems["level"] = _("Unknown level.")
    if unknown := [channel for channel in channels if channel not in Channel.values]:
        problems["channels"] = _("Unknown channel: %(channel)s.") % {"channel": unknown[0]}
    if not users and not contacts and policy is None:
        problems["users"] = _("Name somebody, or a policy.")
    if len(users) + len(contacts) > MOST_PEOPLE:
        problems["users"] = _("At most %(limit)d people at once; a team or a policy reaches more.") % {"limit": MOST_PEOPLE}
    if any(not user.is_active for user in users) or any(not contact.is_active for contact in contacts):
        problems["users"] = _("One of these is out of use.")
    governorate_id = governorate.pk if governorate else _governorate_of(zone)
    if not by.jurisdiction.admits(agency_id=agency.pk, governorate_id=governorate_id):
        problems["agency"] = _("This lies outside your jurisdiction.")
    if problems:
        raise Invalid(_("The alert cannot be raised as it is."), fields=problems)
    now = timezone.now()
    alert = open_alert(
        kind=Alert.Kind.MANUAL,
        fingerprint=f"manual:{uuid.uuid4().hex}",
        level=level,
        title_en=title,
        title_ar=title,
        text=text,
        caused_at=now,
        policy=policy,
        agency_id=agency.pk,
        governorate_id=governorate_id,
        zone_id=zone.pk if zone else None,
        location=location,
        facts={
            "raised_by": by.pk,
            "channels": list(channels),
            "users": [user.pk for user in users],
            "contacts": [contact.pk for contact in contacts],
        },
        by=by,
        now=now,
    )
    why = whys.told_by(by)
    for user in {user.pk: user for user in users}.values():
        paging.page(alert=alert, user=user, channels=channels, why=why, now=now)
    for contact in {contact.pk: contact for contact in contacts}.values():
        paging.page(alert=alert, contact=contact, channels=channels, why=why, now=now)
    trail("raise", alert, by=by, after={"level": level, "title": title, "users": len(users), "contacts": len(contacts)})
    return alert


def _governorate_of(zone: Zone | None) -> int | None:
    steps = 0
    while zone is not None and zone.level != Zone.Level.GOVERNORATE and steps < 4:
        zone, steps = zone.parent, steps + 1
    return zone.pk if zone is not None and zone.level == Zone.Level.GOVERNORATE else None
