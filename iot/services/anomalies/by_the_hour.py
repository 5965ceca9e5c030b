"""Each quarter of an hour: the hours just over, of every stream whose metric asks for it, against what was learnt and the neighbours.

Rows are the only memory. A finding opens with two bad hours in a row, goes on with each bad hour, and is over after three good ones;
silence ends nothing. What a person ended is not raised again before it has been over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from iot.analytics.batch import FloatArray, IntArray
from iot.analytics.hourly import FEATURES, Departures, Small, departures, in_a_row
from iot.analytics.neighbours import LIMIT, nearest, neighbours
from iot.analytics.nightly import Fitted
from iot.analytics.severity import OF_A_SENSOR, severities
from iot.models import Anomaly, Detector, DeviceProfile
from iot.models.anomalies import BY_THE_HOUR
from iot.services.anomalies.fitting import current_fit
from iot.services.anomalies.hours import HOUR_S, Asked, Streams, asked_of, hour_of, raises, read_hours, streams_of, time_of
from iot.services.anomalies.raising import Draft, Longer, auto_resolve_anomalies, extend_anomalies, raise_anomalies

HOURS = 6  # looked at each time: late readings are seen, and good hours counted
FRESH = 2  # a finding is raised by what ended within so many hours
QUIET = 3  # good hours until it is over
STALE = timedelta(days=14)  # what was usual so long ago says nothing of today
WITHIN_M, AROUND, LEAST_AROUND = 3_000.0, 8, 3
OF_A_MEDIAN = 1.15  # how much wider than its own a difference from the median of some neighbours spreads
M_PER_DEGREE = 111_320.0


@dataclass
class Looked:
    """What came of one look. ``judged`` counts streams that had a score in one of the newest hours."""

    profiles: int = 0
    judged: int = 0
    raised: int = 0
    extended: int = 0
    resolved: int = 0

    def add(self, other: Looked) -> None:
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True)
class Judged:
    """Of one detector: by stream and hour the score (1 is the limit), and what shows it. The first hour has a score and no alarm."""

    detector: Detector
    score: FloatArray
    evidence: Callable[[int, int], dict[str, Any]]


@dataclass
class _Course:
    """How one stream went on since a row of it last said so."""

    last: int | None = None  # the last bad hour there is
    is_over: bool = False
    bad: list[int] = field(default_factory=list)


def look_at_hours(*, now: datetime) -> Looked:
    """Every profile that has a fit, and a metric that asks for it or a finding that stands."""
    done = Looked()
    standing = set(Anomaly.objects.open().filter(detector__in=BY_THE_HOUR).values_list("device__profile_id", flat=True).distinct())
    for profile in DeviceProfile.objects.filter(is_active=True).order_by("pk"):
        asked = asked_of(profile)
        if profile.pk in standing or any(one.detectors for one in asked.values()):
            done.add(_look(profile, asked, now))
    return done


def _look(profile: DeviceProfile, asked: Mapping[int, Asked], now: datetime) -> Looked:
    found = current_fit(profile)
    if found is None:
        return Looked()
    row, fitted = found
    if now - row.until > STALE:
        return Looked()
    # All its streams, asked for or not: what they have in common is theirs together.
    streams = streams_of(profile, fitted.metrics.tolist(), now=now, is_synthetic=row.is_synthetic)
    if not len(streams):
        return Looked()
    last = hour_of(now)
    hours = read_hours(streams, first=last - HOURS - 1, last=last, every_s=profile.expected_every_s)
    place = np.clip(np.searchsorted(fitted.streams, streams.ids), 0, len(fitted.streams) - 1)
    usual = fitted.usual.taken(np.where(fitted.streams[place] == streams.ids, place, -1))
    seen = departures(hours, usual)
    done = Looked(profiles=1)
    units = {pk: one.metric.unit for pk, one in asked.items()}
    by_forest = Judged(
        Detector.ISOLATION, fitted.scores(seen.features, streams.metric),
        lambda stream, hour: _of_forest(fitted, seen, stream, hour) | {"fit": row.version},
    )  # fmt: skip
    for judged in (by_forest, beside(streams, seen, usual.scale, asked)):
        score = _tuned(judged, streams, asked)
        one = _settle(Judged(judged.detector, score, judged.evidence), streams, asked, units, first=last - HOURS - 1, now=now)
        done.add(one)
    return done


def _tuned(judged: Judged, streams: Streams, asked: Mapping[int, Asked]) -> FloatArray:
    """As sensitive as it was set; what nobody asks for (any more) is good."""
    score = np.where(np.isfinite(judged.score), judged.score, np.nan)
    for pk in np.unique(streams.metric).tolist():
        mine = streams.metric == pk
        if pk in asked and raises(asked[pk], judged.detector):
            score[mine] *= asked[pk].sensitivity
        else:
            score[mine] = np.where(np.isfinite(score[mine]), 0.0, np.nan)
    return score


# -- what the two say ----------------------------------------------------------------------------------------------------------------------


def _of_forest(fitted: Fitted, seen: Departures, stream: int, hour: int) -> dict[str, Any]:
    """Which features stand out, the one that matters most first: what it was, what was to be expected, how many usual widths out."""
    drop, widths = fitted.standing_out(seen.features[stream, hour])
    order = [k for k in np.argsort(-drop).tolist() if drop[k] > 0 and abs(widths[k]) >= 1] or [int(np.argmax(np.abs(widths)))]
    out = [
        {
            "what": FEATURES[k], "value": _plain(seen.was[stream, hour, k]), "expected": _plain(seen.expected[stream, hour, k]),
            "times": _plain(widths[k]),
        }
        for k in order
    ]  # fmt: skip
    return {"value": _plain(seen.was[stream, hour, 0]), "expected": _plain(seen.expected[stream, hour, 0]), "features": out}


def beside(streams: Streams, seen: Departures, scale: Small, asked: Mapping[int, Asked]) -> Judged:
    """Each stream's departure from its usual hour beside that of the nearest of its kind and agency within three kilometres."""
    level = (seen.was - seen.expected)[:, :, 0]
    score, expected, sigma = (np.full(level.shape, np.nan) for _ in range(3))
    around = _around(streams)
    for metric in np.unique(streams.metric).tolist():
        mine = np.flatnonzero((streams.metric == metric) & (around >= 0).any(axis=1))
        if metric not in asked or not raises(asked[metric], Detector.NEIGHBOURS) or not len(mine):
            continue
        row_of = np.full(len(streams), -1)
        row_of[mine] = np.arange(len(mine))
        theirs = np.where(around[mine] >= 0, row_of[around[mine]], -1)
        own = OF_A_MEDIAN * scale[mine].astype(np.float64)
        for hour in range(level.shape[1]):
            value = level[mine, hour].astype(np.float64)
            off = value - neighbours(value, theirs, spread=own, least=LEAST_AROUND).expected
            if not np.isfinite(off).any():
                continue
            # Never narrower than all of them together spread in this hour.
            spread = 1.4826 * float(np.nanmedian(np.abs(off - np.nanmedian(off))))
            apart = neighbours(value, theirs, spread=own, floor=max(spread, asked[metric].resolves), least=LEAST_AROUND)
            score[mine, hour], sigma[mine, hour] = apart.score, np.maximum(own, max(spread, asked[metric].resolves))
            expected[mine, hour] = seen.expected[mine, hour, 0] + apart.expected

    def evidence(stream: int, hour: int) -> dict[str, Any]:
        theirs = seen.was[around[stream][around[stream] >= 0], hour, 0]
        theirs = theirs[np.isfinite(theirs)]
        reach = LIMIT * sigma[stream, hour] / asked[int(streams.metric[stream])].sensitivity
        return {
            "value": _plain(seen.was[stream, hour, 0]), "expected": _plain(expected[stream, hour]),
            "low": _plain(expected[stream, hour] - reach), "high": _plain(expected[stream, hour] + reach),
            "neighbours": len(theirs), "median": _plain(np.median(theirs)) if len(theirs) else None,
            "spread": _plain(sigma[stream, hour]), "within_m": WITHIN_M,
        }  # fmt: skip

    return Judged(Detector.NEIGHBOURS, score, evidence)


def _around(streams: Streams) -> IntArray:
    """The rows of the nearest streams of the same metric and agency; -1 where there are none. Another agency's readings are not told."""
    answer = np.full((len(streams), AROUND), -1, dtype=np.int64)
    placed = np.isfinite(streams.lon) & np.isfinite(streams.lat)
    for agency, metric in {*zip(streams.agency[placed].tolist(), streams.metric[placed].tolist(), strict=True)}:
        mine = np.flatnonzero(placed & (streams.agency == agency) & (streams.metric == metric))
        lat = streams.lat[mine]
        xy_m = np.stack([streams.lon[mine] * M_PER_DEGREE * math.cos(math.radians(float(lat.mean()))), lat * M_PER_DEGREE], axis=1)
        found = nearest(xy_m, k=AROUND, within_m=WITHIN_M)
        answer[mine] = np.where(found >= 0, mine[found], -1)
    return answer


# -- rows ----------------------------------------------------------------------------------------------------------------------------------


def _settle(judged: Judged, streams: Streams, asked: Mapping[int, Asked], units: Mapping[int, str], *, first: int, now: datetime) -> Looked:
    score = judged.score
    done = Looked(judged=int(np.isfinite(score[:, -FRESH:]).any(axis=1).sum()) if (score > 0).any() else 0)
    rows = Anomaly.objects.filter(detector=judged.detector, datastream__in=streams.ids.tolist()).order_by("pk")
    standing = {row.datastream_id: row for row in rows.open()}
    ended = {row.datastream_id: row for row in rows.filter(because=Anomaly.Because.PERSON, last_at__gte=time_of(first))}
    row_of = {pk: number for number, pk in enumerate(streams.ids.tolist())}

    def draft(stream: int, begin: int, end: int) -> Draft:
        worst = begin + int(np.nanargmax(score[stream, begin : end + 1]))
        return _draft(judged, streams, asked, units, stream, (begin, end, worst), first)

    longer: list[Longer] = []
    over: list[int] = []
    for pk, row in standing.items():
        stream = row_of[pk]
        course = _course(score[stream], first, row.last_at)
        if course.last is not None:
            one = draft(stream, course.bad[0], course.last)
            lasted = (one.last_at - row.began_at).total_seconds()
            severity = max(one.severity, _severity(one.score, lasted, judged.detector, _weight(streams, asked, stream)))
            longer.append(Longer(row.pk, one.last_at, one.score, severity, one.evidence))
        if course.is_over:
            over.append(row.pk)
    held = set()
    for pk, row in ended.items():
        course = _course(score[row_of[pk]], first, row.last_at)
        if course.last is not None:  # still the very finding a person ended: it is remembered how long it went on
            Anomaly.objects.filter(pk=row.pk).update(last_at=time_of(first + course.last + 1))
        if not course.is_over:
            held.add(pk)
    counted = set(Anomaly.objects.open().filter(detector=Detector.MANY).values_list("device_id", flat=True))
    drafts = []
    for stream in np.flatnonzero((in_a_row(score)[:, -FRESH:] > 1.0).any(axis=1)).tolist():
        pk = int(streams.ids[stream])
        if pk not in standing and pk not in held and int(streams.device[stream]) not in counted:
            drafts.append(draft(stream, *_run(score[stream])))
    became = raise_anomalies(drafts=drafts, now=now)
    done.raised = sum(pk > 0 for pk in became.values())
    done.extended = len(longer) - len(extend_anomalies(longer=longer)) if longer else 0
    done.resolved = auto_resolve_anomalies(ids=over, now=now) if over else 0
    return done


def _course(score: FloatArray, first: int, last_at: datetime) -> _Course:
    """Hours that ended after ``last_at``, in their order."""
    course, good = _Course(), 0
    for hour in range(1, len(score)):
        if time_of(first + hour + 1) <= last_at or not np.isfinite(score[hour]) or course.is_over:
            continue
        if score[hour] > 1.0:
            course.last, good = hour, 0
            course.bad.append(hour)
        else:
            good += 1
            course.is_over = good >= QUIET
    return course


def _run(score: FloatArray) -> tuple[int, int]:
    """The newest stretch of bad hours that holds two in a row: where it begins and ends."""
    bad = np.flatnonzero(in_a_row(score[None, :])[0] > 1.0)
    end = begin = int(bad[-1])
    while begin > 0 and score[begin - 1] > 1.0:
        begin -= 1
    return begin, end


def _draft(
    judged: Judged,
    streams: Streams,
    asked: Mapping[int, Asked],
    units: Mapping[int, str],
    stream: int,
    hours: tuple[int, int, int],
    first: int,
) -> Draft:
    begin, end, worst = hours
    score = float(judged.score[stream, worst])
    told = judged.evidence(stream, worst)
    return Draft(
        device_id=int(streams.device[stream]),
        datastream_id=int(streams.ids[stream]),
        detector=judged.detector,
        severity=_severity(score, (end + 1 - begin) * HOUR_S, judged.detector, _weight(streams, asked, stream)),
        began_at=time_of(first + begin),
        last_at=time_of(first + end + 1),
        score=min(score, 1e6),
        evidence=told
        | {"unit": units.get(int(streams.metric[stream]), ""), "at": time_of(first + worst).isoformat(), "score": _plain(score)},
    )


def _severity(score: float, lasted_s: float, detector: Detector, weight: float) -> int:
    """Nobody has measured that either is worth waking for: no higher than what is a sensor's own."""
    found = severities(np.array([score]), np.array([lasted_s]), detector=detector, weight=weight)
    return min(int(found[0]), int(OF_A_SENSOR))


def _weight(streams: Streams, asked: Mapping[int, Asked], stream: int) -> float:
    metric = int(streams.metric[stream])
    return asked[metric].weight if metric in asked else 1.0


def _plain(number: Any) -> float | None:
    value = float(number)
    return round(value, 6) if math.isfinite(value) else None
