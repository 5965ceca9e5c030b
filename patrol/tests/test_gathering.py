"""PAT-7: positions that come at the same moment by many requests are written together, and each request is told its own fate."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from patrol.services.positions import gathering
from patrol.services.positions.gathering import Gatherer
from patrol.services.positions.reading import Reading
from patrol.services.positions.recording import Recorded, Taken

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def reading(n):
    return Reading(n, NOW + timedelta(seconds=n), 47.9, 29.3)


@pytest.fixture
def writes(monkeypatch):
    """Each write's readings; the first write waits until it is let go."""
    seen: list[list[int]] = []
    go = threading.Event()

    def record(readings, *, now, in_use):
        seen.append([one.unit_id for one in readings])
        if len(seen) == 1:
            go.wait(5)
        if any(one.unit_id == 13 for one in readings):
            raise ValueError("thirteen")
        return Recorded(tuple(Taken("accepted", doubt=str(one.unit_id)) for one in readings))

    monkeypatch.setattr(gathering, "record_positions", record)
    return seen, go


def test_what_comes_during_a_write_is_written_together_and_each_hears_its_own(writes):
    seen, go = writes
    gatherer = Gatherer()
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(gatherer.record, [reading(1)], now=NOW)
        while not seen:
            pass
        others = [pool.submit(gatherer.record, [reading(n), reading(100 + n)], now=NOW) for n in range(2, 12)]
        while len(gatherer._waiting) < 10:
            pass
        go.set()
        assert [taken.doubt for taken in first.result(5).results] == ["1"]
        for n, other in enumerate(others, start=2):
            assert [taken.doubt for taken in other.result(5).results] == [str(n), str(100 + n)]
    assert len(seen) == 2 and len(seen[1]) == 20
    assert not gatherer._is_writing and not gatherer._waiting


def test_one_that_fails_fails_alone(writes):
    seen, go = writes
    gatherer = Gatherer()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(gatherer.record, [reading(1)], now=NOW)
        while not seen:
            pass
        others = {n: pool.submit(gatherer.record, [reading(n)], now=NOW) for n in (12, 13, 14)}
        while len(gatherer._waiting) < 3:
            pass
        go.set()
        assert first.result(5).accepted == others[12].result(5).accepted == others[14].result(5).accepted == 1
        with pytest.raises(ValueError, match="thirteen"):
            others[13].result(5)
    assert gatherer.record([reading(2)], now=NOW).accepted == 1


def test_alone_it_writes_at_once(writes):
    _seen, go = writes
    go.set()
    assert Gatherer().record([reading(1)], now=NOW).accepted == 1


@pytest.mark.django_db(transaction=True)
def test_many_threads_lose_nothing(force):
    from django.db import connection

    from patrol.models import Position

    gatherer = Gatherer()
    units = frozenset({force.p1.pk, force.p2.pk})

    def send(n):
        try:
            unit = force.p1 if n % 2 else force.p2
            row = Reading(unit.pk, NOW + timedelta(milliseconds=n), 47.92, 29.35)
            return gatherer.record([row], now=NOW, in_use=units).accepted
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(send, range(300))) == 300
    assert Position.objects.filter(unit__in=units).count() == 300
    Position.objects.filter(unit__in=units).delete()
