"""Who is on call: schedules, overrides, swaps, gaps."""
