"""IOT-1, IOT-3: what broke a writer is kept whole and can be put back once its cause is mended: by whom, how much, and on record."""

from __future__ import annotations

import pytest

from core.errors import Invalid, NotAllowed
from core.models import AuditEntry
from iot.models import Reading
from iot.services.dead_letters import dead_letters, put_back_dead
from iot.stream import Entry, Stream, StreamFull, pack
from iot.writer import Writer


@pytest.fixture
def put_aside(sensors):
    """Two entries among the dead letters, and one that nobody can read."""
    stream = Stream()
    for value in (20.0, 21.0):
        ((n, raw),) = pack([sensors.envelope(("temperature", value, sensors.ago(minutes=value)))])
        stream.bury(Entry("", n, raw), "a profile was wrong")
    stream.bury(Entry("", 3, b"{no entry"), "cannot be read")
    return stream


def test_what_can_be_read_goes_back_and_is_written(sensors, put_aside, cast, drain):
    letters = dead_letters()
    assert [letter.can_go_back for letter in letters] == [False, True, True] and list(letters[1].devices) == ["AIR-1"]
    done = put_back_dead(by=cast.superadmin, reason="the profile is mended")
    assert (done.entries, done.readings, done.left) == (2, 2, 1)
    assert put_aside.standing()["readings"] == 2
    drain()
    assert sorted(Reading.objects.values_list("value", flat=True)) == [20.0, 21.0]
    entry = AuditEntry.objects.get(verb="telemetry.put_back")
    assert entry.after is not None and entry.after["entries"] == 2 and entry.reason == "the profile is mended"
    assert put_back_dead(by=cast.superadmin, reason="again").entries == 0, "what went back is not there any more"


def test_one_is_chosen_by_its_id_and_an_odd_id_names_none(put_aside, cast):
    chosen = dead_letters()[1].id
    assert put_back_dead(by=cast.superadmin, ids=[chosen, "-", "+", "x", "1-1"], reason="mended").entries == 1
    assert len(dead_letters()) == 2


def test_it_is_for_those_who_see_everything_and_look_after_devices_and_say_why(put_aside, cast, settings):
    with pytest.raises(NotAllowed):
        put_back_dead(by=cast.supervisor, reason="mine")  # of the police, in Hawalli
    with pytest.raises(NotAllowed):
        put_back_dead(by=cast.auditor, reason="looking")
    with pytest.raises(Invalid):
        put_back_dead(by=cast.superadmin, reason=" ")
    settings.IOT_STREAM_MOST = 1
    with pytest.raises(StreamFull):
        put_back_dead(by=cast.superadmin, reason="mended")
    assert len(dead_letters()) == 3 and not AuditEntry.objects.filter(verb="telemetry.put_back").exists()


def test_what_broke_the_writer_is_kept_whole(sensors, monkeypatch):
    stream = Stream()
    stream.make_group()
    stream.offer([sensors.envelope(("temperature", 20.0, sensors.now))])

    def broken(*_args, **_kwargs):
        raise ValueError("no such table")

    monkeypatch.setattr("iot.writer.write", broken)
    writer = Writer(stream)
    while writer.step(wait_ms=1):
        pass
    (letter,) = dead_letters()
    assert letter.can_go_back and letter.why == "no such table" and writer.tally.put_aside == 1
    monkeypatch.undo()
    assert put_back_dead(by=None, reason="mended").entries == 1
    while Writer(stream).step(wait_ms=1):
        pass
    assert Reading.objects.count() == 1


def test_the_page_of_the_streams_puts_back_and_says_what_came_of_it(put_aside, client, cast, sensors):
    client.force_login(cast.superadmin)
    page = client.get("/sensors/streams/")
    assert page.status_code == 200 and len(page.context["letters"]) == 3 and page.context["may_put_back"]
    answer = client.post("/sensors/streams/put-back/", {"reason": "mended"}, follow=True)
    assert "2 entries with 2 readings" in answer.content.decode()
    assert "Say why" in client.post("/sensors/streams/put-back/", {}, follow=True).content.decode()
    client.force_login(cast.supervisor)
    page = client.get("/sensors/streams/")
    assert page.status_code == 200 and page.context["letters"] == [] and not page.context["may_put_back"]
    assert client.post("/sensors/streams/put-back/", {"reason": "mine"}, follow=True).status_code == 200 and len(dead_letters()) == 1


def test_the_fleets_health_counts_ones_own_devices(sensors, client, cast):
    client.force_login(cast.supervisor)
    fleet = client.get("/sensors/fleet/").context["fleet"]
    assert fleet.whole.of == 1 and fleet.unheard == 1
    client.force_login(cast.superadmin)
    type(sensors.salmiya).objects.update(status="online", battery_pct=8, firmware="1.0", clock_skew_s=-30)
    fleet = client.get("/sensors/fleet/").context["fleet"]
    assert (fleet.whole.percent, fleet.whole.of, fleet.skewed_count, len(fleet.low)) == (100, 2, 2, 2)
    assert [(name, bars[0].count) for name, bars in fleet.firmware] == [("Air", 2)] and fleet.batteries[0].count == 2
