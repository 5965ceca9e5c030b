"""The verbs of assignments: give out, move, take back, hand over, close by time."""

from patrol.services.assignments.closing import close_by_time, end_with_incidents, ends_its_assignments
from patrol.services.assignments.handing import hand_over_assignments, reassign
from patrol.services.assignments.making import assign
from patrol.services.assignments.moving import cancel_assignment, clock_of, move_assignment

__all__ = [
    "assign",
    "cancel_assignment",
    "clock_of",
    "close_by_time",
    "end_with_incidents",
    "ends_its_assignments",
    "hand_over_assignments",
    "move_assignment",
    "reassign",
]
