"""Who is on call: schedules, overrides, swaps, gaps.

``on_call_now`` and ``gaps`` are what the rest asks.
"""

from alerts.services.oncall.feed import calendar_of, close_feed, rotate_feed_key, schedule_of_key
from alerts.services.oncall.holes import look_for_holes
from alerts.services.oncall.overriding import cancel_override, make_override
from alerts.services.oncall.problems import Problem, problems
from alerts.services.oncall.reading import gaps, next_on_call, on_call_now, spans
from alerts.services.oncall.rights import candidates, seen_by
from alerts.services.oncall.schedules import LayerGiven, change_schedule, make_schedule
from alerts.services.oncall.swapping import ask_swap, decline_swap, take_swap, withdraw_swap

__all__ = [
    "LayerGiven",
    "Problem",
    "ask_swap",
    "calendar_of",
    "cancel_override",
    "candidates",
    "change_schedule",
    "close_feed",
    "decline_swap",
    "gaps",
    "look_for_holes",
    "make_override",
    "make_schedule",
    "next_on_call",
    "on_call_now",
    "problems",
    "rotate_feed_key",
    "schedule_of_key",
    "seen_by",
    "spans",
    "take_swap",
    "withdraw_swap",
]
