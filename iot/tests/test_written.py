"""IOT-5, IOT-7: what was written is told to those who watch, best effort; what they missed they can see."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import redis

from iot import written
from iot.models import Datastream, Reading
from iot.stream import microseconds, offer
from iot.written import AsyncFollower, Batch, Follower, Teller, joined

pytestmark = pytest.mark.django_db


def rows(batches):
    batch = joined(batches)
    return [] if batch is None else list(zip(batch.device_id.tolist(), batch.at_us.tolist(), batch.value.tolist(), strict=True))


def test_what_the_writer_commits_is_told_with_its_quality_and_nothing_before(sensors, drain):
    offer([sensors.envelope(("temperature", 20.0, sensors.ago(minutes=2)))])
    drain()
    follower = Follower()
    at, later = sensors.ago(minutes=1), sensors.ago(seconds=30)
    offer([sensors.envelope(("temperature", 99.0, later), ("temperature", 21.0, at))])
    drain()
    (batch,) = follower.read(block_ms=1_000)
    stream = Datastream.objects.get(device=sensors.salmiya, metric__code="temperature")
    assert batch.stream_id.tolist() == [stream.pk] * 2 and batch.device_id.tolist() == [sensors.salmiya.pk] * 2
    assert batch.at_us.tolist() == [microseconds(at), microseconds(later)] and batch.value.tolist() == [21.0, 99.0]
    assert batch.quality.tolist() == [row.quality for row in Reading.objects.filter(at__gte=at).order_by("at")] and batch.quality[1] != 0
    assert not follower.has_gap and follower.read(block_ms=1) == []


def test_what_was_there_already_is_not_told_again(sensors, drain):
    said = sensors.envelope(("temperature", 20.0, sensors.ago(minutes=1)))
    offer([said])
    drain()
    follower = Follower()
    offer([said])
    drain()
    assert follower.read(block_ms=1) == []


def test_who_reads_too_late_sees_that_something_is_missing(sensors, drain, monkeypatch):
    follower = Follower()
    for value in (20.0, 21.0):
        monkeypatch.setattr(written, "KEEP_MS", 0)  # whatever was there before is too old
        offer([sensors.envelope(("temperature", value, sensors.ago(seconds=value)))])
        drain()
    assert [value for _device, _at, value in rows(follower.read(block_ms=1_000))] == [21.0] and follower.has_gap
    assert follower.read(block_ms=1) == [] and not follower.has_gap


def test_a_writer_that_can_tell_nobody_writes_all_the_same(sensors, settings, caplog):
    from iot.writer import Writer

    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    offer([sensors.envelope(("temperature", 20.0, sensors.ago(minutes=1)))])
    writer = Writer()
    while writer.step(wait_ms=1):
        pass
    assert Reading.objects.count() == 1 and writer.tally.kept == 1
    assert [record.message for record in caplog.records if "nobody is told" in record.message]


def test_an_event_loop_reads_the_same(sensors, drain):
    async def follow():
        follower = AsyncFollower()
        await follower.open()
        loop = asyncio.get_running_loop()
        reading = asyncio.ensure_future(follower.read(block_ms=5_000))
        batch = Batch(*(np.array([value]) for value in (1, 2, 3, 4.5, 0, 6)))
        await loop.run_in_executor(None, Teller().tell, batch)
        try:
            return await reading
        finally:
            await follower.close()

    assert rows(asyncio.run(follow())) == [(2, 3, 4.5)]


def test_what_is_no_batch_is_refused():
    with pytest.raises(ValueError, match="no rows"):
        Batch.unpack(b"x" * 43)


def test_a_reader_hears_that_redis_is_away(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(redis.RedisError):
        Follower()
