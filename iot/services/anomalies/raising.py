"""Anomalies as rows: raised once, made longer and worse, over when enough good readings came. What people do is in ``answering``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Q

from core.events import publish_many
from core.models import Event
from iot import events
from iot.models import Anomaly, Detector, Device
from iot.services.anomalies.announcing import event_of

State = Anomaly.State
Key = tuple[int, int | None, str, int | None]  # device, stream, detector, rule
WITHIN = timedelta(hours=1)
MANY = 5  # so many raised of one device within the hour; what comes next is one anomaly that counts
MANY_ENDS = timedelta(hours=1)  # quiet for so long, they are over


@dataclass(frozen=True)
class Draft:
    """What a detector says. ``evidence`` names the numbers that make it believable: value, expected, limit, unit, window."""

    device_id: int
    datastream_id: int | None
    detector: str
    severity: int
    began_at: datetime
    last_at: datetime
    score: float
    evidence: Mapping[str, Any] = field(default_factory=dict)
    rule_id: int | None = None

    @property
    def key(self) -> Key:
        return self.device_id, self.datastream_id, self.detector, self.rule_id


@dataclass(frozen=True)
class Longer:
    """An open anomaly goes on: until when, how far out at its worst, how bad by now."""

    pk: int
    last_at: datetime
    score: float
    severity: int
    evidence: Mapping[str, Any] | None = None


@transaction.atomic
def raise_anomalies(*, drafts: Sequence[Draft], now: datetime) -> dict[Key, int]:
    """Raise these, announce those that are new, and say which row each became: -1 where nothing is raised because a person has ended
    this very finding (it may come again when it has been over), or where it was counted on its device's "many anomalies".

    Twice the same is once: what is open already keeps its row.
    """
    if not drafts:
        return {}
    ids = sorted({draft.device_id for draft in drafts})
    devices = {row.pk: row for row in Device.objects.filter(pk__in=ids).select_for_update(no_key=True).order_by("pk")}
    standing = {
        (row.device_id, row.datastream_id, row.detector, row.rule_id): row for row in Anomaly.objects.open().filter(device_id__in=ids)
    }  # fmt: skip
    became: dict[Key, int] = {}
    new: dict[int, list[Draft]] = {}
    for draft in drafts:
        if draft.key in standing:
            became[draft.key] = standing[draft.key].pk
        elif draft.device_id not in devices or devices[draft.device_id].state != Device.State.ACTIVE or _was_ended_by_a_person(draft):
            became[draft.key] = -1
        elif draft.key not in became:
            became[draft.key] = 0
            new.setdefault(draft.device_id, []).append(draft)
    lately = Counter(
        dict(
            Anomaly.objects.filter(device_id__in=new, raised_at__gt=now - WITHIN).exclude(detector=Detector.MANY)
            .order_by().values_list("device_id").annotate(n=Count("pk"))
        )
    )  # fmt: skip
    said: list[Event] = []
    for device_id, theirs in new.items():
        many = standing.get((device_id, None, Detector.MANY, None))
        if many is not None or lately[device_id] + len(theirs) > MANY:
            said += _counted(devices[device_id], theirs, many, lately[device_id], now)
            became |= {draft.key: -1 for draft in theirs}
            continue
        rows = [_row(draft, now) for draft in theirs]
        Anomaly.objects.bulk_create(rows)
        became |= {draft.key: row.pk for draft, row in zip(theirs, rows, strict=True)}
    made = [pk for pk in became.values() if pk > 0 and pk not in {row.pk for row in standing.values()}]
    for anomaly in Anomaly.objects.filter(pk__in=made).select_related("device", "datastream__metric").order_by("pk"):
        said.append(event_of(events.ANOMALY_RAISED, anomaly))
    publish_many(said)
    return became


def _was_ended_by_a_person(draft: Draft) -> bool:
    """Whether somebody said of the stretch that still goes on that it is over."""
    theirs = Anomaly.objects.filter(device_id=draft.device_id, detector=draft.detector, rule=draft.rule_id, ended_at__gte=draft.began_at)
    stream = Q(datastream=None) if draft.datastream_id is None else Q(datastream_id=draft.datastream_id)
    return theirs.filter(stream, because=Anomaly.Because.PERSON).exists()


def _row(draft: Draft, now: datetime) -> Anomaly:
    return Anomaly(
        device_id=draft.device_id, datastream_id=draft.datastream_id, detector=draft.detector,
        severity=draft.severity, began_at=draft.began_at, raised_at=now,
        last_at=max(draft.last_at, draft.began_at), score=draft.score, evidence=dict(draft.evidence), rule_id=draft.rule_id,
    )  # fmt: skip


def _counted(device: Device, drafts: Sequence[Draft], many: Anomaly | None, lately: int, now: datetime) -> list[Event]:
    """A device that raises one after the other is one line in the queue: what it has open becomes part of it."""
    worst = max(drafts, key=lambda draft: (draft.severity, draft.score))
    last = max(draft.last_at for draft in drafts)
    names = sorted({draft.detector for draft in drafts})
    if many is not None:
        evidence = {**many.evidence, "detectors": sorted({*many.evidence.get("detectors", []), *names})}
        is_worse = worst.severity > many.severity
        Anomaly.objects.filter(pk=many.pk).update(
            count=F("count") + len(drafts), last_at=max(last, many.last_at), score=max(worst.score, many.score),
            severity=max(worst.severity, many.severity), evidence=evidence,
        )  # fmt: skip
        return [event_of(events.ANOMALY_WORSENED, _read(many.pk))] if is_worse else []
    others = Anomaly.objects.open().filter(device=device).exclude(detector=Detector.RULE)
    merged = list(others.select_related("device", "datastream__metric"))
    severity = max([worst.severity, *(row.severity for row in merged)])
    began = min([draft.began_at for draft in drafts] + [row.began_at for row in merged])
    row = Anomaly.objects.create(
        device=device, detector=Detector.MANY, severity=severity, began_at=began, raised_at=now, last_at=max(last, began),
        score=worst.score, count=lately + len(drafts),
        evidence={"within_min": round(WITHIN.total_seconds() / 60), "detectors": sorted({*names, *(one.detector for one in merged)})},
    )  # fmt: skip
    said = _close(merged, Anomaly.Because.MERGED, now)
    return [*said, event_of(events.ANOMALY_RAISED, _read(row.pk))]


def _read(pk: int) -> Anomaly:
    return Anomaly.objects.select_related("device", "datastream__metric").get(pk=pk)


@transaction.atomic
def extend_anomalies(*, longer: Sequence[Longer]) -> set[int]:
    """Make these longer and, where they are, worse (never milder). Answers those that are open no more: a person ended them."""
    by_id = {one.pk: one for one in longer}
    rows = list(Anomaly.objects.open().filter(pk__in=by_id).select_for_update(no_key=True).order_by("pk"))
    worse = []
    for row in rows:
        one = by_id[row.pk]
        if one.severity > row.severity:
            worse.append(row.pk)
        if one.score > row.score and one.evidence is not None:
            row.evidence = dict(one.evidence)
        row.last_at, row.score, row.severity = max(row.last_at, one.last_at), max(row.score, one.score), max(row.severity, one.severity)
        row.count += 1
    Anomaly.objects.bulk_update(rows, ["last_at", "score", "severity", "evidence", "count"])
    again = Anomaly.objects.filter(pk__in=worse).select_related("device", "datastream__metric").order_by("pk")
    publish_many([event_of(events.ANOMALY_WORSENED, row) for row in again])
    return set(by_id) - {row.pk for row in rows}


@transaction.atomic
def auto_resolve_anomalies(*, ids: Iterable[int], now: datetime, because: str = Anomaly.Because.READINGS) -> int:
    """Enough good readings came (or the device went out of use): these are over, and that is announced."""
    rows = Anomaly.objects.open().filter(pk__in=sorted(ids)).select_related("device", "datastream__metric")
    said = _close(list(rows.select_for_update(no_key=True, of=("self",)).order_by("pk")), because, now)
    publish_many(said)
    return len(said)


def _close(rows: Sequence[Anomaly], because: str, now: datetime) -> list[Event]:
    Anomaly.objects.filter(pk__in=[row.pk for row in rows]).update(state=State.RESOLVED, because=because, ended_at=now)
    return [event_of(events.ANOMALY_RESOLVED, row, because=str(because)) for row in rows]


def resolve_unused(*, now: datetime) -> int:
    """What no reading can end any more: of devices that were suspended or retired; and "many" of devices that are quiet again."""
    unused = Anomaly.objects.open().exclude(device__state=Device.State.ACTIVE).values_list("pk", flat=True)
    quiet = Anomaly.objects.open().filter(detector=Detector.MANY, last_at__lt=now - MANY_ENDS).values_list("pk", flat=True)
    count = auto_resolve_anomalies(ids=list(unused[:500]), now=now, because=Anomaly.Because.DEVICE)
    return count + auto_resolve_anomalies(ids=list(quiet[:500]), now=now)
