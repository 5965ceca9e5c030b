"""The states an assignment passes through, and whose time is kept where. Pure: no database, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from patrol.models.dispatch import AssignmentState as State
from patrol.querysets import OPEN_STATES

WAY = (State.ASSIGNED, State.ACCEPTED, State.EN_ROUTE, State.ON_SCENE, State.DONE)
OPEN = frozenset(State(name) for name in OPEN_STATES)
FINAL = frozenset(State) - OPEN

# The first time of each state is kept here; later passages are in the log.
TIME_COLUMN: dict[str, str] = {
    State.ASSIGNED: "assigned_at",
    State.ACCEPTED: "accepted_at",
    State.EN_ROUTE: "en_route_at",
    State.ON_SCENE: "on_scene_at",
    State.DONE: "ended_at",
    State.CANCELLED: "ended_at",
    State.AUTO_CLOSED: "ended_at",
}
CLOCK = ("assigned_at", "accepted_at", "en_route_at", "on_scene_at", "ended_at")
# What a unit does on the way: the steps a late report may still tell of.
PASSAGES = frozenset({State.ACCEPTED, State.EN_ROUTE, State.ON_SCENE})


def rank(state: str) -> int:
    """How far along the usual way; an end is past everything."""
    return WAY.index(State(state)) if state in WAY else len(WAY)


def next_states(state: str) -> tuple[State, ...]:
    """Where an assignment in ``state`` may go: forward, skipping allowed; then the two ends that are not its own work."""
    here = State(state)
    if here in FINAL:
        return ()
    return (*WAY[rank(here) + 1 :], State.CANCELLED, State.AUTO_CLOSED)


def can_move(state: str, to: str) -> bool:
    return State(to) in next_states(state)


def fits(clock: Mapping[str, datetime | None], column: str, at: datetime) -> bool:
    """Whether ``at`` may stand in ``column`` between the times known before and after it."""
    place = CLOCK.index(column)
    before = [clock.get(name) for name in CLOCK[:place]]
    after = [clock.get(name) for name in CLOCK[place + 1 :]]
    return all(time <= at for time in before if time is not None) and all(at <= time for time in after if time is not None)
