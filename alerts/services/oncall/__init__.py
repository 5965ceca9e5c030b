"""Who is on call: schedules, overrides, swaps, gaps.

``on_call_now`` and ``gaps`` are what the rest asks.
"""

from alerts.services.oncall.reading import gaps, next_on_call, on_call_now, spans

__all__ = ["gaps", "next_on_call", "on_call_now", "spans"]
