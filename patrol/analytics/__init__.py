"""Pure sums of patrol: numpy in, dataclasses out. No Django, no clock, no network; metres, instants and seeds are arguments."""
