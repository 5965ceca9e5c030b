"""What must be said again or at last: looked after by the clock, and by every open command screen in case the clock has stopped."""

from __future__ import annotations

from patrol.services.sos import repeat_due
from patrol.services.welfare import sweep


def look_after() -> int:
    """Repeat unanswered calls, warn of and escalate welfare checks. Cheap when nothing is due, and safe from many places at once."""
    return repeat_due() + sweep()
