"""ALR-6: the gates of a rule over the past: joining, quiet times, storms. No database."""

from datetime import UTC, datetime, timedelta

from alerts.analytics.rehearsal import Gates, Shot, rehearse

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
GATES = Gates(timedelta(minutes=30), timedelta(minutes=15), timedelta(minutes=60), 3, timedelta(days=1))


def shot(minute: float, group: str = "a", rank: int = 1, zone: object = "z", type: str = "", seen: object = None) -> Shot:
    return Shot(NOON + timedelta(minutes=minute), group, rank, zone, type, frozenset({seen if seen is not None else (minute, group)}))


def test_a_quiet_zone_holds_back_another_group_until_it_ends() -> None:
    found = rehearse([shot(0, "a"), shot(10, "b")], GATES)
    assert [(at - NOON).total_seconds() / 60 for at, _shot in found.opened] == [0, 30]
    assert found.held == 1


def test_what_is_worse_gets_through() -> None:
    found = rehearse([shot(0, "a", 1), shot(10, "b", 2)], GATES)
    assert (len(found.opened), found.held) == (2, 0)


def test_a_quiet_type_holds_in_another_zone() -> None:
    found = rehearse([shot(0, "a", zone=1, type="theft"), shot(5, "b", zone=2, type="theft"), shot(6, "c", zone=3, type="fire")], GATES)
    assert [(at - NOON).total_seconds() / 60 for at, _shot in found.opened] == [0, 6, 15]


def test_what_is_told_of_already_is_nothing_new() -> None:
    found = rehearse([shot(0, seen="x"), shot(120, seen="x")], GATES)
    assert (len(found.opened), found.known) == (1, 1)


def test_more_than_the_hours_most_is_one_storm() -> None:
    found = rehearse([shot(minute, f"g{minute}", zone=minute) for minute in range(10)], GATES)
    assert (len(found.opened), found.storms, found.stormed) == (3, 1, 7)


def test_what_is_held_for_long_opens_once() -> None:
    found = rehearse([shot(0, "a"), shot(5, "b"), shot(8, "b"), shot(12, "b")], GATES)
    assert (len(found.opened), found.held) == (2, 3)
