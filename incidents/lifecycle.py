"""The states an incident passes through and the steps between them. Pure: no database, no clock."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class State(models.TextChoices):
    RECEIVED = "received", _("Received")
    CLASSIFIED = "classified", _("Classified")
    QUEUED = "queued", _("Queued")
    DISPATCHED = "dispatched", _("Dispatched")
    EN_ROUTE = "en_route", _("En route")
    ON_SCENE = "on_scene", _("On scene")
    CLEARED = "cleared", _("Cleared")
    CLOSED = "closed", _("Closed")
    REOPENED = "reopened", _("Reopened")
    CANCELLED = "cancelled", _("Cancelled")
    UNFOUNDED = "unfounded", _("Unfounded")
    DUPLICATE = "duplicate", _("Duplicate")


class Disposition(models.TextChoices):
    """How it ended: apart from the state, and required to close."""

    RESOLVED = "resolved", _("Resolved on scene")
    REPORT_TAKEN = "report_taken", _("Report taken")
    ARREST = "arrest", _("Arrest made")
    TRANSPORTED = "transported", _("Patient transported")
    WARNING = "warning", _("Warning given")
    REFERRED = "referred", _("Referred to another agency")
    NO_ACTION = "no_action", _("No action needed")
    NOT_FOUND = "not_found", _("Nothing found on arrival")


class Priority(models.IntegerChoices):
    """How fast: 1 is the most urgent."""

    P1 = 1, _("1 · immediate")
    P2 = 2, _("2 · urgent")
    P3 = 3, _("3 · soon")
    P4 = 4, _("4 · routine")
    P5 = 5, _("5 · when possible")


class Severity(models.IntegerChoices):
    """How bad: 4 is the worst."""

    LOW = 1, _("Low")
    MEDIUM = 2, _("Medium")
    HIGH = 3, _("High")
    CRITICAL = 4, _("Critical")


EXITS = frozenset({State.CANCELLED, State.UNFOUNDED, State.DUPLICATE})
FINAL = frozenset({State.CLOSED}) | EXITS
OPEN = frozenset(State) - FINAL

_MOVES: dict[State, tuple[State, ...]] = {
    State.RECEIVED: (State.CLASSIFIED, State.QUEUED, State.DISPATCHED),
    State.CLASSIFIED: (State.QUEUED, State.DISPATCHED),
    State.QUEUED: (State.DISPATCHED,),
    # Cleared without ever being on scene: a unit that said nothing until it was done. Its arrival stays unknown.
    State.DISPATCHED: (State.EN_ROUTE, State.ON_SCENE, State.QUEUED, State.CLEARED),
    State.EN_ROUTE: (State.ON_SCENE, State.QUEUED, State.CLEARED),
    State.ON_SCENE: (State.CLEARED,),
    State.CLEARED: (State.CLOSED,),
    State.REOPENED: (State.QUEUED, State.DISPATCHED, State.EN_ROUTE, State.ON_SCENE, State.CLEARED),
    State.CLOSED: (State.REOPENED,),
    State.CANCELLED: (State.REOPENED,),
    State.UNFOUNDED: (State.REOPENED,),
    State.DUPLICATE: (State.REOPENED,),
}

# When a state is first entered its time is kept in this column, once; later passes are in the log.
TIME_COLUMN: dict[State, str] = {
    State.CLASSIFIED: "classified_at",
    State.QUEUED: "queued_at",
    State.DISPATCHED: "dispatched_at",
    State.EN_ROUTE: "en_route_at",
    State.ON_SCENE: "on_scene_at",
    State.CLEARED: "cleared_at",
    State.CLOSED: "closed_at",
    State.REOPENED: "reopened_at",
    State.CANCELLED: "closed_at",
    State.UNFOUNDED: "closed_at",
    State.DUPLICATE: "closed_at",
}


def next_states(state: str) -> tuple[State, ...]:
    """Where an incident in ``state`` may go, the usual step first, then the exits (closing from any open state included)."""
    here = State(state)
    usual = _MOVES[here]
    if here in FINAL:
        return usual
    closing = () if State.CLOSED in usual else (State.CLOSED,)
    return (*usual, *closing, State.CANCELLED, State.UNFOUNDED, State.DUPLICATE)


def can_move(state: str, to: str) -> bool:
    return State(to) in next_states(state)
