"""How fast a call is to be answered, until an agency sets its own: house defaults (docs/decisions/0138)."""

from __future__ import annotations

from patrol.models import ResponseTarget

# Priority: seconds of queue, turnout, travel, response. The migration that filled the table holds them as they were then.
DEFAULTS = {
    1: (60, 60, 480, 600),
    2: (120, 90, 720, 900),
    3: (300, 120, 1200, 1800),
    4: (900, 180, 1800, 3600),
    5: (3600, 300, 3600, 7200),
}


def ensure_default_targets() -> int:
    """A general target for each priority that has none. Returns how many were missing."""
    made = 0
    for priority, (queue, turnout, travel, response) in DEFAULTS.items():
        values = {"queue_s": queue, "turnout_s": turnout, "travel_s": travel, "response_s": response}
        made += ResponseTarget.objects.get_or_create(agency=None, priority=priority, defaults=values)[1]
    return made
