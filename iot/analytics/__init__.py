"""Pure sums over sensors' readings: numpy in, dataclasses out. No Django, no clock, no network; instants and seeds are arguments."""
