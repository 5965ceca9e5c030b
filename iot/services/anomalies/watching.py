"""The detectors beside the stream: what they know of each series, and what becomes of a batch of readings.

Nothing here listens or waits (``iot.watcher`` does): a batch comes in, rows go out. What could not be written because the database was away
is written with the next batch: a finding that stands and has no row is raised as soon as a bad reading is fresh.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db import connection

from iot.analytics.auto_resolve import OpenState, Resolving, auto_resolve
from iot.analytics.batch import Batch, FloatArray, Found, IntArray
from iot.analytics.severity import OF_A_SENSOR, severities
from iot.analytics.streaming import DETECTORS, States, Tuning, judge
from iot.analytics.threshold import Limits
from iot.models import Anomaly
from iot.quality import Quality
from iot.services.anomalies.raising import Draft, Longer, auto_resolve_anomalies, extend_anomalies, raise_anomalies
from iot.services.anomalies.tuning import NO_LIMITS, Judging, judgings

MOST_SERIES = 20_000  # about 7 kB each; beyond it those longest unheard are forgotten
FRESH_S = 3_600.0  # a finding is raised while its last bad reading is no older: a backlog of days wakes nobody
AHEAD_S = 120.0
EXTEND_EVERY_S = 60.0
LEARNT = ("robust", "seasonal")
FLAG = {"stuck": Quality.STUCK, "drift": Quality.DRIFT, "robust": Quality.SPIKE, "rate": Quality.SPIKE, "gap": Quality.GAP}
HANDLED = -1  # this finding stands and has no row of its own: a person ended it, or it was counted on "many"
_EVIDENCE = ("value", "at_s", "expected", "score", "sign")


@dataclass
class Heard:
    """What became of a batch."""

    judged: int = 0
    raised: int = 0
    extended: int = 0
    resolved: int = 0
    flagged: int = 0


@dataclass
class _Finding:
    """Of one detector, by series: whether a finding stands, which row it has (0: none), the reading that shows it best."""

    open: OpenState
    row: IntArray
    last_bad_s: FloatArray
    told_s: FloatArray
    evidence: dict[str, FloatArray]

    @classmethod
    def fresh(cls, series: int) -> _Finding:
        return cls(
            OpenState.fresh(series), np.zeros(series, np.int64), np.full(series, -np.inf), np.full(series, -np.inf),
            {name: np.full(series, np.nan) for name in _EVIDENCE},
        )  # fmt: skip

    def grown(self, by: int) -> _Finding:
        new = _Finding.fresh(by)
        return _Finding(
            self.open.grown(new.open), np.concatenate([self.row, new.row]), np.concatenate([self.last_bad_s, new.last_bad_s]),
            np.concatenate([self.told_s, new.told_s]),
            {name: np.concatenate([self.evidence[name], new.evidence[name]]) for name in _EVIDENCE},
        )  # fmt: skip

    def forget(self, rows: IntArray) -> None:
        new = _Finding.fresh(len(rows))
        self.open.put(rows, new.open)
        self.row[rows], self.last_bad_s[rows], self.told_s[rows] = 0, -np.inf, -np.inf
        for name in _EVIDENCE:
            self.evidence[name][rows] = np.nan


@dataclass
class Watched:
    """Every series that is followed. Not for two threads at once."""

    most: int = MOST_SERIES
    place: dict[int, int] = field(default_factory=dict)  # of a stream among the series

    def __post_init__(self) -> None:
        self._known: list[Judging | None] = []
        self.states = States.fresh(0)
        self.findings = {name: _Finding.fresh(0) for name in DETECTORS}
        self._heard_s = np.zeros(0)
        self._retune()

    def __len__(self) -> int:
        return len(self.place)

    # -- which series there are ---------------------------------------------------------------------------------------------------------

    def learn(self, stream_ids: Iterable[int], *, now: datetime) -> None:
        """Know these streams: what they are judged by, and what is open of them."""
        new = [pk for pk in stream_ids if pk not in self.place]
        if not new:
            return
        found = judgings(new, now_s=now.timestamp())
        rows = self._rooms(len(found))
        for row, (pk, judging) in zip(rows, found.items(), strict=True):
            self.place[pk] = row
            self._known[row] = judging
        self._heard_s[rows] = now.timestamp()
        self._take_up(list(found))
        self._retune()

    def refresh(self, *, now: datetime) -> None:
        """Read anew what everything is judged by: settings, devices put into maintenance or out of use."""
        found = judgings(self.place, now_s=now.timestamp())
        for pk, row in self.place.items():
            self._known[row] = found.get(pk)
        self._retune()

    def _rooms(self, count: int) -> IntArray:
        """Rows for so many new series: free ones, new ones, or those of the longest unheard."""
        taken = set(self.place.values())
        free = [row for row in range(len(self._known)) if row not in taken][:count]
        size = len(self._known)
        more = min(max(count - len(free), 0), self.most - size)
        if more > 0:
            room = min(max(more, size // 2, 64), self.most - size)
            self.states = self.states.grown(States.fresh(room))
            self.findings = {name: one.grown(room) for name, one in self.findings.items()}
            self._known += [None] * room
            self._heard_s = np.concatenate([self._heard_s, np.zeros(room)])
            free += list(range(size, size + more))
        if len(free) < count:
            by_age = sorted(self.place, key=lambda pk: self._heard_s[self.place[pk]])[: count - len(free)]
            old = [self.place.pop(pk) for pk in by_age]
            self._forget(np.array(old, np.int64))
            free += old
        return np.array(free[:count], np.int64)

    def _forget(self, rows: IntArray) -> None:
        self.states.put(rows, States.fresh(len(rows)))
        for one in self.findings.values():
            one.forget(rows)

    def _take_up(self, stream_ids: list[int]) -> None:
        """What is open of these already: it goes on, and is not raised again."""
        open_rows = Anomaly.objects.open().filter(datastream_id__in=stream_ids, detector__in=DETECTORS)
        for anomaly in open_rows.only("pk", "datastream_id", "detector", "began_at", "last_at", "score"):
            row, one = self.place[anomaly.datastream_id or 0], self.findings[anomaly.detector]
            one.row[row], one.open.is_open[row], one.open.worst[row] = anomaly.pk, 1, anomaly.score
            one.open.bad[row], one.open.bad_since_s[row] = 1, anomaly.began_at.timestamp()
            one.last_bad_s[row] = one.open.last_s[row] = anomaly.last_at.timestamp()

    def _retune(self) -> None:
        known = [one if one is not None else _NOBODY for one in self._known]
        self._is_judged = np.array([one.is_judged for one in known], bool)
        self._device = np.array([one.device_id for one in known], np.int64)
        self._stream = np.array([one.stream_id for one in known], np.int64)
        self._weight = np.array([one.weight for one in known])
        self._sensitivity = np.array([one.sensitivity for one in known])
        self._on = {name: np.array([name in one.detectors for one in known], bool) for name in DETECTORS}
        hows: dict[Resolving, int] = {}
        self._how = np.array([hows.setdefault(one.resolving, len(hows)) for one in known], np.int64)
        self._hows = list(hows)
        self.tuning = Tuning.of(
            len(known),
            limits=Limits(np.array([one.limits for one in known], np.float64).reshape(len(known), 4)),
            most_per_minute=np.array([one.most_per_minute for one in known], np.float64),
            stuck_after_s=np.array([one.stuck_after_s for one in known], np.float64),
            cadence_s=np.array([one.cadence_s for one in known], np.float64),
            floor=np.array([one.resolves for one in known], np.float64),
        )

    # -- a batch ------------------------------------------------------------------------------------------------------------------------

    def hear(self, stream_id: IntArray, at_s: FloatArray, value: FloatArray, *, now: datetime, is_fresh: bool = True) -> Heard:
        """Judge these readings, in any order between streams, by time within each; write what follows.

        ``is_fresh=False`` while catching up: what stands at the end is written by the next call with fresh readings, or ``settle``.
        """
        done = Heard()
        ids, inverse = np.unique(stream_id, return_inverse=True)
        self.learn(ids.tolist(), now=now)
        places = np.array([self.place.get(pk, -1) for pk in ids.tolist()], np.int64)
        rows = places[inverse]
        keep = (rows >= 0) & np.isfinite(value) & (at_s <= now.timestamp() + AHEAD_S)
        keep &= self._is_judged[np.maximum(rows, 0)] if len(self._is_judged) else False
        if not keep.any():
            return done
        rows, stream_id, at_s, value = rows[keep], stream_id[keep], at_s[keep], value[keep]
        self._heard_s[np.unique(rows)] = now.timestamp()
        batch = Batch.of(rows, at_s, value)
        judged, self.states = judge(batch, self.states, self.tuning, in_place=True)
        done.judged = len(batch)
        flags = np.zeros(len(batch), np.int64)
        for name in DETECTORS:
            found = self._tuned(name, batch, judged.found[name])
            if name in FLAG:
                flags |= np.where(found.active != 0, int(FLAG[name]), 0)
            self._follow(name, batch, found)
        done.flagged = flag(stream_id, at_s, flags)
        if is_fresh:
            self.settle(done, now=now)
        return done

    def _tuned(self, name: str, batch: Batch, found: Found) -> Found:
        """With detectors that are off left out, and those that learn as sensitive as they were set."""
        active, score = found.active, found.score
        if name in LEARNT:
            score = score * self._sensitivity[batch.series]
            sign = np.where(batch.value >= np.nan_to_num(found.expected), 1, -1)
            active = np.where(np.nan_to_num(score) >= 1.0, sign, 0).astype(np.int8)
        return Found(score, np.where(self._on[name][batch.series], active, 0).astype(np.int8), found.expected)

    def _follow(self, name: str, batch: Batch, found: Found) -> None:
        one, bad = self.findings[name], found.active != 0
        if not bad.any() and not one.open.is_open.any() and not one.open.bad.any():
            return
        how = self._how[batch.series]
        for number, resolving in enumerate(self._hows):
            mine = how == number if len(self._hows) > 1 else slice(None)
            _turns, one.open = auto_resolve(
                batch.series[mine], batch.at_s[mine], found.score[mine], found.active[mine], one.open, resolving
            )
        if not bad.any():
            return
        series, at_s = batch.series[bad], batch.at_s[bad]
        np.maximum.at(one.last_bad_s, series, at_s)
        # Of each series the reading that is farthest out is the one to show: assigned last.
        order = np.argsort(np.nan_to_num(found.score[bad]), kind="stable")
        best = order[np.nan_to_num(found.score[bad])[order] >= one.open.worst[series[order]] - 1e-12]
        said = (batch.value[bad], at_s, found.expected[bad], found.score[bad], found.active[bad].astype(np.float64))
        for part, column in zip(_EVIDENCE, said, strict=True):
            one.evidence[part][series[best]] = column[best]

    def settle(self, done: Heard | None = None, *, now: datetime) -> Heard:
        """Make rows of what stands, and end the rows of what stands no more."""
        done = done or Heard()
        now_s = now.timestamp()
        drafts: list[Draft] = []
        places: list[tuple[str, int]] = []
        longer: dict[str, list[int]] = {}
        over: list[tuple[str, int]] = []
        for name, one in self.findings.items():
            is_open = one.open.is_open != 0
            for row in np.flatnonzero(is_open & (one.row == 0) & (one.last_bad_s >= now_s - FRESH_S)).tolist():
                drafts.append(self._draft(name, row))
                places.append((name, row))
            over += [(name, row) for row in np.flatnonzero(~is_open & (one.row != 0)).tolist()]
            goes_on = np.flatnonzero(is_open & (one.row > 0) & (one.last_bad_s >= one.told_s + EXTEND_EVERY_S))
            if len(goes_on):
                longer[name] = goes_on.tolist()
        if drafts:
            became = raise_anomalies(drafts=drafts, now=now)
            for (name, row), draft in zip(places, drafts, strict=True):
                pk = became[draft.key]
                self.findings[name].row[row] = pk if pk > 0 else HANDLED
                self.findings[name].told_s[row] = self.findings[name].last_bad_s[row]
                done.raised += pk > 0
        if longer:
            done.extended += self._extend(longer)
        if over:
            ended = [pk for name, row in over if (pk := int(self.findings[name].row[row])) > 0]
            done.resolved += auto_resolve_anomalies(ids=ended, now=now)
            for name, row in over:
                self.findings[name].row[row] = 0
        return done

    def _extend(self, longer: Mapping[str, list[int]]) -> int:
        rows: dict[int, tuple[str, int]] = {}
        said: list[Longer] = []
        for name, places in longer.items():
            for row in places:
                draft = self._draft(name, row)
                pk = int(self.findings[name].row[row])
                rows[pk] = (name, row)
                said.append(Longer(pk, draft.last_at, draft.score, draft.severity, draft.evidence))
        ended = extend_anomalies(longer=said)
        for pk, (name, row) in rows.items():
            one = self.findings[name]
            one.told_s[row] = one.last_bad_s[row]
            if pk in ended:
                one.row[row] = HANDLED
        return len(said) - len(ended)

    def _draft(self, name: str, row: int) -> Draft:
        one, known = self.findings[name], self._known[row] or _NOBODY
        began_s, last_s = float(one.open.bad_since_s[row]), float(one.last_bad_s[row])
        score = max(float(one.open.worst[row]), float(np.nan_to_num(one.evidence["score"][row])))
        severity = severities(
            np.array([score]), np.array([max(last_s - began_s, 0.0)]), detector=name, weight=known.weight
        )  # fmt: skip
        return Draft(
            device_id=known.device_id,
            datastream_id=known.stream_id,
            detector=name,
            severity=min(int(severity[0]), int(OF_A_SENSOR)) if name == "threshold" and known.is_range else int(severity[0]),
            began_at=_time(began_s),
            last_at=_time(last_s),
            score=min(score, 1e6),
            evidence=self._evidence(name, row, known),
        )

    def _evidence(self, name: str, row: int, known: Judging) -> dict[str, Any]:
        """The numbers a person would ask for. What the detector does not know is not there."""
        kept = {part: float(column[row]) for part, column in self.findings[name].evidence.items()}
        high, high_until, low, low_until = known.limits
        told: dict[str, Any] = {"unit": known.unit, "value": kept["value"], "at": kept["at_s"], "score": kept["score"]}
        match name:
            case "threshold":
                is_high = kept["sign"] >= 0
                told |= {
                    "limit": high if is_high else low,
                    "until": high_until if is_high else low_until,
                    "side": "high" if is_high else "low",
                    "is_range": known.is_range,
                }
            case "rate":
                told |= {"expected": kept["expected"], "most_per_minute": known.most_per_minute}
            case "stuck":
                told |= {"after_s": known.stuck_after_s, "for_s": kept["score"] * known.stuck_after_s}
            case "gap":
                told |= {"cadence_s": known.cadence_s, "for_s": kept["score"] * known.cadence_s * 3}
            case _:
                # The band is where a score of 1 begins, on either side of what was expected.
                reach = abs(kept["value"] - kept["expected"]) / kept["score"] if kept["score"] else math.nan
                told |= {"expected": kept["expected"], "low": kept["expected"] - reach, "high": kept["expected"] + reach}
                if name == "drift":
                    told.pop("low"), told.pop("high")  # a level against days: a band of single readings would be none
        clean = {key: round(value, 6) if isinstance(value, float) else value for key, value in told.items() if not _is_nothing(value)}
        if "at" in clean:
            clean["at"] = _time(float(clean["at"])).isoformat()
        return clean


def flag(stream_id: IntArray, at_s: FloatArray, flags: IntArray) -> int:
    """Set these flags beside the readings they speak of. Roll-ups stay as they are: only what is out of range is in no mean (0296)."""
    chosen = np.flatnonzero(flags)
    if not len(chosen):
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE iot_reading r SET quality = r.quality | given.flag
            FROM (SELECT unnest(%s::int[]) AS id, to_timestamp(unnest(%s::float8[])) AS at, unnest(%s::smallint[]) AS flag) given
            WHERE r.datastream_id = given.id AND r.at >= given.at - interval '2 microseconds'
                AND r.at <= given.at + interval '2 microseconds'
                AND r.at >= %s AND r.at <= %s AND r.quality & given.flag <> given.flag
            """,
            [
                stream_id[chosen].tolist(), at_s[chosen].tolist(), flags[chosen].tolist(),
                _time(float(at_s[chosen].min()) - 1), _time(float(at_s[chosen].max()) + 1),
            ],
        )  # fmt: skip
        return int(cursor.rowcount)


def _is_nothing(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _time(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


_NOBODY = Judging(
    stream_id=0, device_id=0, unit="", is_judged=False, detectors=frozenset(), limits=NO_LIMITS, is_range=True,
    most_per_minute=math.nan, stuck_after_s=math.nan, cadence_s=math.nan, resolves=0.0, sensitivity=1.0, weight=1.0, resolving=Resolving(),
)  # fmt: skip
