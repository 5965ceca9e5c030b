"""The queue of anomalies: whose a person is shown, in what order, what narrows them; and one with its curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.db.models import Case, Count, IntegerField, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.models import User
from dashboard.device_values import digits_of
from dashboard.filters import Key, ViewersNarrowing
from iot.curve import TOP, Curve, Sample, curve, scale
from iot.models import Anomaly, AnomalySeverity, Detector, RuleFiring
from iot.querysets import AnomalyQuerySet
from iot.services.anomalies.usefulness import Usefulness, usefulness
from iot.services.anomalies.words import why
from iot.services.history import Point, RawPoint, history

PAGE_SIZE = 100
STATES = [
    ("standing", gettext_lazy("Not over")),
    ("open", gettext_lazy("Open")),
    ("acknowledged", gettext_lazy("Acknowledged")),
    ("resolved", gettext_lazy("Resolved")),
]
BEFORE, AFTER = timedelta(hours=3), timedelta(minutes=30)
POINTS = 400
SHOWN_ROWS = 60
SHOWN_DRAFTS = 20


def anomalies_for(user: User) -> AnomalyQuerySet:
    rows: AnomalyQuerySet = Anomaly.objects.visible_to(user)
    return rows


class QueueFilter(ViewersNarrowing):
    """``?state=&least=&detector=&governorate=``. What is not understood is as if it had not been said."""

    state = forms.ChoiceField(required=False, choices=STATES)
    least = forms.TypedChoiceField(
        required=False,
        coerce=int,
        choices=[("", ""), *AnomalySeverity.choices[1:]],
        label=gettext_lazy("Severity"),
    )
    detector = forms.ChoiceField(
        required=False,
        choices=[("", gettext_lazy("Every detector")), *Detector.choices],
        label=gettext_lazy("Detector"),
        widget=forms.Select(attrs={"class": "input"}),
    )
    governorate = Key(label=gettext_lazy("Governorate"))

    @property
    def standing(self) -> str:
        return str(self.values.get("state", "standing"))

    def apply(self, anomalies: AnomalyQuerySet) -> AnomalyQuerySet:
        values = self.values
        anomalies = anomalies.open() if self.standing == "standing" else anomalies.filter(state=self.standing)
        if "least" in values:
            anomalies = anomalies.filter(severity__gte=values["least"])
        if "detector" in values:
            anomalies = anomalies.filter(detector=values["detector"])
        if "governorate" in values:
            anomalies = anomalies.filter(device__governorate=values["governorate"])
        return anomalies

    @property
    def is_set(self) -> bool:
        return any(name != "state" for name in self.values)

    def standings(self) -> list[dict[str, Any]]:
        return [
            {"text": text, "query": self.query_string(state=None if value == "standing" else value), "is_here": value == self.standing}
            for value, text in STATES
        ]


@dataclass(frozen=True)
class Row:
    anomaly: Anomaly
    why: str
    may_acknowledge: bool


@dataclass(frozen=True)
class Queue:
    rows: Sequence[Row]
    counts: Sequence[tuple[AnomalySeverity, int]]
    useful: Sequence[Usefulness]
    next_page: int | None
    drafts: Sequence[RuleFiring]


def queue(user: User, chosen: QueueFilter, number: int) -> Queue:
    """What nobody has acknowledged first, the worst and the newest of it on top."""
    mine = anomalies_for(user)
    waits = Case(When(state=Anomaly.State.OPEN, then=Value(0)), default=Value(1), output_field=IntegerField())
    ordered = ("-ended_at", "-pk") if chosen.standing == "resolved" else (waits, "-severity", "-raised_at", "-pk")
    first = (number - 1) * PAGE_SIZE
    found = list(chosen.apply(mine).for_list().order_by(*ordered)[first : first + PAGE_SIZE + 1])
    answers = user.can("answer_anomaly")
    by_severity = dict(mine.open().order_by().values_list("severity").annotate(n=Count("pk")))
    return Queue(
        [Row(one, why(one), answers and one.state == Anomaly.State.OPEN) for one in found[:PAGE_SIZE]],
        [(severity, by_severity.get(severity.value, 0)) for severity in reversed(AnomalySeverity)],
        usefulness(mine, now=timezone.now()),
        number + 1 if len(found) > PAGE_SIZE else None,
        list(RuleFiring.objects.visible_to(user).waiting().for_list()[:SHOWN_DRAFTS]) if user.can("open") else [],
    )


# -- one, with its curve ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Evidence:
    """The stream around the anomaly: its curve, where it was bad, and what the detector held it against. Places are the curve's own."""

    curve: Curve
    start: datetime
    end: datetime
    bad_from: float
    bad_wide: float
    limit_y: float | None
    expected_y: float | None
    band_y: float | None
    band_high: float
    table: Sequence[tuple[datetime, float, bool]]

    @property
    def digits(self) -> int:
        return digits_of(value for _at, value, _is_bad in self.table)


def evidence_of(anomaly: Anomaly, *, now: datetime) -> Evidence | None:
    """``None`` where the anomaly is of a device and of no stream, or its readings are no longer kept."""
    if anomaly.datastream is None:
        return None
    lasted = anomaly.last_at - anomaly.began_at
    start = timezone.localtime(anomaly.began_at - max(BEFORE, lasted / 2))
    end = timezone.localtime(min(now, anomaly.last_at + max(AFTER, lasted / 4)))
    found = history(stream=anomaly.datastream, start=start, end=end + timedelta(seconds=1), points=POINTS)
    rows: Sequence[Point | RawPoint] = found.points if found.step_s else found.readings
    samples = [sample for row in rows if (sample := _sample(row)) is not None]
    if not samples:
        return None
    said = anomaly.evidence
    limit, expected, low, high = (_number(said.get(name)) for name in ("limit", "expected", "low", "high"))
    also = [value for value in (limit, expected, low, high) if value is not None]
    step_s = max(found.step_s, anomaly.device.profile.expected_every_s)
    drawn = curve(samples, start=start, end=end, step_s=step_s, also=also)
    floor, roof, _step = scale([row.low for row in samples] + also, [row.high for row in samples] + also)

    def x(at: datetime) -> float:
        share = (at - start).total_seconds() / max((end - start).total_seconds(), 1.0)
        return round(drawn.left + (drawn.right - drawn.left) * min(max(share, 0.0), 1.0), 1)

    def y(value: float | None) -> float | None:
        return None if value is None else round(drawn.bottom - (drawn.bottom - TOP) * (value - floor) / (roof - floor), 1)

    upper, lower = y(high), y(low)
    bad_from = x(anomaly.began_at)
    return Evidence(
        drawn, start, end, bad_from, max(x(anomaly.last_at) - bad_from, 3.0), y(limit), y(expected), upper,
        round(lower - upper, 1) if lower is not None and upper is not None else 0.0,
        [(row.at, row.mid, anomaly.began_at <= row.at <= anomaly.last_at) for row in samples[-SHOWN_ROWS:]][::-1],
    )  # fmt: skip


def _sample(row: Point | RawPoint) -> Sample | None:
    if isinstance(row, RawPoint):
        return Sample(row.at, row.value, row.value, row.value, bool(row.quality))
    if row.min is None or row.mean is None or row.max is None:
        return None
    return Sample(row.at, row.min, row.mean, row.max, row.bad_n > 0)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def noise_of(anomaly: Anomaly) -> tuple[int, int]:
    """Of the last twenty of this metric and detector that were judged: how many, and how many of them were noise."""
    if anomaly.datastream is None:
        return 0, 0
    same = Anomaly.objects.filter(datastream__metric=anomaly.datastream.metric_id, detector=anomaly.detector).exclude(feedback="")
    judged = list(same.order_by("-feedback_at").values_list("feedback", flat=True)[:20])
    return len(judged), judged.count(Anomaly.Feedback.NOISE)
