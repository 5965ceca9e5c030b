"""After the search: breaks made to fit, room that is left filled, workload evened out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from patrol.analytics.route_slots import Slot
from patrol.analytics.route_timing import NO_WAY_S, Day, Item, Timed, Ways, patrol_s, time
from patrol.analytics.routes import StopDemand


class Opening(NamedTuple):
    """Where a visit could go into a day, and what it would cost in patrol time."""

    cost: int
    position: int


@dataclass
class Board:
    """All days while they are worked on, and which slot is where."""

    days: list[Day]
    stops: Sequence[StopDemand]
    slots: Sequence[Slot]
    stop_places: Sequence[int]
    ways: Ways

    def planned(self) -> set[int]:
        return {item.slot for day in self.days for item in day.items if item.slot >= 0}

    def item(self, number: int) -> Item:
        slot = self.slots[number]
        return Item(self.stop_places[slot.stop], self.stops[slot.stop].dosage_s, slot.early, slot.late, slot.stop, number)

    def busy(self, day: Day) -> int:
        return patrol_s(day, day.items, self.ways)

    def try_order(self, day: Day, items: list[Item]) -> Timed | None:
        """The times of the order, where it can be driven within the patrol time; else ``None``."""
        if any(one.stop == other.stop and not (one.is_fixed and other.is_fixed) for one, other in pairwise(day.visits_of(items))):
            return None
        if patrol_s(day, items, self.ways) > day.budget:
            return None
        found = time(day, items, self.ways)
        return found if found.late <= day.unavoidable else None

    def openings(self, day: Day, item: Item) -> list[Opening]:
        """Where in the day's order the item could go by its window, cheapest first; the times are not tried yet."""
        seconds = self.ways.seconds
        found: list[Opening] = []
        before, free = day.start, day.start_s
        corners = [(one.place, at) for one, at in zip(day.items, day.timed.arrivals, strict=True)]
        for position, (after, at) in enumerate([*corners, (day.end, day.end_s)]):
            extra = seconds[before][item.place] + seconds[item.place][after] - seconds[before][after]
            starts_late = free + seconds[before][item.place] > item.late
            latest = day.items[position].late if position < len(day.items) else at
            ends_late = item.early + item.length + seconds[item.place][after] > latest
            if extra < NO_WAY_S // 2 and not starts_late and not ends_late:
                found.append(Opening(extra + item.length, position))
            before = after
            if position < len(day.items):
                free = at + day.items[position].length
        return sorted(found)


def seat(board: Board, orders: Iterable[tuple[int, int, list[int]]]) -> None:
    """Take over the orders found (day, after how many kept items, slots); where the break does not fit, leave out what costs least."""
    by_day: dict[int, list[tuple[int, list[int]]]] = {}
    for number, after, found in orders:
        by_day.setdefault(number, []).append((after, found))
    for number, pieces in by_day.items():
        day = board.days[number]
        kept, items, done = day.items, [], 0
        for after, found in sorted(pieces):
            items += [*kept[done:after], *(board.item(slot) for slot in found)]
            done = after
        items += kept[done:]
        timed = board.try_order(day, items)
        while timed is None:
            free = [place for place, item in enumerate(items) if not item.is_fixed]
            if not free:
                break
            options = [(board.slots[items[place].slot].worth, place, [*items[:place], *items[place + 1 :]]) for place in free]
            tried = [(worth, place, order, board.try_order(day, order)) for worth, place, order in sorted(options)]
            fitting = next((one for one in tried if one[3] is not None), None)
            items, timed = (fitting[2], fitting[3]) if fitting is not None else (tried[0][2], None)
        if timed is not None:
            day.items, day.timed = items, timed


def fill(board: Board, *, prize: float) -> int:
    """Put in what still fits and is worth its way, the worthiest by patrol time first; how many."""
    added = 0
    waiting = sorted(set(range(len(board.slots))) - board.planned(), key=lambda number: (-board.slots[number].worth, number))
    left = {number: day.budget - board.busy(day) for number, day in enumerate(board.days)}
    shortest = min((stop.dosage_s for stop in board.stops), default=0)
    for slot in waiting:
        item = board.item(slot)
        options = [
            (opening.cost, number, opening.position)
            for number, day in enumerate(board.days)
            if left[number] >= shortest and item.stop in day.stops
            for opening in board.openings(day, item)
            if opening.cost <= left[number] and opening.cost - item.length <= board.slots[slot].worth * prize
        ]
        for _, number, position in sorted(options)[:12]:
            day = board.days[number]
            order = [*day.items[:position], item, *day.items[position:]]
            timed = board.try_order(day, order)
            if timed is not None:
                day.items, day.timed = order, timed
                left[number] = day.budget - board.busy(day)
                added += 1
                break
    return added


def even_out(board: Board, *, most_extra_share: float, rounds: int = 400) -> int:
    """Move visits from the busiest to the idlest units, as long as all the moves together add little driving; how many moved.

    Each round takes the move that evens out most a second of driving added, from one of the six busiest to one of the ten idlest. No visit
    is lost, and every route keeps its windows.
    """
    allowance = most_extra_share * sum(board.busy(day) for day in board.days)
    moved = 0
    shares = {number: board.busy(day) / day.budget for number, day in enumerate(board.days) if day.budget > 0}
    barred: set[tuple[int, int]] = set()
    while moved < rounds and len(shares) > 1:
        ranked = sorted(shares, key=lambda number: (shares[number], number))
        options: list[tuple[float, int, int, int, int, int]] = []
        for giver in reversed(ranked[-6:]):
            day = board.days[giver]
            for place, item in enumerate(day.items):
                if item.is_fixed or item.slot < 0:
                    continue
                saved = board.busy(day) - patrol_s(day, [*day.items[:place], *day.items[place + 1 :]], board.ways)
                for taker in ranked[:10]:
                    other = board.days[taker]
                    if taker == giver or item.stop not in other.stops or (item.slot, taker) in barred:
                        continue
                    for cost, position in board.openings(other, item)[:3]:
                        gain = _evened(shares[giver], shares[taker], saved / day.budget, cost / other.budget)
                        if gain > 0 and cost - saved <= allowance and cost <= other.budget * (1 - shares[taker]):
                            options.append((-gain / (60 + max(0, cost - saved)), cost - saved, giver, place, taker, position))
        for _, extra, giver, place, taker, position in sorted(options)[:40]:
            if _move(board, giver, place, taker, position):
                allowance -= max(0, extra)
                for number in (giver, taker):
                    shares[number] = board.busy(board.days[number]) / board.days[number].budget
                moved += 1
                break
            barred.add((board.days[giver].items[place].slot, taker))
        else:
            break
    return moved


def _evened(giver: float, taker: float, less: float, more: float) -> float:
    """By how much the squares of both shares shrink; nothing where the taker would end above what the giver had."""
    return giver**2 + taker**2 - (giver - less) ** 2 - (taker + more) ** 2 if taker + more < giver else 0.0


def _move(board: Board, giver: int, place: int, taker: int, position: int) -> bool:
    day, other = board.days[giver], board.days[taker]
    without = [*day.items[:place], *day.items[place + 1 :]]
    having = [*other.items[:position], day.items[place], *other.items[position:]]
    given, taken = board.try_order(day, without), board.try_order(other, having)
    if given is None or taken is None:
        return False
    day.items, day.timed, other.items, other.timed = without, given, having, taken
    return True


def spread_starts(board: Board, rng: np.random.Generator) -> None:
    """Nothing is driven at the first possible second: each free visit's window begins at a moment drawn within what it can spare."""
    for day in board.days:
        items = list(day.items)
        for place, (item, at) in enumerate(zip(day.items, day.timed.arrivals, strict=True)):
            if item.is_fixed or item.slot < 0 or item.late <= at:
                continue
            later = item._replace(early=int(rng.integers(at, item.late + 1)))
            order = [*items[:place], later, *items[place + 1 :]]
            timed = board.try_order(day, order)
            if timed is not None:
                items, day.items, day.timed = order, order, timed
