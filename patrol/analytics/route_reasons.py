"""What could not be planned, and the constraint that stood in the way, with its measure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from patrol.analytics.route_polish import Board
from patrol.analytics.route_slots import Slot
from patrol.analytics.route_timing import NO_WAY_S, Day, Item, time
from patrol.analytics.routes import (
    KEPT_BACK_TO_BACK,
    KEPT_BEYOND_SHARE,
    KEPT_NOT_IN_TIME,
    NO_UNIT_ALLOWED,
    NO_WAY,
    NOT_WORTH_THE_WAY,
    OUTSIDE_SHIFTS,
    REST_DOES_NOT_FIT,
    SHARE_TOO_SHORT,
    SHIFT_TOO_SHORT,
    TOO_LATE,
    Dropped,
    Shortfall,
)

# How near a reason is to being none, when several units could have gone: the first that applies to any of them is told.
_NEAREST = (NOT_WORTH_THE_WAY, TOO_LATE, SHARE_TOO_SHORT, NO_WAY)


def shortfalls(board: Board) -> list[Shortfall]:
    """Units that can make no stop at all, or not keep what they were given; by how much."""
    found: list[Shortfall] = []
    for day in board.days:
        kept = [item for item in day.items if item.is_fixed]
        if day.unavoidable:
            bare = time(_without_rest(day), kept, board.ways).late
            if bare:
                found.append(Shortfall(KEPT_NOT_IN_TIME if kept else SHIFT_TOO_SHORT, day.unit.key, bare))
            if day.unavoidable > bare:
                found.append(Shortfall(REST_DOES_NOT_FIT, day.unit.key, day.unavoidable - bare))
        beyond = _least(board, day, kept) - day.budget
        if beyond > 0:
            found.append(Shortfall(KEPT_BEYOND_SHARE, day.unit.key, beyond))
        if not day.items and not day.history:
            found += _no_stop_fits(board, day)
    return found


def twice_running(board: Board) -> list[Shortfall]:
    """Visits that are kept and follow one of the same stop, with nothing between: nobody but who set them can mend that."""
    found = []
    for day in board.days:
        repeated = [other.stop for one, other in pairwise(day.visits) if one.stop == other.stop]
        found += [Shortfall(KEPT_BACK_TO_BACK, day.unit.key, None, board.stops[stop].key) for stop in repeated]
    return found


def _least(board: Board, day: Day, kept: list[Item]) -> int:
    """Patrol time of what is kept alone."""
    seconds, place, total = board.ways.seconds, day.start, day.spent
    for item in kept:
        total += seconds[place][item.place] + (item.length if item.stop >= 0 else 0)
        place = item.place
    return total + seconds[place][day.end]


def _without_rest(day: Day) -> Day:
    return Day(day.unit, day.start, day.end, day.start_s, day.end_s, day.budget, None, day.pauses, day.history, day.spent, day.stops)


def _no_stop_fits(board: Board, day: Day) -> list[Shortfall]:
    """The nearest stop, there, the dosage and back again, against the patrol time and the shift."""
    seconds = board.ways.seconds
    ways = [
        (seconds[day.start][place] + board.stops[stop].dosage_s + seconds[place][day.end], stop)
        for stop, place in enumerate(board.stop_places)
        if stop in day.stops
    ]
    if not ways:
        return [Shortfall(NO_UNIT_ALLOWED, day.unit.key)] if board.stops else []
    least, stop = min(ways)
    if least >= NO_WAY_S // 2:
        return [Shortfall(NO_WAY, day.unit.key, None, board.stops[stop].key)]
    found = []
    rest = day.rest[2] if day.rest is not None else 0
    if least + rest > day.end_s - day.start_s:
        found.append(Shortfall(SHIFT_TOO_SHORT, day.unit.key, least + rest - (day.end_s - day.start_s), board.stops[stop].key))
    if least > day.budget:
        found.append(Shortfall(SHARE_TOO_SHORT, day.unit.key, least - day.budget, board.stops[stop].key))
    return found


def dropped(board: Board, *, prize: float) -> list[Dropped]:
    """Each slot that is not planned, with the unit that came nearest to taking it."""
    planned = board.planned()
    left = [day.budget - board.busy(day) for day in board.days]
    return [_why(board, number, slot, left, prize) for number, slot in enumerate(board.slots) if number not in planned]


def _why(board: Board, number: int, slot: Slot, left: Sequence[int], prize: float) -> Dropped:
    key, window = board.stops[slot.stop].key, (slot.early, slot.late)
    allowed = [(index, day) for index, day in enumerate(board.days) if slot.stop in day.stops]
    if not allowed:
        return Dropped(key, window, NO_UNIT_ALLOWED)
    item = board.item(number)
    there = [(index, day) for index, day in allowed if day.start_s <= slot.late and slot.early + item.length <= day.end_s]
    if not there:
        missed = {day.unit.key: max(day.start_s - slot.late, slot.early + item.length - day.end_s) for _, day in allowed}
        nearest = min(missed, key=lambda unit: missed[unit])
        return Dropped(key, window, OUTSIDE_SHIFTS, nearest, missed[nearest])
    reasons: list[tuple[int, int, int]] = []
    for index, day in there:
        code, short = _nearest(board, day, item, left[index], slot.worth * prize)
        reasons.append((_NEAREST.index(code), short, index))
    rank, short, index = min(reasons)
    return Dropped(key, window, _NEAREST[rank], board.days[index].unit.key, None if _NEAREST[rank] == NO_WAY else short)


def _nearest(board: Board, day: Day, item: Item, left: int, worth: float) -> tuple[str, int]:
    """The least that this unit lacks for the visit: patrol time anywhere in its order, or time at the place that patrol time allows."""
    seconds = board.ways.seconds
    before, free, least, late = day.start, day.start_s, NO_WAY_S, NO_WAY_S
    for position in range(len(day.items) + 1):
        after, until = (day.items[position].place, day.items[position].late) if position < len(day.items) else (day.end, day.end_s)
        cost = seconds[before][item.place] + item.length + seconds[item.place][after] - seconds[before][after]
        least = min(least, cost)
        if cost <= left:
            begins = max(free + seconds[before][item.place], item.early)
            behind = max(0, begins - item.late) + max(0, min(begins, item.late) + item.length + seconds[item.place][after] - until)
            late = min(late, behind)
        if position < len(day.items):
            before, free = day.items[position].place, day.timed.arrivals[position] + day.items[position].length
    if least >= NO_WAY_S // 2:
        return NO_WAY, 0
    if least > left:
        return SHARE_TOO_SHORT, least - left
    driven = least - item.length
    return (TOO_LATE, late) if late or driven <= worth else (NOT_WORTH_THE_WAY, round(driven - worth))
