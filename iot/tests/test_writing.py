"""IOT-1, IOT-3: what devices say becomes rows, last values and roll-ups, once, whatever the order; what cannot is counted."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iot.models import Datastream, DeadReading, Device, Reading, RollupDay, RollupHour, RollupMinute
from iot.quality import Quality
from iot.services import suspend_device
from iot.services.writing import rebuild_rollups

pytestmark = pytest.mark.django_db
ROLLUPS = (RollupMinute, RollupHour, RollupDay)


def dead():
    return {(row.why, row.n) for row in DeadReading.objects.all()}


def qualities():
    return [Quality(quality) for quality in Reading.objects.order_by("at").values_list("quality", flat=True)]


def test_a_reading_becomes_a_row_a_last_value_and_a_part_of_its_minute_hour_and_day(sensors):
    at = sensors.ago(minutes=1)
    written = sensors.write([sensors.said(("temperature", 21.5, at), ("humidity", 40.0, at))])
    assert (written.kept, written.repeated, written.dead) == (2, 0, 0)
    stream = Datastream.objects.get(device=sensors.salmiya, metric__code="temperature")
    reading = Reading.objects.get(datastream=stream)
    assert (reading.at, reading.value, reading.quality, reading.received_at) == (at, 21.5, 0, sensors.now)
    assert (stream.last_at, stream.last_value, stream.last_received_at) == (at, 21.5, sensors.now)
    for table in ROLLUPS:
        row = table.objects.get(datastream=stream)
        assert (row.n, row.min, row.max, row.sum, row.last, row.last_at, row.bad_n) == (1, 21.5, 21.5, 21.5, 21.5, at, 0)
    sensors.salmiya.refresh_from_db()
    assert sensors.salmiya.last_seen_at == sensors.now and sensors.salmiya.clock_skew_s == pytest.approx(-60)


def test_a_day_begins_at_midnight_where_the_devices_are(sensors):
    sensors.write([sensors.said(("temperature", 20.0, None))])
    assert RollupDay.objects.get().at.astimezone(UTC).hour == 21  # Kuwait is three hours ahead


def test_a_reading_without_a_time_was_taken_when_it_came(sensors):
    sensors.write([sensors.said(("temperature", 20.0, None))])
    assert Reading.objects.get().at == sensors.now


def test_the_same_reading_twice_is_there_once_and_counted_once(sensors):
    said = sensors.said(("temperature", 20.0, sensors.ago(minutes=1)))
    sensors.write([said, said])
    written = sensors.write([said])
    assert (written.kept, written.repeated) == (0, 1)
    assert Reading.objects.count() == 1 and RollupHour.objects.get().n == 1 and not DeadReading.objects.exists()


def test_a_second_value_for_an_instant_leaves_the_first_and_is_kept_aside(sensors):
    at = sensors.ago(minutes=1)
    sensors.write([sensors.said(("temperature", 20.0, at))])
    sensors.write([sensors.said(("temperature", 25.0, at))])
    reading = Reading.objects.get()
    assert reading.value == 20 and reading.quality & Quality.DUPLICATE_CONFLICT
    second = DeadReading.objects.get(why="conflict")
    assert second.at == at and '"value":25.0' in second.raw_text and '"kept":20.0' in second.raw_text
    assert Datastream.objects.get().last_value == 20 and RollupMinute.objects.get().sum == 20


def test_two_values_for_an_instant_in_one_batch_keep_the_first(sensors):
    at = sensors.ago(minutes=1)
    written = sensors.write([sensors.said(("temperature", 20.0, at), ("temperature", 25.0, at))])
    assert (written.kept, written.dead) == (1, 1)
    assert Reading.objects.get().value == 20 and Datastream.objects.get().last_value == 20


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_last_value_never_goes_back_in_time(sensors, order):
    said = [sensors.said(("temperature", 20.0 + minute, sensors.ago(minutes=minute))) for minute in (1, 2)]
    for index in order:
        sensors.write([said[index]])
    assert Datastream.objects.get().last_value == 21
    assert RollupHour.objects.latest("at").last == 21


def test_out_of_order_and_long_on_its_way_is_late_and_lands_in_its_own_hour(sensors):
    sensors.write([sensors.said(("temperature", 20.0, sensors.ago(minutes=1)))])
    sensors.write([sensors.said(("temperature", 20.5, sensors.ago(minutes=2)), ("temperature", 19.0, sensors.ago(days=3)))])
    assert qualities() == [Quality.LATE, Quality.LATE, Quality(0)]
    assert {row.last for row in RollupDay.objects.all()} == {19.0, 20.0}


def test_out_of_range_is_kept_and_in_no_sum(sensors):
    sensors.write([sensors.said(("temperature", 20.0, sensors.ago(seconds=20)), ("temperature", 300.0, sensors.ago(seconds=10)))])
    assert qualities() == [Quality(0), Quality.OUT_OF_RANGE]
    day = RollupDay.objects.get()
    assert (day.n, day.max, day.sum, day.last, day.bad_n) == (1, 20, 20, 20, 1)


def test_a_jump_is_marked_also_against_what_was_written_before(sensors):
    sensors.write([sensors.said(("temperature", 20.0, sensors.ago(minutes=3)), ("temperature", 45.0, sensors.ago(minutes=2)))])
    sensors.write([sensors.said(("temperature", 20.0, sensors.ago(minutes=1)), ("temperature", 25.0, sensors.now))])
    assert qualities() == [Quality(0), Quality.ROC, Quality.ROC, Quality(0)]


def test_a_clock_a_little_ahead_is_marked_and_one_far_ahead_refused(sensors):
    sensors.write(
        [
            sensors.said(("temperature", 20.0, sensors.ago(seconds=-20))),
            sensors.said(("temperature", 21.0, sensors.ago(seconds=-3600)), ("temperature", 22.0, datetime(2099, 1, 1, tzinfo=UTC))),
        ]
    )
    assert qualities() == [Quality.CLOCK_SKEW] and dead() == {("future", 2)}
    assert Datastream.objects.get().last_value == 20
    assert (Device.objects.get(pk=sensors.salmiya.pk).clock_skew_s or 0) > 3600


def test_1970_is_too_old_and_nan_is_no_number(sensors):
    sensors.write(
        [
            sensors.said(("temperature", 20.0, datetime(1970, 1, 1, tzinfo=UTC)), ("temperature", 20.0, sensors.ago(days=15))),
            sensors.said(("temperature", None, None), ("temperature", math.nan, None), ("temperature", math.inf, None)),
        ]
    )
    assert dead() == {("too_old", 2), ("not_finite", 3)} and not Reading.objects.exists()


def test_what_its_profile_does_not_measure_is_counted_apart(sensors):
    sensors.write([sensors.said(("radiation", 1.0, None), ("temperature", 20.0, None))])
    row = DeadReading.objects.get()
    assert (row.why, row.metric, row.device) == ("unknown_metric", "radiation", sensors.salmiya)
    assert Reading.objects.count() == 1


def test_nothing_of_a_device_that_is_not_in_use_is_kept(sensors, cast):
    suspend_device(device=sensors.salmiya, by=cast.supervisor, reason="Tampered with")
    sensors.write([sensors.said(("temperature", 20.0, None)), sensors.said(("temperature", 21.0, None), device=sensors.sharq)])
    assert [reading.value for reading in Reading.objects.all()] == [21] and dead() == {("not_in_use", 1)}


def test_a_device_that_is_gone_harms_nobody(sensors):
    gone = sensors.said(("temperature", 20.0, None))
    written = sensors.write([type(gone)(10**12, *[getattr(gone, name) for name in ("door", "received_us", "measurements", "facts")])])
    assert written.dead == 1 and dead() == {("unknown_device", 1)}


def test_the_dead_are_counted_an_hour_and_not_a_row_each(sensors):
    for _again in range(3):
        sensors.write([sensors.said(*[("temperature", None, None)] * 5)])
    assert dead() == {("not_finite", 15)}


def test_what_a_device_says_of_itself_is_noted_and_nonsense_is_not(sensors):
    said = sensors.said(("temperature", 20.0, None))
    said.facts.update(battery_pct=81, signal_dbm="loud", firmware="1.4\x002")
    sensors.write([said])
    device = Device.objects.get(pk=sensors.salmiya.pk)
    assert (device.battery_pct, device.signal_dbm, device.firmware) == (81, None, "1.42")
    worse = sensors.said(("temperature", 20.0, None))
    worse.facts.update(battery_pct=900)
    sensors.write([worse])
    device.refresh_from_db()
    assert device.battery_pct == 81


READINGS = st.lists(
    st.tuples(
        st.integers(0, 40).map(lambda n: n * 1700),  # seconds back: hours, midnights and repeats among them
        st.sampled_from([-500.0, -19.0, 0.0, 0.1, 7.5, 79.0, 500.0]),
        st.sampled_from(["temperature", "humidity"]),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(batches=st.lists(READINGS, min_size=1, max_size=4))
def test_rollups_kept_up_as_readings_come_are_those_made_from_scratch(sensors, batches):
    Reading.objects.all()._raw_delete("default")
    for table in ROLLUPS:
        table.objects.all()._raw_delete("default")
    for batch in batches:
        sensors.write([sensors.said((metric, value, sensors.ago(seconds=back))) for back, value, metric in batch])
    kept = everything()
    start = sensors.now.astimezone(UTC).replace(hour=21, minute=0, second=0, microsecond=0) - timedelta(days=5)
    rebuild_rollups(datastream_ids=list(Datastream.objects.values_list("pk", flat=True)), start=start, end=start + timedelta(days=7))
    assert everything() == kept
    assert sum(row[2] + row[8] for row in kept[-1]) == Reading.objects.count()


def everything():
    names = ("datastream_id", "at", "n", "min", "max", "sum", "last", "last_at", "bad_n")
    tables = []
    for table in ROLLUPS:
        rows = table.objects.order_by("datastream_id", "at").values_list(*names)
        tables.append([tuple(round(cell, 6) if isinstance(cell, float) else cell for cell in row) for row in rows])
    return tables
