"""IOT-2: nothing acknowledged is lost: the stream, its one writer, and what kills either."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings as conf
from django.db import OperationalError, connection

from iot.models import DeadReading, Metric, Reading
from iot.stream import Envelope, Stream, StreamAway, StreamFull, offer
from iot.writer import Writer

ROOT = Path(__file__).resolve().parents[2]


def waiting() -> tuple[int, int]:
    standing = Stream().standing()
    return standing["entries"], standing["readings"]


@pytest.mark.django_db
def test_what_is_offered_waits_until_it_is_written(sensors, drain):
    offer([sensors.envelope(("temperature", 20.0 + n, sensors.ago(seconds=n))) for n in range(600)])
    assert waiting() == (3, 600)  # 256 envelopes travel in one entry
    assert drain().tally.kept == 600
    assert waiting() == (0, 0) and Reading.objects.count() == 600


@pytest.mark.django_db
def test_a_full_stream_refuses_and_trims_nothing(sensors, drain, settings):
    settings.IOT_STREAM_MOST = 10
    offer([sensors.envelope(*[("temperature", 20.0, sensors.ago(seconds=n)) for n in range(8)])])
    with pytest.raises(StreamFull):
        offer([sensors.envelope(*[("temperature", 20.0, sensors.ago(seconds=n)) for n in range(8, 12)])])
    assert waiting() == (1, 8)
    drain()
    offer([sensors.envelope(("temperature", 20.0, sensors.ago(seconds=9)))])
    assert waiting() == (1, 1)


@pytest.mark.django_db
def test_no_redis_is_said_and_not_taken_for_done(sensors, settings):
    settings.STREAMS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(StreamAway):
        offer([sensors.envelope(("temperature", 20.0, None))])


@pytest.mark.django_db
def test_nan_on_the_stream_is_counted_and_no_row(sensors, drain):
    offer([sensors.envelope(("temperature", float("nan"), None), ("humidity", float("inf"), None))])
    drain()
    assert DeadReading.objects.get(why="not_finite", metric="humidity").n == 1 and not Reading.objects.exists()


@pytest.mark.django_db
def test_what_a_dead_writer_had_taken_is_taken_over(sensors):
    offer([sensors.envelope(("temperature", 20.0, None))])
    stream = Stream()
    stream.make_group()
    assert len(stream.take("dead", most=10, wait_ms=1)) == 1
    heir = Writer(Stream(), name="heir", take_over_after_ms=0)
    assert heir.step(wait_ms=1) == 1
    assert Reading.objects.count() == 1 and waiting() == (0, 0)


@pytest.mark.django_db
def test_what_killed_three_writers_is_put_aside_whole(sensors, drain):
    offer([sensors.envelope(("temperature", 20.0, None))])
    stream = Stream()
    stream.make_group()
    stream.take("victim", most=10, wait_ms=1)
    for _again in range(2):
        stream.take_over("victim", idle_ms=0, most=10)
    assert Writer(stream, take_over_after_ms=0).step(wait_ms=1) == 1
    assert not Reading.objects.exists() and waiting() == (0, 0)
    assert stream.standing()["dead"] == 1 and DeadReading.objects.get().why == "broke_writer"


@pytest.mark.django_db
def test_an_entry_that_is_none_of_ours_is_put_aside(sensors, drain):
    stream = Stream()
    for raw in (b"{", b'[["a"]]', b"\xff\x00", b"[[1,2]]", b"7"):
        stream.client.xadd(stream.name, {"n": 1, "e": raw})
    offer([sensors.envelope(("temperature", 20.0, None))])
    assert drain().tally.put_aside == 5
    assert Reading.objects.count() == 1 and stream.standing()["dead"] == 5


@pytest.mark.django_db
def test_one_envelope_that_breaks_the_writing_keeps_no_other_from_being_written(sensors, drain):
    # More than PostgreSQL's float holds room for in a sum: adding the two overflows in the roll-up, not in the reading.
    Metric.objects.filter(code="temperature").update(least=None, most=None)
    huge = [("temperature", 1.5e308, sensors.ago(seconds=50 + n)) for n in range(4)]
    offer([sensors.envelope(("temperature", 20.0, sensors.ago(seconds=n)), device=sensors.sharq) for n in range(5)])
    offer([sensors.envelope(*huge)])
    writer = drain()
    assert (writer.tally.kept, writer.tally.put_aside) == (5, 1)
    broke = DeadReading.objects.get()
    assert (broke.why, broke.n) == ("broke_writer", 4) and waiting() == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_while_postgresql_is_away_nothing_is_acknowledged(sensors):
    offer([sensors.envelope(("temperature", 20.0, None))])
    writer = Writer(Stream())
    name = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = "1"
    try:
        for _again in range(2):
            with pytest.raises(OperationalError):
                writer.step(wait_ms=1)
    finally:
        connection.close()
        connection.settings_dict["PORT"] = name
    assert waiting() == (1, 1)
    while writer.step(wait_ms=1):
        pass
    assert waiting() == (0, 0) and Reading.objects.count() == 1


KILLED = """
import os, signal, sys
import django
django.setup()
from django.conf import settings
from django.db import connection
settings.DATABASES["default"]["NAME"] = sys.argv[1]
connection.settings_dict["NAME"] = sys.argv[1]
settings.IOT_STREAM_PREFIX = sys.argv[2]
from iot.stream import Stream
from iot.writer import Writer
Stream.done = lambda self, entries: os.kill(os.getpid(), signal.SIGKILL)
Writer(Stream(), name="killed").step(wait_ms=2000)
"""


@pytest.mark.django_db(transaction=True)
def test_killed_between_the_commit_and_the_acknowledgement_nothing_is_there_twice(sensors):
    said = [sensors.envelope(("temperature", 20.0, sensors.ago(seconds=n)), device=sensors.sharq) for n in range(50)]
    offer(said)
    Stream().make_group()
    arguments = [sys.executable, "-c", KILLED, connection.settings_dict["NAME"], conf.IOT_STREAM_PREFIX]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "khareetaty.settings"}
    killed = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert Reading.objects.count() == 50 and waiting() == (1, 50)
    stream = Stream()
    assert [row["name"] for row in stream.standing()["consumers"]] == ["killed"]
    time.sleep(0.01)
    writer = Writer(stream, take_over_after_ms=1)
    writer.step(wait_ms=1)
    assert (writer.tally.kept, writer.tally.repeated) == (0, 50)
    assert Reading.objects.count() == 50 and waiting() == (0, 0)


@pytest.mark.django_db
def test_a_stream_somebody_emptied_is_begun_anew(sensors, drain):
    offer([sensors.envelope(("temperature", 20.0, None))])
    drain()
    stream = Stream()
    stream.client.delete(stream.name, stream.count_name)
    offer([sensors.envelope(("temperature", 21.0, sensors.ago(seconds=5)))])
    drain()
    assert Reading.objects.count() == 2


@pytest.mark.django_db
def test_an_empty_offer_is_no_entry(sensors):
    assert offer([]) == 0 and waiting() == (0, 0)
    offer([Envelope(sensors.salmiya.pk, "http", sensors.now, [], {"battery_pct": 50})])
    assert waiting() == (1, 1)


def test_a_writer_is_seen_before_there_is_anything_to_write(sensors):
    stream = Stream()
    stream.join("early")
    assert [row["name"] for row in stream.standing()["consumers"]] == ["early"]
    stream.leave("early")
    assert stream.standing()["consumers"] == []
