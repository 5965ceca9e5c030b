"""The detectors on a year of water pressures with the organisers' leaks: chosen on the first half of the year, judged on the second.

The pressures are the shared folder's re-simulation of BattLeDIM's L-TOWN (see its SOURCES.md), not the organisers' readings: the figures
compare our detectors with one another, not with published teams.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.report import Report
from iot.analytics.batch import Batch, FloatArray, Found
from iot.analytics.drift import Chart, DriftState, drift
from iot.analytics.evaluation import Alarms, apart, beginnings, by_chance, judged
from iot.analytics.isolation import fit_forest
from iot.analytics.neighbours import nearest, neighbours
from iot.analytics.robust_z import RobustState, robust_z
from iot.analytics.seasonal import SeasonalState, seasonal
from iot.analytics.threshold import Limits, ThresholdState, threshold

GROUP = "Anomalies: leaks in a year of water pressures (re-simulated L-TOWN)"
DAY_S = 86_400.0
TOLD_APART_S = DAY_S  # a room is told once a day of whatever its sensors say
AFTER_PEAK_S = 14 * DAY_S
WARM_UP_S = 35 * DAY_S
FLOOR_M = 0.05


@dataclass(frozen=True)
class Year:
    """Pressures step by step and sensor by sensor, where sensors lie, and the leaks: from when to when an alarm is right."""

    at_s: FloatArray
    pressure: FloatArray
    xy_m: FloatArray
    start_s: FloatArray
    end_s: FloatArray
    is_abrupt: np.ndarray

    @property
    def middle_s(self) -> float:
        return float((self.at_s[0] + self.at_s[-1]) / 2)

    def batch(self, value: FloatArray | None = None, every: int = 1) -> Batch:
        """Readings in the order of time; ``every`` takes the mean of so many steps."""
        table = self.pressure if value is None else value
        steps = len(table) // every * every
        table = table[:steps].reshape(-1, every, table.shape[1]).mean(axis=1)
        at = self.at_s[:steps:every]
        return Batch.of(np.tile(np.arange(table.shape[1]), len(at)), np.repeat(at, table.shape[1]), table.ravel())


def read_year() -> Year | None:
    folder = Path(os.environ.get("KHAREETATY_SHARED") or Path(__file__).resolve().parents[2] / "shared") / "data/water"
    if not (folder / "ltown_regenerated_pressures_2018_5min.parquet").is_file():
        return None
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(folder / "ltown_regenerated_pressures_2018_5min.parquet")
    sensors = [name for name in table.column_names if name != "Timestamp"]
    at = table["Timestamp"].to_numpy().astype("datetime64[ms]").astype(np.int64) / 1000.0
    pressure = np.column_stack([table[name].to_numpy() for name in sensors]).astype(np.float64)
    with (folder / "ltown_sensors.csv").open() as rows:
        places = {row["sensor"]: (float(row["x"]), float(row["y"])) for row in csv.DictReader(rows) if row["type"] == "pressure"}
    with (folder / "battledim_official_leaks_2018.csv").open() as rows:
        leaks = list(csv.DictReader(rows))
    start, end, peak = (np.array([_instant(leak[name]) for leak in leaks]) for name in ("start", "end", "peak"))
    return Year(
        at,
        pressure,
        np.array([places[name] for name in sensors]),
        start,
        np.minimum(end, peak + AFTER_PEAK_S),
        np.array([leak["type"] == "abrupt" for leak in leaks]),
    )


def _instant(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp()


# --- detectors ----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Method:
    """``run`` gives, for one choice, when alarms begin, sensor by sensor."""

    name: str
    choices: tuple[float, ...]
    run: Callable[[float], list[FloatArray]]


def _by_sensor(batch: Batch, found: Found) -> list[FloatArray]:
    sensors = int(batch.series.max()) + 1
    at, active = batch.at_s.reshape(-1, sensors), found.active.reshape(-1, sensors)
    return [beginnings(at[:, one], active[:, one], apart_s=TOLD_APART_S) for one in range(sensors)]


def _night(kind: Literal["cusum", "ewma"], limit: float) -> Chart:
    """Of the hours 2 to 5, when people draw least and a leak shows most; the data's clock is local."""
    slack = 0.5 if kind == "cusum" else 0.2
    return Chart(kind=kind, slack=slack, limit=limit, from_s=7200, to_s=18_000, offset_s=0.0, least=2, accept=10)


def methods(year: Year) -> list[Method]:
    whole, hourly = year.batch(), year.batch(every=12)
    n = year.pressure.shape[1]
    first = year.at_s < year.middle_s
    around = nearest(year.xy_m, k=5)
    theirs = np.stack([np.median(year.pressure[:, around[one]], axis=1) for one in range(n)], axis=1)
    off = year.pressure - theirs
    off_hourly = year.batch(off, every=12)

    def plain(share: float) -> list[FloatArray]:
        low = np.quantile(year.pressure[first], share, axis=0)
        return _by_sensor(whole, threshold(whole, ThresholdState.fresh(n), Limits.of(n, low=low, low_ends=low + 0.2))[0])

    def apart_from_neighbours(limit: float) -> list[FloatArray]:
        """Each hour's departure from the neighbours, against what it was by the hour of the day in the first five weeks."""
        table, at = off_hourly.value.reshape(-1, n), off_hourly.at_s.reshape(-1, n)[:, 0]
        early, hour = at < year.at_s[0] + WARM_UP_S, (at // 3600).astype(int) % 24
        usual = np.stack([np.median(table[early & (hour == one)], axis=0) for one in range(24)])
        departed = table - usual[hour]
        spread = 1.4826 * np.median(np.abs(departed[early]), axis=0)
        score = np.stack([neighbours(row, around, limit=limit, floor=FLOOR_M, spread=spread).score for row in departed])
        return [beginnings(at, (score[:, one] >= 1).astype(np.int8), apart_s=TOLD_APART_S) for one in range(n)]

    def forest(share: float) -> list[FloatArray]:
        """The whole network hour by hour, as departures from the hour of the day in the first half, without its mean."""
        table, at = off_hourly.value.reshape(-1, n), off_hourly.at_s.reshape(-1, n)[:, 0]
        early, hour = at < year.middle_s, (at // 3600).astype(int) % 24
        usual = np.stack([np.median(table[early & (hour == one)], axis=0) for one in range(24)])
        rows = table - usual[hour]
        grown = fit_forest(rows[early], share=share, trees=50)
        return [beginnings(at, (grown.scores(rows) > grown.limit).astype(np.int8), apart_s=TOLD_APART_S)]

    return [
        Method("plain threshold (low)", (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 3e-2), plain),
        Method(
            "robust z, 60 readings",
            (6.0, 8.0, 12.0, 16.0, 24.0, 36.0, 48.0),
            lambda limit: _by_sensor(whole, robust_z(whole, RobustState.fresh(n), limit=limit, floor=FLOOR_M)[0]),
        ),
        Method(
            "seasonal, hour of week",
            (4.0, 5.0, 7.0, 10.0),
            lambda limit: _by_sensor(whole, seasonal(whole, SeasonalState.fresh(n), limit=limit, floor=FLOOR_M, offset_s=0.0)[0]),
        ),
        Method(
            "CUSUM of the nights",
            (6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0),
            lambda limit: _by_sensor(hourly, drift(hourly, DriftState.fresh(n), _night("cusum", limit), floor=FLOOR_M)[0]),
        ),
        Method(
            "EWMA of the nights",
            (4.0, 5.0, 6.0, 8.0),
            lambda limit: _by_sensor(hourly, drift(hourly, DriftState.fresh(n), _night("ewma", limit), floor=FLOOR_M)[0]),
        ),
        Method("departure from neighbours", (4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 36.0, 48.0), apart_from_neighbours),
        Method(
            "CUSUM of the nights' departure from neighbours",
            (8.0, 12.0, 16.0, 24.0, 32.0, 48.0),
            lambda limit: _by_sensor(off_hourly, drift(off_hourly, DriftState.fresh(n), _night("cusum", limit), floor=0.02)[0]),
        ),
        Method("Isolation Forest of the network's hours", (0.001, 0.005, 0.02, 0.05), forest),
    ]


# --- judging ------------------------------------------------------------------------------------------------------------------------------


def run(report: Report) -> None:
    year = read_year()
    if year is None:
        report.row(GROUP, "not measured", "", "", "the shared folder's data/water is not here (KHAREETATY_SHARED says where to look)")
        return
    halves = ((year.at_s[0] + WARM_UP_S, year.middle_s), (year.middle_s, float(year.at_s[-1])))
    for name, (from_s, to_s) in zip(("first half, after five weeks", "second half"), halves, strict=True):
        mine = _leaks(year, from_s, to_s)
        share = _covered(year.start_s, year.end_s, from_s, to_s)
        note = f"{int(year.is_abrupt[mine].sum())} abrupt; an alarm is right from a leak's start to two weeks after its peak or to its "
        note += f"repair: {share:.0%} of the time"
        report.row(GROUP, f"Leaks that start in the {name}", int(mine.sum()), "leaks", note)
    for method in methods(year):
        began = {choice: method.run(choice) for choice in method.choices}
        worth = {choice: _above_chance(year, found, halves[0]) for choice, found in began.items()}
        choice = max(worth, key=lambda one: worth[one])
        if worth[choice] <= 0:
            tried = ", ".join(f"{one:g}" for one in method.choices)
            report.row(GROUP, method.name, "left out", "", f"no setting was better than chance on the first half; tried: {tried}")
            continue
        told, found = _half(year, began[choice], *halves[1])
        report.row(GROUP, method.name, _shown(found), "precision, recall", _note(year, told, found, choice, method.choices, halves[1]))


def _leaks(year: Year, from_s: float, to_s: float) -> np.ndarray:
    return (year.start_s >= from_s) & (year.start_s < to_s)


def _half(year: Year, began: Sequence[FloatArray], from_s: float, to_s: float) -> tuple[FloatArray, Alarms]:
    """What the room is told in one half, and its worth. An alarm may be right about an older leak that still grows; caught are new ones."""
    told = apart(np.concatenate([np.empty(0), *began]), TOLD_APART_S)
    told = told[(told >= from_s) & (told < to_s)]
    mine = _leaks(year, from_s, to_s)
    new, any_leak = judged(told, year.start_s[mine], year.end_s[mine]), judged(told, year.start_s, year.end_s)
    return told, Alarms(any_leak.alarms, any_leak.right, new.events, new.caught, new.delays_s)


def _by_chance(year: Year, told: FloatArray, half: tuple[float, float]) -> tuple[float, float]:
    mine = _leaks(year, *half)
    precision, _recall = by_chance(told, year.start_s, year.end_s, from_s=half[0], to_s=half[1])
    _precision, recall = by_chance(told, year.start_s[mine], year.end_s[mine], from_s=half[0], to_s=half[1])
    return precision, recall


def _above_chance(year: Year, began: Sequence[FloatArray], half: tuple[float, float]) -> float:
    """What is chosen by: F1 less the F1 of as many alarms at random. F1 alone would choose whoever cries every day."""
    told, found = _half(year, began, *half)
    precision, recall = _by_chance(year, told, half)
    return found.f1 - 2 * precision * recall / (precision + recall) if recall > 0 else found.f1


def _covered(start_s: FloatArray, end_s: FloatArray, from_s: float, to_s: float) -> float:
    steps = np.arange(from_s, to_s, 3600.0)
    return float(((steps[:, None] >= start_s) & (steps[:, None] <= end_s)).any(axis=1).mean())


def _shown(found: Alarms) -> str:
    return f"{found.precision:.2f}, {found.recall:.2f}" if found.alarms else f"no alarm, {found.recall:.2f}"


def _note(year: Year, told: FloatArray, found: Alarms, choice: float, choices: Sequence[float], half: tuple[float, float]) -> str:
    precision, recall = _by_chance(year, told, half)
    quiet_weeks = (1 - _covered(year.start_s, year.end_s, *half)) * (half[1] - half[0]) / (7 * DAY_S)
    chance = f"as many alarms at random: {precision:.2f}, {recall:.2f}" if found.alarms else "nothing to compare with chance"
    late = f", median delay {found.delay_s / DAY_S:.1f} days" if found.caught else ""
    edge = ", the edge of what was tried" if choice in (choices[0], choices[-1]) else ""
    caught = f"{found.alarms} alarms, {found.caught} of {found.events} leaks caught{late}"
    return f"{caught}; {(found.alarms - found.right) / quiet_weeks:.1f} false a week without a leak; {chance}; set to {choice:g}{edge}"
