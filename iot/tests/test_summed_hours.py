"""IOT-3: hours that were summed elsewhere go in as they are, once, and their days with them; what no hour can be is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from core.errors import Invalid
from iot.models import Datastream, RollupDay, RollupHour
from iot.services.writing import SummedHours, add_hours

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 1, 18, tzinfo=UTC)  # nine in the evening in Kuwait: after three of these hours it is the next day


def hours(stream: int, count: int = 6, value: float = 20.0) -> SummedHours:
    at = np.int64(START.timestamp()) + np.arange(count, dtype=np.int64) * 3600
    mean = value + np.arange(count, dtype=np.float64)
    return SummedHours(np.full(count, stream, np.int64), at, np.full(count, 12, np.int64), mean - 1, mean + 1, mean * 12, mean, at + 3300)


@pytest.fixture
def stream(sensors: Any) -> int:
    return Datastream.objects.create(device=sensors.salmiya, metric=sensors.air.metrics.get(code="temperature")).pk


def test_hours_and_the_days_of_kuwait_are_as_they_were_summed(stream: int) -> None:
    assert add_hours(hours(stream)) == 6
    first = RollupHour.objects.get(datastream=stream, at=START)
    assert (first.n, first.min, first.max, first.sum, first.last, first.bad_n) == (12, 19, 21, 240, 20, 0)
    assert first.last_at == START + timedelta(seconds=3300)
    before, after = RollupDay.objects.filter(datastream=stream).order_by("at")
    assert (before.n, before.min, before.max, before.sum, before.last) == (36, 19, 23, 12 * (20 + 21 + 22), 22)
    assert after.at == START + timedelta(hours=3) and (after.n, after.last) == (36, 25)


def test_what_is_there_already_stays_and_adds_to_its_day_once(stream: int) -> None:
    add_hours(hours(stream, 2))
    assert add_hours(hours(stream, 3, value=50.0)) == 1 and add_hours(hours(stream, 3)) == 0
    assert list(RollupHour.objects.filter(datastream=stream).order_by("at").values_list("last", flat=True)) == [20, 21, 52]
    assert RollupDay.objects.get(datastream=stream).n == 36


@pytest.mark.parametrize(
    "wrong",
    [
        {"least": np.array([30.0])},
        {"total": np.array([np.nan])},
        {"last": np.array([np.inf])},
        {"n": np.array([0])},
        {"last_at_s": np.array([int(START.timestamp()) + 3600])},
        {"last_at_s": np.array([int(START.timestamp()) - 1])},
        {"at_s": np.array([int(START.timestamp()) + 60])},
    ],
)
def test_what_no_hour_can_be_is_refused_whole(stream: int, wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        add_hours(replace(hours(stream, 1), **wrong))
    assert not RollupHour.objects.exists()
